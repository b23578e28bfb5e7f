"""Questions about how many photos have each year, camera, place and so on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    func,
    select,
    union_all,
)

from sigseek.storage.catalog.reading.duplicates import photos_of_several_files
from sigseek.storage.catalog.reading.index_counts import (
    Counts,
    count_by_column,
    count_by_place,
    count_by_time,
    count_photos,
)
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.reading.tags import given_photos, judged_photos
from sigseek.storage.catalog.tables import FILE, FOLDER, HAND_TAG, PHOTO, TAG
from sigseek.storage.facets import FacetKind, FacetValue, place_in_words

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_Among: TypeAlias = Callable[[Column[int]], tuple[ColumnElement[bool], ...]]
"""Returns the conditions on the id in a column to be one of a photo that is counted: none for all
photos.
"""

_MANY = 500_000
"""The number of ids that one statement takes."""
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

    def count_photos_by(self, kind: FacetKind, among: Ids | None = None) -> dict[FacetValue, int]:
        """Return how many photos have each value that any of them has, in no order. `among` has the
        ids of the photos to count, ascending; None means all.

        A photo with files in several folders, or with several tags, counts for each of them. A date
        that tells no month counts for its year, such as "1978", among the months too.
        """
        if among is None:
            return dict(self._once(("counts", kind), lambda: self._count_all(kind)))
        with self._connect() as connection:
            counts = self._counts_among(connection, kind, among)
        return {value: photos for value, photos in counts.items() if photos}

    def count_all_photos(self) -> int:
        """Return the number of photos, with and without files."""
        with self._connect() as connection:
            return count_photos(connection)

    def _count_all(self, kind: FacetKind) -> dict[FacetValue, int]:
        with self._connect() as connection:
            found = self._counts_of_all(connection, kind)
        return {value: photos for value, photos in found.items() if photos}

    def _counts_of_all(self, connection: Connection, kind: FacetKind) -> Counts:
        """Return how many photos of the catalog have each value of the kind."""
        if kind == "folder":
            return _counts_by_folder(connection)
        counts = None
        if (
            kind != "tag"
            and self._dialect.counts_in_indexes
            and count_photos(connection) >= _MANY_TO_GROUP
        ):
            counts = _counts_by_index(connection, kind)
        return _counts(connection, kind, lambda _: ()) if counts is None else counts

    def _counts_among(self, connection: Connection, kind: FacetKind, among: Ids) -> Counts:
        """Return the counts of photos with these ids.

        Looking up most of the photos one by one would take longer than to count all photos, and to
        look up the others.
        """
        import numpy as np

        newest = connection.scalar(select(func.max(PHOTO.c.id))) or 0
        among = among[among <= newest]
        counts: Counts = Counter()
        if 2 * len(among) <= newest:
            for part in self._parts(among):
                counts.update(_counts(connection, kind, *part))
            return counts
        is_other = np.ones(newest + 1, np.bool_)
        is_other[among] = False
        counts.update(self._counts_of_all(connection, kind))
        for part in self._parts(np.flatnonzero(is_other)):
            counts.subtract(_counts(connection, kind, *part))
        return counts

    def _parts(self, ids: Ids) -> Iterator[tuple[_Among, Mapping[str, object]]]:
        """Yield conditions that together are true of the ids, and the parameters of each."""
        for start in range(0, len(ids), _MANY):
            part = self._dialect.ids(ids[start : start + _MANY].tolist())
            yield lambda column: (self._dialect.is_among(column, "ids"),), {"ids": part}


def _counts_by_index(connection: Connection, kind: FacetKind) -> Counts | None:
    """Return how many photos of the catalog have each value of a kind that has an index; None where
    it is faster to group all photos.
    """
    match kind:
        case "year" | "month":
            return count_by_time(connection, len("1978") if kind == "year" else len("1978-05"))
        case "place":
            return count_by_place(connection)
    return count_by_column(connection, PHOTO.c[kind])


def _counts_by_folder(connection: Connection) -> Counts:
    """Return how many photos of the catalog have a file in each folder.

    Most photos have one file, so their files are counted, which reads indexes alone. Photos with
    several files are then counted again.
    """
    total = count_photos(connection)
    files = connection.scalar(select(func.count()).select_from(FILE)) or 0
    held = connection.scalar(select(func.count(FILE.c.photo_id.distinct()))) or 0
    counts: Counts = Counter({None: total - held})
    folders = connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all()
    for id_, path in folders[:-1]:
        counts[path] = connection.scalar(select(func.count()).where(FILE.c.folder_id == id_)) or 0
    for _, path in folders[-1:]:  # all other files
        counts[path] = files - sum(counts[other] for _, other in folders[:-1])
    if files > held:
        repeated = (
            select(FOLDER.c.path, func.count() - func.count(FILE.c.photo_id.distinct()))
            .join_from(FILE, FOLDER, FOLDER.c.id == FILE.c.folder_id)
            .where(FILE.c.photo_id.in_(photos_of_several_files()))
            .group_by(FOLDER.c.path)
        )
        counts.subtract(dict(connection.execute(repeated).all()))
    return counts


def _counts(
    connection: Connection,
    kind: FacetKind,
    among: _Among,
    parameters: Mapping[str, object] | None = None,
) -> Counts:
    """Return how many of the photos have each value of the kind."""

    def rows(statement: Select[*tuple[Any, ...]]) -> Iterable[Any]:
        return connection.execute(statement, parameters or {})

    counts: Counts = Counter()
    if kind in _COLUMNS:
        columns = _COLUMNS[kind]
        chosen = select(*columns, func.count()).where(*among(PHOTO.c.id)).group_by(*columns)
        for *values, photos in rows(chosen):
            counts[place_in_words(values) if kind == "place" else values[0]] += photos
        return counts
    counted, having = _of_folders(among) if kind == "folder" else _of_tags(among)
    for statement in counted:
        for value, photos in rows(statement):
            counts[value] += photos
    with_any = having.subquery()
    for statement, sign in (
        (select(func.count()).select_from(PHOTO).where(*among(PHOTO.c.id)), 1),
        (select(func.count(with_any.c.photo_id.distinct())), -1),
    ):
        for (photos,) in rows(statement):
            counts[None] += sign * photos
    return counts


def _of_folders(among: _Among) -> tuple[list[Any], Any]:
    """Return statements that count the photos of each folder, and one that selects the ids of the
    photos that have a file.
    """
    chosen = among(FILE.c.photo_id)
    # With the photo first, SQLite reads the rows in the order of its index on photos, or of their
    # own. Otherwise it would take the index on folders, and jump to and fro for each row.
    pairs = select(FILE.c.photo_id, FILE.c.folder_id).where(*chosen).distinct().subquery()
    per_folder = (
        select(pairs.c.folder_id, func.count().label("photos"))
        .group_by(pairs.c.folder_id)
        .subquery()
    )
    named = select(FOLDER.c.path, per_folder.c.photos).join(
        per_folder, per_folder.c.folder_id == FOLDER.c.id
    )
    return [named], select(FILE.c.photo_id).where(*chosen)


def _of_tags(among: _Among) -> tuple[list[Any], Any]:
    """Return statements that count the photos of each tag, and one that selects the ids of the
    photos that have a tag.
    """
    judged = judged_photos().where(*among(TAG.c.photo_id))
    given = given_photos().where(*among(HAND_TAG.c.photo_id))
    counted = [
        photos.with_only_columns(name, func.count()).group_by(name)
        for photos, name in ((judged, TAG.c.name), (given, HAND_TAG.c.name))
    ]
    return counted, union_all(judged, given)
