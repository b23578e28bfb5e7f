"""Questions about how many photos have each year, camera, place and so on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, func, select, union_all

from sigseek.storage.catalog.reading.counts import (
    count_files,
    count_files_by_folder,
    count_photos,
    count_photos_without_files,
    photos_without_files,
)
from sigseek.storage.catalog.reading.duplicates import photos_of_several_files
from sigseek.storage.catalog.reading.index_counts import (
    Counts,
    count_by_column,
    count_by_place,
    count_by_time,
)
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.reading.tags import given_photos, judged_photos
from sigseek.storage.catalog.tables import FILE, FOLDER, HAND_TAG, PHOTO, TAG
from sigseek.storage.facets import FacetKind, FacetValue, KindCounts, added_up, place_in_words

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_Among: TypeAlias = Callable[[Column[int]], tuple[ColumnElement[bool], ...]]
"""Returns the conditions on the id in a column to be one of a photo that is counted: none for all
photos.
"""

_TOGETHER = 20_000
"""The number of photos that one question to a file is about. Several threads share the questions.
"""
_TOGETHER_ON_SERVER = 500_000
"""The same on a server, which no other threads ask, and which may read all rows for each question.
"""
_MANY_TO_GROUP = 50_000
"""From this number of photos on, all photos are counted in indexes. To group fewer takes no longer
than to prepare the statements for that.
"""
_COLUMNS: Mapping[FacetKind, tuple[ColumnElement[Any], ...]] = {
    "year": (func.substr(PHOTO.c.taken_at, 1, 4),),
    "month": (func.substr(PHOTO.c.taken_at, 1, 7),),
    "camera": (PHOTO.c.camera,),
    "place": (PHOTO.c.city, PHOTO.c.region, PHOTO.c.country),
    "format": (PHOTO.c.format,),
    "rating": (PHOTO.c.rating,),
}
"""What a photo's own row says."""


class FacetReader(Reader):
    """Questions about how many photos have each value of a kind."""

    def count_photos_by(self, kind: FacetKind) -> dict[FacetValue, int]:
        """Return how many photos have each value that any of them has, in no order.

        A photo with files in several folders, or with several tags, counts for each of them. A date
        that tells no month counts for its year, such as "1978", among the months too.
        """
        return added_up([self._count_all(kind)])[kind]

    def facet_questions(
        self, kinds: Sequence[FacetKind], among: Ids | None = None
    ) -> list[Callable[[], KindCounts]]:
        """Return questions whose answers, as `added_up` adds them, are the counts by these kinds.
        `among` has the ids of the photos to count, ascending; None means all.

        Several threads may ask the questions. With `among`, they are for the moment in which they
        are made.
        """
        of_all = [partial(self._count_all, kind) for kind in kinds]
        if among is None:
            return [*of_all]
        import numpy as np

        with self._connect() as connection:
            newest = connection.scalar(select(func.max(PHOTO.c.id))) or 0
        among = among[among <= newest]
        if 2 * len(among) <= newest:
            return self._questions_of_parts(kinds, among, 1)
        # To look up most of the photos would take longer than to count all, and look up the others.
        is_other = np.ones(newest + 1, np.bool_)
        is_other[among] = False
        return [*of_all, *self._questions_of_parts(kinds, np.flatnonzero(is_other), -1)]

    def count_all_photos(self) -> int:
        """Return the number of photos, with and without files."""
        with self._connect() as connection:
            return count_photos(connection)

    def _count_all(self, kind: FacetKind) -> KindCounts:
        return {kind: self._once(("counts", kind), lambda: self._read_counts_of_all(kind))}

    def _read_counts_of_all(self, kind: FacetKind) -> Counts:
        """Return how many photos of the catalog have each value of the kind."""
        with self._connect() as connection:
            if kind == "folder":
                return _all_by_folder(connection)
            photos = count_photos(connection)
            if kind == "tag":
                return _by_tag(connection, photos, lambda _: (), {})
            counts = None
            if self._dialect.counts_in_indexes and photos >= _MANY_TO_GROUP:
                counts = _all_by_index(connection, kind)
            return _all_by_grouping(connection, kind) if counts is None else counts

    def _questions_of_parts(
        self, kinds: Sequence[FacetKind], ids: Ids, sign: int
    ) -> list[Callable[[], KindCounts]]:
        """Return questions about parts of the photos, whose counts are multiplied by the sign."""
        together = _TOGETHER if self._dialect.file else _TOGETHER_ON_SERVER
        starts = range(0, max(1, len(ids)), together)  # of no photos, too, there is one part
        parts = [ids[start : start + together] for start in starts]
        return [partial(self._count_part, kinds, part, sign) for part in parts]

    def _count_part(self, kinds: Sequence[FacetKind], ids: Ids, sign: int) -> KindCounts:
        """Return the counts of the photos with these ids, times the sign. The row of each photo is
        read once for all kinds.
        """
        given = {"ids": self._dialect.ids(ids.tolist())}

        def among(column: Column[int]) -> tuple[ColumnElement[bool], ...]:
            return (self._dialect.is_among(column, "ids"),)

        (is_counted,) = among(PHOTO.c.id)
        counts: dict[FacetKind, Counts] = {}
        of_months = {"year", "month"} <= set(kinds)  # their counts are those of the years, too
        in_row = [kind for kind in kinds if kind in _COLUMNS and not (of_months and kind == "year")]
        with self._connect() as connection:
            if in_row:
                columns = [_COLUMNS[kind] for kind in in_row]
                found = self._dialect.count_rows(connection, columns, is_counted, given)
                counts |= zip(in_row, map(_named, in_row, found), strict=True)
                photos = counts[in_row[0]].total()
                if of_months:
                    counts["year"] = _by_year(counts["month"])
            else:
                photos = connection.scalar(select(func.count()).where(is_counted), given) or 0
            if "folder" in kinds:
                counts["folder"] = _by_folder(connection, photos, ids, among, given)
            if "tag" in kinds:
                counts["tag"] = _by_tag(connection, photos, among, given)
        return {
            kind: {value: sign * photos for value, photos in of_kind.items()}
            for kind, of_kind in counts.items()
        }


