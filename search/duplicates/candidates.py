"""Pairs of pictures whose perceptual hashes are alike, found without comparing all with all.

The 256 bits are cut into 16 words. Two hashes that differ in fewer than 16 bits have a word in
common, and pictures that differ in many more mostly have one, too: the first words hold the lowest
frequencies, which survive most. So only hashes with a common word are compared.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sigseek.storage.perceptual_hash import Bits, distances
from sigseek.storage.records.arrays import Rows

_WORDS = 16
_VALUES = 1 << 16
_TOGETHER = 2_000_000
"""Pairs that are compared at a time."""
_MOST_IN_BUCKET = 64
"""How many times larger than the average a bucket of a word's value may be. The words in larger
buckets are too common to say anything.
"""


@dataclass(frozen=True)
class HashPairs:
    """Pairs of rows with like hashes."""

    asked: Rows
    """The places (n,) of the hashes that were asked about, among all that were."""
    found: Rows
    """The rows (n,) in the index of the hashes that are like them."""
    distances: Rows
    """How many bits differ, (n,)."""


class HashIndex:
    """The hashes of many pictures, arranged by the words that they are made of."""

    def __init__(self, bits: Bits) -> None:
        self._bits = bits
        self._words = bits.view(np.uint16)
        self._most = _MOST_IN_BUCKET * (1 + len(bits) // _VALUES)
        self._orders = []
        self._starts = []
        for word in range(_WORDS):
            values = self._words[:, word]
            self._orders.append(np.argsort(values, kind="stable").astype(np.int32))
            counts = np.bincount(values, minlength=_VALUES)
            self._starts.append(np.concatenate([[0], np.cumsum(counts)]))

    def like(
        self, asked: Bits, most: int, *, rows: Rows | None = None, only_earlier: bool = False
    ) -> HashPairs:
        """Return the pairs of hashes that differ in `most` bits at most, each once.

        `rows` has the row in the index that each asked hash (n, 32) is about; None if they are not
        in the index. A row is not paired with itself, and with `only_earlier` only with rows before
        it.
        """
        if rows is None:
            rows = np.full(len(asked), -1)
        parts = [
            part
            for word in range(_WORDS)
            for part in self._common(word, asked, rows, most, only_earlier=only_earlier)
        ]
        if not parts:
            nothing = np.empty(0, np.int64)
            return HashPairs(nothing, nothing, nothing)
        one, other, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
        _, first = np.unique(one * len(self._bits) + other, return_index=True)
        return HashPairs(one[first], other[first], distance[first])

    def _common(
        self, word: int, asked: Bits, rows: Rows, most: int, *, only_earlier: bool
    ) -> Iterator[tuple[Rows, Rows, Rows]]:
        """Yield the like pairs that have this word in common: places among those asked about, rows
        found, distances.
        """
        values = asked.view(np.uint16)[:, word].astype(np.int64)  # one more may not fit otherwise
        starts, order = self._starts[word], self._orders[word]
        first, counts = starts[values], starts[values + 1] - starts[values]
        counts[counts > self._most] = 0
        ends = np.cumsum(counts)
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
            which, other = which[kept], other[kept]
            distance = distances(asked[which], self._bits[other])
            alike = distance <= most
            yield which[alike], other[alike], distance[alike]
            begin = end
