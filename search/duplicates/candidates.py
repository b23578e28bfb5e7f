"""Pairs of pictures whose perceptual hashes are alike.

A few hashes are compared all with all. Of many, only those with a common word are compared: the 256
bits are cut into 16 words, and two hashes that differ in fewer than 16 bits have one in common.
Hashes that differ in many more bits mostly have one, too, because the first words hold the lowest
frequencies, which survive most. For most pairs, one half of the bits is enough: more bits differ
there than may differ altogether.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from sigseek.storage.perceptual_hash import Bits
from sigseek.storage.records.arrays import Rows

_WORDS = 16
_VALUES = 1 << 16
_TOGETHER = 200_000
"""Pairs that are compared at a time, so that they fit the processor's cache."""
_ALL_COMPARED = 4_000_000
"""Up to so many pairs, all are compared: those of 2,000 pictures with each other, or of four new
ones with a million.
"""
_HALVES = (0, 1), (2, 3)
"""The quarters of a hash, 64 bits each, that make its halves."""
_MOST_IN_BUCKET = 64
"""How many times as large as the average the bucket of a word's value may be. Words in larger
buckets are too common to say anything.
"""


Quarters: TypeAlias = list[npt.NDArray[np.uint64]]


@dataclass(frozen=True)
class HashPairs:
    """Pairs of rows with similar hashes."""

    asked: Rows
    """The places (n,) of the hashes that were asked about, among all that were."""
    found: Rows
    """The rows (n,) in the index of the hashes that are similar to them."""
    distances: Rows
    """How many bits differ, (n,)."""


class HashIndex:
    """The hashes of many pictures, arranged by the words that they are made of."""

    def __init__(self, bits: Bits) -> None:
        self._count = len(bits)
        self._quarters = _quarters(bits)
        words = bits.view(np.uint16)
        self._most = _MOST_IN_BUCKET * (1 + len(bits) // _VALUES)
        self._orders = []
        self._starts = []
        for word in range(_WORDS):
            values = words[:, word]
            self._orders.append(np.argsort(values, kind="stable").astype(np.int32))
            counts = np.bincount(values, minlength=_VALUES)
            self._starts.append(np.concatenate([[0], np.cumsum(counts)]))

    def similar(
        self, asked: Bits, most: int, *, rows: Rows | None = None, only_earlier: bool = False
    ) -> HashPairs:
        """Return the pairs of hashes that differ in `most` bits at most, each once.

        `rows` has the row in the index that each asked hash (n, 32) is about; None if they are not
        in the index. A row is not paired with itself, and with `only_earlier` only with rows before
        it.
        """
        if rows is None:
            rows = np.full(len(asked), -1)
        if len(asked) * self._count <= _ALL_COMPARED:
            parts = self._among_all(_quarters(asked), rows, most, only_earlier=only_earlier)
        else:
            find = partial(
                self._with_common_word, asked, _quarters(asked), rows, most,
                only_earlier=only_earlier,
            )  # fmt: skip
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                parts = [part for of_word in threads.map(find, range(_WORDS)) for part in of_word]
        if not parts:
            nothing = np.empty(0, np.int64)
            return HashPairs(nothing, nothing, nothing)
        one, other, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
        _, first = np.unique(one * self._count + other, return_index=True)
        return HashPairs(one[first], other[first], distance[first])

    def _among_all(
        self, quarters: Quarters, rows: Rows, most: int, *, only_earlier: bool
    ) -> list[tuple[Rows, Rows, Rows]]:
        """Return the similar pairs: the places of those asked about, the rows found, and the
        distances.
        """
        found = []
        together = max(1, _TOGETHER // max(1, self._count))
        for begin in range(0, len(rows), together):
            some = np.arange(begin, min(begin + together, len(rows)))
            which = np.repeat(some, self._count)
            other = np.tile(np.arange(self._count), len(some))
            kept = other < rows[which] if only_earlier else other != rows[which]
            found.append(self._near_enough(0, quarters, which[kept], other[kept], most))
        return found

    def _with_common_word(
        self,
        asked: Bits,
        quarters: Quarters,
        rows: Rows,
        most: int,
        word: int,
        *,
        only_earlier: bool,
    ) -> list[tuple[Rows, Rows, Rows]]:
        """Return the similar pairs that have this word in common: the places of those asked about,
        the rows found, and the distances.
        """
        values = asked.view(np.uint16)[:, word].astype(
            np.int64
        )  # 16 bits could not hold values + 1
        starts, order = self._starts[word], self._orders[word]
        first, counts = starts[values], starts[values + 1] - starts[values]
        counts[counts > self._most] = 0
        ends = np.cumsum(counts)
        found = []
        begin = 0
        while begin < len(asked):
            before = ends[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(ends, before + _TOGETHER, "right")))
            some = counts[begin:end]
            which = np.repeat(np.arange(begin, end), some)
            within = np.arange(len(which)) - np.repeat(np.cumsum(some) - some, some)
            other = order[first[which] + within].astype(np.int64)
            one = rows[which]
            kept = other < one if only_earlier else other != one
            found.append(self._near_enough(word, quarters, which[kept], other[kept], most))
            begin = end
        return found

    def _near_enough(
        self, word: int, quarters: Quarters, which: Rows, other: Rows, most: int
    ) -> tuple[Rows, Rows, Rows]:
        """Return those of the pairs that differ in `most` bits at most, and their distances. The
        half of the hash without this word, which they may have in common, is compared first.
        """
        distance = np.zeros(len(which), np.int64)
        # Hashes of other pictures differ in half of the bits, but not in those of the common word.
        with_word = word // (_WORDS // 2)
        for half in (_HALVES[1 - with_word], _HALVES[with_word]):
            for quarter in half:
                bits = quarters[quarter].take(which) ^ self._quarters[quarter].take(other)
                distance += np.bitwise_count(bits)
            alike = np.flatnonzero(distance <= most)
            which, other, distance = which[alike], other[alike], distance[alike]
        return which, other, distance


def _quarters(bits: Bits) -> Quarters:
    """Return the hashes (n, 32) as four numbers (n,) of 64 bits."""
    return [np.ascontiguousarray(quarter) for quarter in bits.view(np.uint64).T]
