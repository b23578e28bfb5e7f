"""Questions about perceptual hashes, and about pairs that a person called no duplicates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqlalchemy import Select, exists, func, select

from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.duplicates import TO_THE_SECOND, photos_with_copies
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import DISTINCT_PAIR, FILE, NEAR_PAIR, PHOTO, SKETCH
from sigseek.storage.records.photos import DateSource

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids
    from sigseek.storage.records.hashes import SketchTable

_FETCHED = 2_000
"""Rows that are fetched together."""


class HashReader(Reader):
    """Questions about perceptual hashes, and about pairs that a person called no duplicates."""

    def count_photos_without_hash(self, version: int) -> int:
        """Return how many photos have a hash of an earlier version, or none yet."""
        older = select(func.count()).select_from(PHOTO).where(PHOTO.c.hash_version < version)
        with self._connect() as connection:
            return connection.scalar(older) or 0

    def sketch_tables(self) -> Iterator[SketchTable]:
        """Yield the hashes of all sketches, some thousand at a time, by photo, the whole picture
        before the part inside of plain margins.
        """
        columns = (
            SKETCH.c.photo_id,
            SKETCH.c.is_inner,
            SKETCH.c.margins,
            SKETCH.c.quality,
            SKETCH.c.bits,
            SKETCH.c.variants,
        )
        query = select(*columns).order_by(SKETCH.c.photo_id, SKETCH.c.is_inner)
        with self._connect() as connection:
            for rows in self._dialect.stream(connection, query, {}, _FETCHED):
                yield _table(rows)

    def sketch_levels(self, ids: Sequence[int]) -> dict[tuple[int, bool], bytes]:
        """Return the coded grey levels of these photos' sketches. The key tells the photo, and
        whether the sketch is of the part inside of plain margins.
        """
        query = select(SKETCH.c.photo_id, SKETCH.c.is_inner, SKETCH.c.levels)
        among = query.where(self._dialect.is_among(SKETCH.c.photo_id, "ids"))
        found: dict[tuple[int, bool], bytes] = {}
        with self._connect() as connection:
            for chunk in statement_chunks(ids):
                rows = connection.execute(among, {"ids": self._dialect.ids(chunk)})
                found.update({(photo, bool(inner)): levels for photo, inner, levels in rows})
        return found

    def compared_photos(self, version: int) -> Ids:
        """Return the ids (n,), ascending, of the photos that this version of the comparison has
        compared with each other.
        """
        query = select(PHOTO.c.id).where(PHOTO.c.pairs_version == version).order_by(PHOTO.c.id)
        return self._ids(query)

    def near_pairs(self) -> Ids:
        """Return the pairs (n, 2) of photos that look like one shot, the lower id first, as far as
        photos were compared.
        """
        import numpy as np

        query = select(NEAR_PAIR.c.first_id, NEAR_PAIR.c.second_id)
        with self._connect() as connection:
            rows = [row for rows in self._dialect.stream(connection, query, {}, _FETCHED)
                    for row in rows]  # fmt: skip
        return np.array(rows, np.int64).reshape(-1, 2)

    def colors(self, ids: Sequence[int]) -> dict[int, int]:
        """Return the mean colour, 0xRRGGBB, of each of these photos with a sketch, by id. It is the
        mean grey level for photos that were indexed before colours were kept.
        """
        from sigseek.storage.sketch_coding import decoded

        found = dict(self._photo_columns(ids, PHOTO.c.color))
        known = {id_: color for id_, color in found.items() if color is not None}
        others = [id_ for id_ in found if id_ not in known]
        if not others:
            return known
        levels = self.sketch_levels(others)
        whole = {id_: file for (id_, inner), file in levels.items() if not inner}
        means = decoded(list(whole.values())).mean(axis=(1, 2))
        greys = zip(whole, means.tolist(), strict=True)
        return known | {id_: round(mean) * 0x010101 for id_, mean in greys}

    def photos_with_copies(self) -> list[int]:
        """Return the photos, ascending, that several files held at the last run."""
        with self._connect() as connection:
            return list(connection.scalars(photos_with_copies().order_by(FILE.c.photo_id)))

    def photos_with_files(self) -> Ids:
        """Return the ids (n,), ascending, of the photos that a file held at the last run."""
        query = select(FILE.c.photo_id).where(FILE.c.missing_since.is_(None))
        return self._ids(query.distinct().order_by(FILE.c.photo_id))

    def _ids(self, query: Select[int]) -> Ids:
        import numpy as np

        with self._connect() as connection:
            chunks = self._dialect.stream(connection, query, {}, _FETCHED)
            return np.fromiter((id_ for rows in chunks for (id_,) in rows), np.int64)

    def photos_of_several_pictures(self, ids: Sequence[int]) -> set[int]:
        """Return those of these photos whose files hold more pictures than the one that is known,
        such as an animation or pages.
        """
        rows = self._photo_columns(ids, PHOTO.c.several_pictures)
        return {id_ for id_, several in rows if several}

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
            and len(taken_at) >= TO_THE_SECOND
        }

    def count_photos_not_compared(self) -> int:
        """Return how many photos have a hash and were not compared with others yet."""
        hashed = exists().where(SKETCH.c.photo_id == PHOTO.c.id)
        query = select(func.count()).select_from(PHOTO).where(PHOTO.c.pairs_version == 0, hashed)
        with self._connect() as connection:
            return connection.scalar(query) or 0

    def distinct_pairs(self) -> set[tuple[int, int]]:
        """Return the pairs of photos that a person called no duplicates, the lower id first."""
        query = select(DISTINCT_PAIR.c.first_id, DISTINCT_PAIR.c.second_id)
        with self._connect() as connection:
            return {(first, second) for first, second in connection.execute(query)}


def _table(rows: Sequence[tuple[int, int, bytes, int, bytes, bytes]]) -> SketchTable:
    import numpy as np

    from sigseek.storage.records.hashes import SketchTable

    ids, inner, margins, quality, bits, variants = zip(*rows, strict=True)
    count = len(rows)
    return SketchTable(
        np.array(ids, np.int64),
        np.array(inner, bool),
        np.frombuffer(b"".join(margins), np.uint8).reshape(count, 4),
        np.array(quality, np.int64),
        np.frombuffer(b"".join(bits), np.uint8).reshape(count, 32),
        np.frombuffer(b"".join(variants), np.uint8).reshape(count, -1, 32),
    )
