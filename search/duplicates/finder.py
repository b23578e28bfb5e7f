"""Finding duplicates among the photos of a library."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.search.duplicates.close_look import CloseLook, Seen
from sigseek.search.duplicates.copies import Copies, in_group
from sigseek.search.duplicates.embedding_pairs import alike_pairs, embedding_pairs
from sigseek.search.duplicates.embedding_pairs import pairs_among as embedding_pairs_among
from sigseek.search.duplicates.finer_look import FinerLook, Pictures
from sigseek.search.duplicates.groups import Pair, ordered, star_groups
from sigseek.search.duplicates.keeping import FileNow
from sigseek.search.duplicates.looking import LOOKED_TOGETHER, in_threads
from sigseek.search.duplicates.neighbours import exact_cosines
from sigseek.search.duplicates.pairs import NOTHING_UNKEPT, UnkeptPairs, pairs_among
from sigseek.search.duplicates.results import DuplicateGroup, DuplicateKind, DuplicatePhoto
from sigseek.search.duplicates.sketch_rows import read_rows
from sigseek.storage import CatalogReader, CheckpointRecord
from sigseek.storage.perceptual_hash import ORIENTATIONS, distances, turned_bits
from sigseek.storage.records.arrays import Ids, Rows


class ComparingProgress:
    """Tells a listener how many photos were compared, in `Phase.COMPARING`. The number only rises.

    Half of the work is counted for hashes, and half for embeddings.
    """

    def __init__(self, listener: Listener, photos: int) -> None:
        self._listener = listener
        self._photos = photos
        self._told = -1
        self._tell(0)

    def compared_by_hash(self, photos: int) -> None:
        """Tell how many photos were compared by their hashes."""
        self._tell(photos // 2)

    def compared_by_embedding(self, photos: int) -> None:
        """Tell how many photos were compared by their embeddings, too."""
        self._tell((self._photos + photos) // 2)

    def finish(self) -> None:
        """Tell that all photos were compared."""
        self._tell(self._photos)

    def _tell(self, photos: int) -> None:
        photos = min(photos, self._photos)
        if photos > self._told:
            self._told = photos
            self._listener.advanced(Progress(Phase.COMPARING, photos, self._photos))


class DuplicateFinder:
    """Finds the duplicates among some photos. `ids` are ascending, and each photo has a file."""

    def __init__(
        self,
        catalog: CatalogReader,
        checkpoint: CheckpointRecord,
        ids: Ids,
        prefer: Sequence[Path],
        pictures: Pictures,
        progress: ComparingProgress,
        stop: Stop,
        *,
        whole: bool = True,
        unkept: UnkeptPairs = NOTHING_UNKEPT,
    ) -> None:
        """Prepare to find duplicates. `pictures` gives thumbnails for finer looks. `whole` tells
        whether the photos are all that have a file. Only then the pairs that the catalog keeps are
        all. `unkept` has what was found right before and could not be kept.
        """
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._ids = ids
        self._progress = progress
        self._stop = stop
        self._whole = whole
        self._unkept = unkept
        self._finer = FinerLook(pictures)
        self._rows = read_rows(catalog, ids, stop)
        self._copies = Copies(catalog, self._rows, prefer)

    def find(self, kinds: Sequence[DuplicateKind]) -> list[DuplicateGroup]:
        """Return the groups of these kinds, the surest kind first."""
        groups: list[DuplicateGroup] = []
        if "identical" in kinds:
            groups += self._identical()
        if "near" in kinds or "alike" in kinds:
            near, alike = self._near_and_alike(with_alike="alike" in kinds)
            groups += near if "near" in kinds else []
            groups += alike if "alike" in kinds else []
        return groups

    def _identical(self) -> Iterator[DuplicateGroup]:
        several = np.intersect1d(self._catalog.photos_with_copies(), self._ids).tolist()
        photos = self._catalog.photos(several)
        self._copies.look_at_files(several)
        for id_ in several:
            by_inode: dict[object, list[FileNow]] = {}
            for file in self._copies.files[id_]:
                by_inode.setdefault(file.inode or file.path, []).append(file)
            if len(by_inode) < 2 or id_ not in photos:
                continue
            files = [min(names, key=self._copies.file_rank) for names in by_inode.values()]
            files.sort(key=self._copies.file_rank)
            why = self._copies.file_reason(files[0], files[1])
            yield DuplicateGroup(
                "identical",
                tuple(
                    in_group(
                        photos[id_],
                        file,
                        by_inode[file.inode or file.path],
                        why if file is files[0] else None,
                        distance=0,
                        cosine=1.0,
                    )
                    for file in files
                ),
            )

    def _near_and_alike(
        self, *, with_alike: bool
    ) -> tuple[list[DuplicateGroup], list[DuplicateGroup]]:
        near = pairs_among(
            self._catalog,
            self._rows,
            self._ids,
            self._finer,
            self._stop,
            self._progress.compared_by_hash,
            self._unkept,
        )
        looked_at = sorted(near)
        near -= self._other_times(near)
        maybe_more = self._with_more_pictures(near)
        near -= maybe_more
        alike = maybe_more | self._alike_by_embedding(looked_at) if with_alike else set()
        self._copies.learn(sorted({id_ for pair in (*near, *alike) for id_ in pair}), near)
        ranks = self._copies.ranks
        distinct = self._catalog.distinct_pairs()
        near_groups = star_groups(near, ranks, distinct, self._same_shot)
        best = {id_: group[0] for group in near_groups for id_ in group}
        between = {
            ordered(best.get(one, one), best.get(other, other))
            for one, other in alike
            if best.get(one, one) != best.get(other, other)
        }
        alike_groups = star_groups(between, ranks, distinct)
        self._progress.finish()
        return (
            self._groups("near", near_groups),
            self._groups("alike", alike_groups),
        )

    def _alike_by_embedding(self, looked_at: Sequence[Pair]) -> set[Pair]:
        """Return the pairs that embeddings tell to be of one scene. Pairs that their hashes led to
        may be among them, and are not looked at closely again.

        Where only the embedding led to a pair, one in ten to twenty that look like one shot are
        two. People delete what is called near, so these are alike.
        """
        checkpoint, told = self._checkpoint.id, self._progress.compared_by_embedding
        if self._whole:
            pairs, usual = embedding_pairs(self._catalog, checkpoint, self._stop, told)
            of_files = np.isin(pairs.one, self._ids) & np.isin(pairs.other, self._ids)
            pairs = pairs.part(of_files)
        else:
            pairs, usual = embedding_pairs_among(
                self._catalog, checkpoint, self._ids, self._stop, told
            )
        no_look = np.array(looked_at, np.int64).reshape(-1, 2)
        alike = alike_pairs(self._catalog, self._rows, pairs, usual, no_look, self._stop)
        return set(zip(alike.one.tolist(), alike.other.tolist(), strict=True))

    def _other_times(self, pairs: Collection[Pair]) -> set[Pair]:
        """Return the pairs whose cameras say that they were taken at different times. These are two
        shots, even if they look like one.
        """
        times = self._catalog.shot_times(sorted({id_ for pair in pairs for id_ in pair}))
        return {
            (one, other)
            for one, other in pairs
            if one in times and other in times and times[one] != times[other]
        }

    def _with_more_pictures(self, pairs: Collection[Pair]) -> set[Pair]:
        """Return the pairs with an animation or a file of several pages. Only the first picture is
        known, so the file must not be called a copy of that.
        """
        ids = sorted({id_ for pair in pairs for id_ in pair})
        several = self._catalog.photos_of_several_pictures(ids)
        return {pair for pair in pairs if not several.isdisjoint(pair)}

    def _same_shot(self, pairs: Sequence[Pair]) -> list[bool]:
        """Return which of the pairs are one shot by what they look like and by their times."""
        other_times = self._other_times(pairs)
        alike = self._look_same([pair for pair in pairs if pair not in other_times])
        return [pair not in other_times and next(alike) for pair in pairs]

    def _look_same(self, pairs: Sequence[Pair]) -> Iterator[bool]:
        """Return which of the pairs look like one shot."""
        parts = [
            np.array(pairs[first : first + LOOKED_TOGETHER], np.int64)
            for first in range(0, len(pairs), LOOKED_TOGETHER)
        ]
        for some, (seen, owners) in zip(parts, in_threads(self._looks(parts)), strict=True):
            same = np.zeros(len(some), bool)
            same[owners[seen.confirmed(self._finer)]] = True
            yield from same.tolist()

    def _looks(self, parts: Sequence[Ids]) -> Iterator[Callable[[], tuple[Seen, Rows]]]:
        for some in parts:
            self._stop.check()
            look = CloseLook(self._catalog, self._rows, np.unique(some))
            yield partial(look.seen_of_pairs, some)

    def _groups(self, kind: DuplicateKind, groups: Sequence[Sequence[int]]) -> list[DuplicateGroup]:
        """Return groups of photos, the one to keep first in each."""
        keep = np.array([ids[0] for ids in groups for _ in ids], np.int64)
        others = np.array([id_ for ids in groups for id_ in ids], np.int64)
        cosines = exact_cosines(self._catalog, self._checkpoint.id, keep, others, self._stop)
        likeness = iter(zip(self._distances(keep, others), cosines.tolist(), strict=True))
        return [
            DuplicateGroup(kind, tuple(self._in_group(ids, id_, *next(likeness)) for id_ in ids))
            for ids in groups
        ]

    def _in_group(
        self, ids: Sequence[int], id_: int, distance: int | None, cosine: float
    ) -> DuplicatePhoto:
        """Return one of the photos of a group, of which the first is the one to keep."""
        copy = self._copies.by_id[id_]
        return in_group(
            copy.photo,
            copy.file,
            self._copies.files[id_],
            self._copies.reason(ids) if id_ == ids[0] else None,
            distance=distance,
            cosine=None if math.isnan(cosine) else min(cosine, 1.0),
        )

    def _distances(self, one: Ids, other: Ids) -> list[int | None]:
        """Return in how many bits the hashes of photos differ, turned as they are nearest, and with
        their plain margins or without. None is returned for a pair without hashes.
        """
        first, second = self._rows.of_photos(one), self._rows.of_photos(other)
        known = np.flatnonzero((first[0] >= 0) & (second[0] >= 0))
        bits = self._rows.bits
        apart = [
            distances(turned, bits[asked[known]])
            for rows in first
            for way in range(len(ORIENTATIONS))
            for turned in [turned_bits(bits[rows[known]], way)]
            for asked in second
        ]
        least: list[int | None] = [None] * len(one)
        for place, bits_apart in zip(known.tolist(), np.min(apart, axis=0).tolist(), strict=True):
            least[place] = bits_apart
        return least
