"""Pairs of photos that look like one shot, led to by their perceptual hashes.

The catalog keeps the pairs, so that photos are compared once: later only new ones are compared with
each other and with all others.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.search.duplicates.candidates import HashIndex
from sigseek.search.duplicates.close_look import CloseLook, Seen
from sigseek.search.duplicates.finer_look import FinerLook, Pictures
from sigseek.search.duplicates.groups import Pair, ordered
from sigseek.search.duplicates.looking import LOOKED_TOGETHER, in_threads
from sigseek.search.duplicates.nearer_shot import farther_pairs
from sigseek.search.duplicates.overlays import Overlays
from sigseek.search.duplicates.sketch_rows import KeptLevels, SketchRows, read_rows, row_sizes
from sigseek.storage import Catalog, CatalogReader
from sigseek.storage.perceptual_hash import (
    CROPS,
    LEAST_QUALITY,
    ORIENTATIONS,
    TURNS,
    turned_bits,
)
from sigseek.storage.records.arrays import Ids, Rows

PAIRS_VERSION = 7
"""Raise it when the same hashes and sketches would give other pairs. All photos are then compared
again.
"""
MOST_DIFFERENT = 56
"""The most bits in which the hashes of two photos may differ for a close look."""
_BLOCK = 200_000
"""Photos that are compared with all others and stored together. A run that is interrupted loses one
block at most.
"""

Told = Callable[[int], None]
"""A function that is called with how many photos were compared."""
Writing = Callable[[], AbstractContextManager[None]]
"""A function that returns a context in which the library's writer lock is held. Entering it raises
LibraryError at once if the lock cannot be had.
"""


@dataclass(frozen=True)
class UnkeptPairs:
    """Pairs of photos that were compared and stay to be compared, because a finer look had no
    picture of them.
    """

    photos: Ids
    """These photos, ascending."""
    pairs: frozenset[Pair]
    """Their pairs with each other and with the photos `compared`, as far as sketches tell."""
    compared: Ids
    """The photos with which they were compared, ascending."""


NOTHING_UNKEPT = UnkeptPairs(np.empty(0, np.int64), frozenset(), np.empty(0, np.int64))


def keep_pairs(
    catalog: Catalog, pictures: Pictures, writing: Writing, stop: Stop, told: Told
) -> UnkeptPairs:
    """Compare all photos that were not compared yet, and keep their pairs in the catalog.

    Comparing may take minutes. So the library's writer lock is held only while pairs are stored, a
    block of photos at a time. Raises what `writing` raises where the lock cannot be had; the blocks
    that were stored before are kept.

    Where a finer look was needed and `pictures` had none of a photo, such as on an unplugged drive,
    the photo stays to be compared. What was found of such photos of the last block is returned, so
    that a search right after need not compare them again.
    """
    done, unkept = 0, NOTHING_UNKEPT
    finer = FinerLook(pictures)
    while True:
        with catalog.snapshot() as moment:
            ids, compared = moment.photos_with_files(), moment.compared_photos(PAIRS_VERSION)
            new = np.setdiff1d(np.setdiff1d(ids, compared), list(finer.unseen))
            if not len(new):
                return unkept
            rows = read_rows(moment, np.union1d(ids, compared), stop)
            # A photo without a hash stays to be compared.
            block = new[np.isin(new, rows.ids)][:_BLOCK]
            if not len(block):
                return unkept
            with writing():  # where nothing can be stored, nothing is compared in vain
                pass
            tell = partial(_told_from, told, done)
            pairs = pairs_with(moment, rows, block, compared, finer, stop, tell)
            known = _known_pairs(moment, compared)
            farther = farther_pairs(moment, rows, pairs, known, finer, stop)
        with writing():
            unseen = np.intersect1d(block, list(finer.unseen))
            seen = np.setdiff1d(block, unseen)
            done += _store(catalog, seen, compared, pairs, farther)
        of_unseen = _with_any(pairs, unseen) - farther
        unkept = UnkeptPairs(unseen, frozenset(of_unseen), np.union1d(compared, block))


def _store(
    catalog: Catalog, block: Ids, compared: Ids, pairs: Collection[Pair], farther: Collection[Pair]
) -> int:
    """Store the pairs of a block of photos but for those that are `farther`, of which some may have
    been stored before, and return how many photos the block has. It was compared with itself and
    the photos `compared`, and the writer lock was not held meanwhile.

    If somebody else has compared other photos since, nothing is stored: no one has compared those
    with the block.
    """
    if len(np.setdiff1d(catalog.compared_photos(PAIRS_VERSION), compared)):
        return 0
    there = catalog.picture_sizes(sorted({id_ for pair in pairs for id_ in pair}))
    near = [pair for pair in pairs if pair[0] in there and pair[1] in there]
    kept = [pair for pair in near if pair not in farther]
    with catalog.transaction() as transaction:
        transaction.forget_near_pairs(PAIRS_VERSION)
        transaction.remove_near_pairs(farther)
        transaction.put_near_pairs(block.tolist(), kept, PAIRS_VERSION)
    return len(block)


def pairs_among(
    catalog: CatalogReader,
    rows: SketchRows,
    ids: Ids,
    finer: FinerLook,
    stop: Stop,
    told: Told,
    unkept: UnkeptPairs = NOTHING_UNKEPT,
) -> set[Pair]:
    """Return the pairs among these photos: those that the catalog keeps, the `unkept` ones, and
    those of photos that were not compared yet.
    """
    compared = catalog.compared_photos(PAIRS_VERSION)
    if len(np.setdiff1d(compared, unkept.compared)):
        unkept = NOTHING_UNKEPT  # somebody has compared others since
    compared = np.intersect1d(np.union1d(compared, unkept.photos), ids)
    known = _known_pairs(catalog, compared) | _among(unkept.pairs, compared)
    new = np.setdiff1d(ids, compared)
    found = pairs_with(catalog, rows, new, compared, finer, stop, told)
    return (known | found) - farther_pairs(catalog, rows, found, known, finer, stop)


def _known_pairs(catalog: CatalogReader, compared: Ids) -> set[Pair]:
    """Return the pairs that the catalog keeps of photos that were compared."""
    kept = catalog.near_pairs()
    kept = kept[np.isin(kept, compared).all(axis=1)]
    return {(one, other) for one, other in kept.tolist()}


def _among(pairs: Collection[Pair], ids: Ids) -> set[Pair]:
    """Return the pairs of which both photos are among these."""
    there = set(ids.tolist())
    return {(one, other) for one, other in pairs if one in there and other in there}


def _with_any(pairs: Collection[Pair], ids: Ids) -> set[Pair]:
    """Return the pairs of which a photo is among these."""
    there = set(ids.tolist())
    return {(one, other) for one, other in pairs if one in there or other in there}


def pairs_with(
    catalog: CatalogReader,
    rows: SketchRows,
    new: Ids,
    compared: Ids,
    finer: FinerLook,
    stop: Stop,
    told: Told,
) -> set[Pair]:
    """Return the pairs of new photos with each other and with those that were compared before."""
    comparison = _Comparison(catalog, rows, new, compared, finer, stop)
    pairs: set[Pair] = set()
    for step, overlays in enumerate(comparison.guesses()):
        stop.check()
        pairs |= comparison.confirmed(overlays, pairs)
        told((step + 1) * len(new) // comparison.steps)
    return pairs


def _told_from(told: Told, before: int, photos: int) -> None:
    """Tell how many photos were compared, those of the blocks before included."""
    told(before + photos)


class _Comparison:
    """A comparison of new photos with each other and with others."""

    def __init__(
        self,
        catalog: CatalogReader,
        rows: SketchRows,
        new: Ids,
        compared: Ids,
        finer: FinerLook,
        stop: Stop,
    ) -> None:
        rich = rows.quality >= LEAST_QUALITY
        self._catalog = catalog
        self._all = rows
        self._levels = KeptLevels(catalog, rows)
        self._finer = finer
        self._stop = stop
        self._known = np.flatnonzero(rich & np.isin(rows.ids, compared))
        self._new = np.flatnonzero(rich & np.isin(rows.ids, new))
        self.steps = len(ORIENTATIONS) + 2 * len(CROPS) + len(TURNS)
        """How many times `guesses` yields."""

    def guesses(self) -> Iterator[Overlays]:
        """Yield guesses that one picture lies in another one, by their hashes: turned in each way,
        as each crop of the other, and turned a little.
        """
        rows, new = self._all, self._new
        if not len(new):
            return
        everyone = np.concatenate([self._known, new])
        among_all, among_new = HashIndex(rows.bits[everyone]), HashIndex(rows.bits[new])
        places = len(self._known) + np.arange(len(new))
        for way in range(len(ORIENTATIONS)):
            asked = turned_bits(rows.bits[new], way)
            found = among_all.similar(asked, MOST_DIFFERENT, rows=places, only_earlier=True)
            yield Overlays.of_pairs(new[found.asked], everyone[found.found], way)
        for number, scale in enumerate(CROPS):
            found = among_all.similar(rows.variants[new, number], MOST_DIFFERENT, rows=places)
            yield Overlays.of_pairs(new[found.asked], everyone[found.found], 0, scale)
            found = among_new.similar(rows.variants[self._known, number], MOST_DIFFERENT)
            yield Overlays.of_pairs(self._known[found.asked], new[found.found], 0, scale)
        for number, degrees in enumerate(TURNS, len(CROPS)):
            # If one is the other turned by 3 degrees, then the other is the one by -3.
            found = among_all.similar(rows.variants[new, number], MOST_DIFFERENT, rows=places)
            around = new[found.asked]
            sizes = self._catalog.picture_sizes(np.unique(rows.ids[around]).tolist())
            shapes = np.divide(*row_sizes(rows, around, sizes).T[::-1])
            yield Overlays.turned(around, everyone[found.found], degrees, shapes)

    def confirmed(self, overlays: Overlays, known: Collection[Pair]) -> set[Pair]:
        """Return the pairs of photos that a close look at the guesses finds to be one shot, without
        the known ones.
        """
        overlays = overlays.part(self._not_among(known, overlays.around, overlays.inside))
        parts = overlays.in_parts(LOOKED_TOGETHER)
        found: set[Pair] = set()
        ids = self._all.ids
        for some, seen in zip(parts, in_threads(self._looks(parts)), strict=True):
            one, other = ids[some.around], ids[some.inside]
            same = seen.confirmed(self._finer)
            found |= set(map(ordered, one[same].tolist(), other[same].tolist()))
        return found

    def _looks(self, parts: Sequence[Overlays]) -> Iterator[Callable[[], Seen]]:
        for some in parts:
            self._stop.check()
            photos = self._all.ids[np.concatenate([some.around, some.inside])]
            look = CloseLook(self._catalog, self._all, np.unique(photos), self._levels)
            yield partial(look.seen, some)

    def _not_among(self, pairs: Collection[Pair], one: Rows, other: Rows) -> Rows:
        """Return the places of the pairs of rows that belong to two photos whose pair is not known
        yet.
        """
        first, second = self._all.ids[one], self._all.ids[other]
        known = [
            ordered(*pair) in pairs for pair in zip(first.tolist(), second.tolist(), strict=True)
        ]
        new: npt.NDArray[np.int64] = np.flatnonzero((first != second) & ~np.array(known, bool))
        return new
