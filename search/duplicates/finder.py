"""Finding duplicates among the photos of a library."""

import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.search.duplicates.close_look import CloseLook
from sigseek.search.duplicates.copies import Copies, in_group
from sigseek.search.duplicates.groups import Pair, ordered, star_groups
from sigseek.search.duplicates.keeping import FileNow
from sigseek.search.duplicates.neighbours import alike_pairs, exact_cosines
from sigseek.search.duplicates.pairs import pairs_among
from sigseek.search.duplicates.results import DuplicateGroup, DuplicateKind
from sigseek.search.duplicates.sketch_rows import read_rows
from sigseek.storage import CatalogReader, CheckpointRecord
from sigseek.storage.perceptual_hash import ORIENTATIONS, distances, turned_bits
from sigseek.storage.records.arrays import Ids

LOOKED_AT = 0.65
"""How near embeddings must be for a close look: 0 is the usual cosine of two photos of the library,
and 1 is that of equal ones.
"""
ALIKE = 0.8
"""How near embeddings must be, from 0 to 1 in the same way, for photos to be called alike."""
_PAIRS = 200
"""Pairs of photos that are looked at closely together."""


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
        """Tell that so many photos were compared by their hashes."""
        self._tell(photos // 2)

    def compared_by_embedding(self, photos: int) -> None:
        """Tell that so many photos were compared by their embeddings, too."""
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
        progress: ComparingProgress,
        stop: Stop,
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._ids = ids
        self._progress = progress
        self._stop = stop
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
            self._stop,
            self._progress.compared_by_hash,
        )
        near -= self._other_times(near)
        maybe_more = self._with_more_pictures(near)
        near -= maybe_more
        alike = maybe_more | self._alike_by_embedding(near) if with_alike else set()
        self._copies.learn(sorted({id_ for pair in (*near, *alike) for id_ in pair}), near)
        ranks = self._copies.ranks()
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
            [self._group("near", group) for group in near_groups],
            [self._group("alike", group) for group in alike_groups],
        )

    def _alike_by_embedding(self, near: Collection[Pair]) -> set[Pair]:
        """Return the pairs that embeddings tell to be of one scene. Those in `near`, which may be
        among them, are not looked at closely again.
        """
        pairs = alike_pairs(
            self._catalog,
            self._checkpoint.id,
            self._ids,
            LOOKED_AT,
            self._stop,
            self._progress.compared_by_embedding,
        )
        by_embedding = {
            (one, other): cosine
            for one, other, cosine in zip(
                pairs.one.tolist(), pairs.other.tolist(), pairs.cosines.tolist(), strict=True
            )
        }
        least = pairs.usual + ALIKE * (1 - pairs.usual)
        alike = {pair for pair, cosine in by_embedding.items() if cosine >= least}
        # Where only the embedding led to a pair, one in ten to twenty that look like one shot
        # are two. People delete what is called near, so these are alike.
        unsure = [pair for pair in by_embedding if pair not in near and pair not in alike]
        alike |= {pair for pair, same in zip(unsure, self._same_shot(unsure), strict=True) if same}
        return alike

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
        same: list[bool] = []
        for first in range(0, len(pairs), _PAIRS):
            self._stop.check()
            some = pairs[first : first + _PAIRS]
            look = CloseLook(self._catalog, self._rows, np.unique(np.array(some, np.int64)))
            same += look.same_shot(some)
        return iter(same)

    def _group(self, kind: DuplicateKind, ids: Sequence[int]) -> DuplicateGroup:
        """Return the group of these photos, the one to keep first."""
        keep = np.full(len(ids), ids[0], np.int64)
        others = np.array(ids, np.int64)
        cosines = exact_cosines(
            self._catalog, self._checkpoint.id, keep, others, self._stop
        ).tolist()
        copies = [self._copies.by_id[id_] for id_ in ids]
        why = self._copies.reason(ids)
        return DuplicateGroup(
            kind,
            tuple(
                in_group(
                    copy.photo,
                    copy.file,
                    self._copies.files[copy.photo.id],
                    why if place == 0 else None,
                    distance=self._distance(ids[0], copy.photo.id),
                    cosine=None if math.isnan(cosines[place]) else min(cosines[place], 1.0),
                )
                for place, copy in enumerate(copies)
            ),
        )

    def _distance(self, one: int, other: int) -> int | None:
        """Return in how many bits the hashes of two photos differ, turned as they are nearest, and
        with their plain margins or without.
        """
        whole, inner = self._rows.of_photos(np.array([one, other]))
        if (whole < 0).any():
            return None
        bits = self._rows.bits[[whole[0], inner[0]]]
        turned = np.concatenate([turned_bits(bits, way) for way in range(len(ORIENTATIONS))])
        return min(
            int(distances(turned, np.repeat(self._rows.bits[[row]], len(turned), axis=0)).min())
            for row in (whole[1], inner[1])
        )
