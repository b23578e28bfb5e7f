"""Questions about perceptual hashes, and about pairs that a person called no duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import DISTINCT_PAIR, FILE, PHOTO, SKETCH
from sigseek.storage.records.hashes import SketchTable
from sigseek.storage.records.photos import DateSource

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_TO_THE_SECOND = len("2016-12-24T10:02:17")
_FETCHED = 2_000
"""Sketches in one table, or the photos that it is about when photos are given."""


class HashReader(Reader):
    """Questions about perceptual hashes, and about pairs that a person called no duplicates."""

    def count_photos_without_hash(self, version: int) -> int:
        """Return how many photos have a hash of an earlier version, or none yet."""
        older = select(func.count()).select_from(PHOTO).where(PHOTO.c.hash_version < version)
        with self._connect() as connection:
            return connection.scalar(older) or 0

    def sketch_tables(self, ids: Ids | None = None) -> Iterator[SketchTable]:
        """Yield the sketches of these photos, or of all, some thousand at a time; for given ids, in
        their order.
        """
        columns = (
            SKETCH.c.photo_id,
            SKETCH.c.is_inner,
            SKETCH.c.margins,
            SKETCH.c.quality,
            SKETCH.c.bits,
            SKETCH.c.levels,
        )
        query = select(*columns).order_by(SKETCH.c.photo_id, SKETCH.c.is_inner)
        with self._connect() as connection:
            if ids is None:
                for rows in self._dialect.stream(connection, query, {}, _FETCHED):
                    yield _table(rows)
                return
            among = query.where(self._dialect.is_among(SKETCH.c.photo_id, "ids"))
            for start in range(0, len(ids), _FETCHED):
                asked = self._dialect.ids(ids[start : start + _FETCHED].tolist())
                for rows in self._dialect.stream(connection, among, {"ids": asked}, 2 * _FETCHED):
                    yield _table(rows)

    def brightness(self, ids: Sequence[int]) -> dict[int, int]:
        """Return the mean grey level, 0 to 255, of each of these photos with a sketch, by id."""
        query = select(SKETCH.c.photo_id, SKETCH.c.levels).where(
            self._dialect.is_among(SKETCH.c.photo_id, "ids"), SKETCH.c.is_inner.is_(False)
        )
        found: dict[int, int] = {}
        with self._connect() as connection:
            for chunk in statement_chunks(ids):
                for id_, levels in connection.execute(query, {"ids": self._dialect.ids(chunk)}):
                    found[id_] = round(sum(levels) / len(levels))
        return found

    def photos_with_copies(self) -> list[int]:
        """Return the photos, ascending, that several files held at the last run."""
        held = (
            select(FILE.c.photo_id)
            .where(FILE.c.missing_since.is_(None))
            .group_by(FILE.c.photo_id)
            .having(func.count() > 1)
        )
        with self._connect() as connection:
            return list(connection.scalars(held.order_by(FILE.c.photo_id)))

    def photos_with_files(self) -> Ids:
        """Return the ids (n,), ascending, of the photos that a file held at the last run."""
        import numpy as np

        query = select(FILE.c.photo_id).where(FILE.c.missing_since.is_(None))
        query = query.distinct().order_by(FILE.c.photo_id)
        with self._connect() as connection:
            chunks = self._dialect.stream(connection, query, {}, _FETCHED)
            return np.fromiter((id_ for rows in chunks for (id_,) in rows), np.int64)

    def picture_formats(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the formats of these photos' pictures, by photo."""
        return dict(self._photo_columns(ids, PHOTO.c.format))

    def picture_sizes(self, ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Return the widths and heights of these photos' pictures, by photo."""
        rows = self._photo_columns(ids, PHOTO.c.width, PHOTO.c.height)
        return {id_: (width, height) for id_, width, height in rows}

    def shot_times(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the local time, to the second, at which the camera says that it took each of these
        photos, by photo. Photos whose camera does not say so are left out.
        """
        return {
            id_: taken_at
            for id_, taken_at, source in self._photo_columns(
                ids, PHOTO.c.taken_at, PHOTO.c.date_source
            )
            if source == DateSource.EXIF_ORIGINAL.value
            and taken_at is not None
            and len(taken_at) >= _TO_THE_SECOND
        }

    def distinct_pairs(self) -> set[tuple[int, int]]:
        """Return the pairs of photos that a person called no duplicates, the lower id first."""
        query = select(DISTINCT_PAIR.c.first_id, DISTINCT_PAIR.c.second_id)
        with self._connect() as connection:
            return {(first, second) for first, second in connection.execute(query)}


def _table(rows: Sequence[tuple[int, int, bytes, int, bytes, bytes]]) -> SketchTable:
    import numpy as np

    ids, inner, margins, quality, bits, levels = zip(*rows, strict=True)
    count = len(rows)
    return SketchTable(
        np.array(ids, np.int64),
        np.array(inner, bool),
        np.frombuffer(b"".join(margins), np.uint8).reshape(count, 4),
        np.array(quality, np.int64),
        np.frombuffer(b"".join(bits), np.uint8).reshape(count, 32),
        np.frombuffer(b"".join(levels), np.uint8).reshape(count, 32, 32),
    )