def _named(kind: FacetKind, found: Mapping[tuple[Any, ...], int]) -> Counts:
    """Return the counts of a kind by those of what its columns have."""
    counts: Counts = Counter()
    for values, photos in found.items():
        counts[place_in_words(values) if kind == "place" else values[0]] += photos
    return counts


def _by_year(months: Counts) -> Counts:
    """Return the counts by year of what was counted by month. Some dates tell a year alone."""
    counts: Counts = Counter()
    for month, photos in months.items():
        counts[None if month is None else str(month)[:4]] += photos
    return counts


def _all_by_grouping(connection: Connection, kind: FacetKind) -> Counts:
    """Return how many photos of the catalog have each value of a kind that their rows have."""
    columns = _COLUMNS[kind]
    rows = connection.execute(select(*columns, func.count()).group_by(*columns))
    return _named(kind, {tuple(values): photos for *values, photos in rows})


def _all_by_index(connection: Connection, kind: FacetKind) -> Counts | None:
    """Return how many photos of the catalog have each value of a kind that has an index; None where
    it is faster to group all photos.
    """
    match kind:
        case "year" | "month":
            return count_by_time(connection, len("1978") if kind == "year" else len("1978-05"))
        case "place":
            return count_by_place(connection)
    return count_by_column(connection, PHOTO.c[kind])


def _all_by_folder(connection: Connection) -> Counts:
    """Return how many photos of the catalog have a file in each folder.

    Most photos have one file, so files are counted. Photos with several files are then counted
    again.
    """
    without = count_photos_without_files(connection)
    held = count_photos(connection) - without
    files = {id_: sum(found) for id_, found in count_files_by_folder(connection).items()}
    counts: Counts = Counter({None: without})
    for id_, path in connection.execute(select(FOLDER.c.id, FOLDER.c.path)):
        counts[path] = files.get(id_, 0)
    if sum(files.values()) > held:
        repeated = (
            select(FOLDER.c.path, func.count() - func.count(FILE.c.photo_id.distinct()))
            .join_from(FILE, FOLDER, FOLDER.c.id == FILE.c.folder_id)
            .where(FILE.c.photo_id.in_(photos_of_several_files()))
            .group_by(FOLDER.c.path)
        )
        counts.subtract(dict(connection.execute(repeated).all()))
    return counts


def _by_folder(
    connection: Connection, photos: int, ids: Ids, among: _Among, given: Mapping[str, object]
) -> Counts:
    """Return how many of the photos with these ids have a file in each folder. `photos` of them are
    there.
    """
    import numpy as np

    without = connection.scalars(photos_without_files()).all()
    counts: Counts = Counter({None: int(np.isin(without, ids).sum()) if without else 0})
    folders = connection.scalars(select(FOLDER.c.path)).all()
    if len(folders) == 1:
        return counts + Counter({folders[0]: photos - counts[None]})
    # With the photo first, SQLite reads the rows in the order of its index on photos, or of their
    # own. Otherwise it would take the index on folders, and jump to and fro for each row.
    files = select(FILE.c.photo_id, FILE.c.folder_id).where(*among(FILE.c.photo_id))
    if count_files(connection) > count_photos(connection) - len(without):
        files = files.distinct()
    pairs = files.subquery()
    per_folder = (
        select(pairs.c.folder_id, func.count().label("photos"))
        .group_by(pairs.c.folder_id)
        .subquery()
    )
    named = select(FOLDER.c.path, per_folder.c.photos).join(
        per_folder, per_folder.c.folder_id == FOLDER.c.id
    )
    counts.update(dict(connection.execute(named, given).all()))
    return counts


def _by_tag(
    connection: Connection, photos: int, among: _Among, given: Mapping[str, object]
) -> Counts:
    """Return how many of some photos have each tag. `photos` is how many they are."""
    if (
        connection.execute(union_all(select(TAG.c.name), select(HAND_TAG.c.name)).limit(1)).first()
        is None
    ):
        return Counter({None: photos})
    judged = judged_photos().where(*among(TAG.c.photo_id))
    by_hand = given_photos().where(*among(HAND_TAG.c.photo_id))
    counts: Counts = Counter()
    for chosen, name in ((judged, TAG.c.name), (by_hand, HAND_TAG.c.name)):
        by_name = chosen.with_only_columns(name, func.count()).group_by(name)
        counts.update(dict(connection.execute(by_name, given).all()))
    either = union_all(judged, by_hand).subquery()
    tagged = select(func.count(either.c.photo_id.distinct()))
    counts[None] = photos - (connection.scalar(tagged, given) or 0)
    return counts
