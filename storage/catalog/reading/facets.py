"""Questions about how many photos have each year, camera, place and so on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, func, select, union_all

from sigseek.storage.catalog.facet_block import BLOCK_KINDS, PHOTOS, SHIFT, FacetBlock
from sigseek.storage.catalog.reading.counts import count_photos
from sigseek.storage.catalog.reading.facet_blocks import (
    kept_blocks,
    lacking_numbers,
    newest_block,
    photo_values,
    right_blocks,
)
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.reading.tags import given_photos, judged_photos, names_of_tags
from sigseek.storage.catalog.tables import FACET_BLOCK, FOLDER, HAND_TAG, PHOTO, TAG
from sigseek.storage.facets import FacetKind, FacetValue

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_Counts: TypeAlias = Counter[Any]
"""How many photos have each value. A value of "folder" is a tuple with the ids of all folders that
a photo is in.
"""

_FEW = 80
"""The rows of so many photos are read in the time that a block takes."""
_TOGETHER = 20_000
"""The number of photos that one question is about."""


class FacetReader(Reader):
    """Questions about how many photos have each value of a kind."""

    def count_photos_by(
        self, kinds: Sequence[FacetKind], among: Ids | None = None
    ) -> dict[FacetKind, dict[FacetValue, int]]:
        """Return how many photos have each value of these kinds that any of them has, in no order.
        `among` has the ids of the photos to count, ascending; None means all.

        A photo with files in several folders, or with several tags, counts for each of them. A date
        that tells no month counts for its year, such as "1978", among the months too.
        """
        if among is not None:
            return self._count(kinds, among)
        kept = self._once(("counts", *kinds), lambda: self._count(kinds, None))
        return {kind: dict(counts) for kind, counts in kept.items()}

    def lacking_facet_blocks(self) -> list[int]:
        """Return the numbers of the blocks that are not there, the newest first. The rows of their
        photos have to be read to count them.
        """
        with self._connect() as connection:
            return lacking_numbers(connection)

    def wrong_facet_blocks(self) -> dict[int, list[FacetKind]]:
        """Return the numbers of the blocks that are kept and not as the rows of photos and files
        have them, with the kinds of which this is so.
        """
        wrong: defaultdict[int, list[FacetKind]] = defaultdict(list)
        with self._connect() as connection:
            for number in connection.scalars(select(FACET_BLOCK.c.number).distinct()).all():
                right = right_blocks(connection, self._dialect, number)
                for _, kind, block in kept_blocks(connection, self._dialect, [number]):
                    if block.written() != right[kind].written():
                        wrong[number].append(kind)
        return wrong

    def count_all_photos(self) -> int:
        """Return the number of photos, with and without files."""
        with self._connect() as connection:
            return count_photos(connection)

    def _count(
        self, kinds: Sequence[FacetKind], among: Ids | None
    ) -> dict[FacetKind, dict[FacetValue, int]]:
        # The months tell the years, too, and each photo has one format, so the sum is theirs.
        wanted = {"month" if kind == "year" else kind for kind in kinds} | {"format"}
        in_blocks = [kind for kind in BLOCK_KINDS if kind in wanted]
        with self._connect() as connection:
            counts = self._count_in_blocks(connection, in_blocks, among)
            if "year" in kinds:
                counts["year"] = _by_year(counts["month"])
            if "folder" in kinds:
                counts["folder"] = _by_path(connection, counts["folder"])
            if "tag" in kinds:
                counts["tag"] = self._by_tag(connection, counts["format"].total(), among)
        return {
            kind: {value: photos for value, photos in counts[kind].items() if photos}
            for kind in kinds
        }

    def _count_in_blocks(
        self, connection: Connection, kinds: Sequence[FacetKind], among: Ids | None
    ) -> dict[FacetKind, _Counts]:
        """Return the counts of kinds that blocks are made of. The rows are read of photos that are
        few in their block, or whose block is not there.
        """
        import numpy as np

        counts: dict[FacetKind, _Counts] = {kind: Counter() for kind in kinds}
        by_rows: list[Ids] = [np.zeros(0, np.int64)]
        places: dict[int, Ids | None] = {}
        if among is None:
            places = dict.fromkeys(range(newest_block(connection) + 1))
        else:
            numbers, starts = np.unique(among >> SHIFT, return_index=True)
            for number, ids in zip(numbers.tolist(), np.split(among, starts[1:]), strict=False):
                if len(ids) < _FEW:
                    by_rows.append(ids)
                else:
                    places[number] = ids % PHOTOS
        kept = kept_blocks(connection, self._dialect, list(places), kinds)
        for number, of_number in groupby(kept, key=itemgetter(0)):
            blocks = {kind: block for _, kind, block in of_number}
            if len(blocks) == len(kinds):
                _count_block(counts, blocks, places.pop(number))
        for number, chosen in places.items():
            if chosen is None:
                _count_block(counts, right_blocks(connection, self._dialect, number, kinds), None)
            else:
                by_rows.append((number << SHIFT) + chosen)
        ids = np.concatenate(by_rows)
        for first in range(0, len(ids), _TOGETHER):
            self._count_rows(connection, ids[first : first + _TOGETHER], counts)
        return counts

    def _count_rows(
        self, connection: Connection, ids: Ids, counts: dict[FacetKind, _Counts]
    ) -> None:
        """Add the photos with these ids to the counts."""
        given = {"ids": self._dialect.ids(ids.tolist())}
        _, values = photo_values(
            connection,
            self._dialect,
            lambda id_: self._dialect.is_among(id_, "ids"),
            list(counts),
            given,
        )
        for kind, of_kind in values.items():
            counts[kind].update(of_kind)

    def _by_tag(self, connection: Connection, photos: int, among: Ids | None) -> _Counts:
        """Return how many of the photos have each tag. `photos` is how many they are."""
        names = list(connection.scalars(names_of_tags()))
        if not names:
            return Counter({None: photos})
        if among is not None and len(among) <= _TOGETHER:
            counts = self._tags_of_few(connection, among)
        else:
            counts = self._tags_of_many(connection, names, among)
        counts[None] = photos - counts[None]
        return counts

    def _tags_of_few(self, connection: Connection, ids: Ids) -> _Counts:
        """Return how many of the photos with these ids have each tag, and with None how many have
        any.
        """
        given = {"ids": self._dialect.ids(ids.tolist())}
        judged = judged_photos().where(self._dialect.is_among(TAG.c.photo_id, "ids"))
        by_hand = given_photos().where(self._dialect.is_among(HAND_TAG.c.photo_id, "ids"))
        counts: _Counts = Counter()
        for chosen, name in ((judged, TAG.c.name), (by_hand, HAND_TAG.c.name)):
            by_name = chosen.with_only_columns(name, func.count()).group_by(name)
            counts.update(dict(connection.execute(by_name, given).all()))
        either = union_all(judged, by_hand).subquery()
        any_tag = select(func.count(either.c.photo_id.distinct()))
        counts[None] = connection.scalar(any_tag, given) or 0
        return counts

    def _tags_of_many(
        self, connection: Connection, names: Sequence[str], among: Ids | None
    ) -> _Counts:
        """Return the same from the ids of all photos with each tag, which are read faster than the
        tags of each photo.
        """
        import numpy as np

        newest = connection.scalar(select(func.max(PHOTO.c.id))) or 0
        is_counted = np.full(newest + 1, among is None)
        if among is not None:
            is_counted[among[among <= newest]] = True
        is_tagged = np.zeros(newest + 1, np.bool_)
        counts: _Counts = Counter()
        for name in names:
            for query in (judged_photos(name), given_photos(name)):
                for ids in self._dialect.fetch_ids(connection, query):
                    tagged = ids[is_counted[ids]]
                    counts[name] += len(tagged)
                    is_tagged[tagged] = True
        counts[None] = int(is_tagged.sum())
        return counts


def _count_block(
    counts: dict[FacetKind, _Counts], blocks: dict[FacetKind, FacetBlock], places: Ids | None
) -> None:
    """Add the photos of a block in these places to the counts; None means all."""
    for kind, block in blocks.items():
        counts[kind].update(block.counts(places))


def _by_year(months: _Counts) -> _Counts:
    """Return the counts by year of what was counted by month. Some dates tell a year alone."""
    counts: _Counts = Counter()
    for month, photos in months.items():
        counts[None if month is None else month[: len("1978")]] += photos
    return counts


def _by_path(connection: Connection, folders: _Counts) -> _Counts:
    """Return how many photos have a file in each folder, by its path, and how many have none."""
    paths = dict(connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all())
    counts: _Counts = Counter({None: folders[()]})
    for ids, photos in folders.items():
        for id_ in paths.keys() & set(ids):
            counts[paths[id_]] += photos
    return counts
