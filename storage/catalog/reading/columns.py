"""A few columns of all photos, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from sigseek.storage.catalog.reading.former import former_photos
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, PHOTO

if TYPE_CHECKING:
    from sigseek.storage.records.columns import PhotoArrays

_FETCHED = 10_000


class ColumnReader(Reader):
    """Questions about a few columns of all photos."""

    def photo_columns(self, at: int | None = None) -> PhotoArrays:
        """Return a few columns of all photos that have a file, present or missing; with `at`, their
        dates are those of this revision.
        """
        import numpy as np

        from sigseek.storage.records.columns import PhotoArrays

        shapes = select(
            PHOTO.c.id, PHOTO.c.width, PHOTO.c.height, func.coalesce(PHOTO.c.color, -1)
        ).order_by(PHOTO.c.id)
        dates = select(PHOTO.c.taken_at).order_by(PHOTO.c.id)
        held = select(FILE.c.photo_id).distinct()
        with self._connect() as connection:
            chunks = self._dialect.stream(connection, shapes, {}, _FETCHED)
            parts = [np.array(rows, np.int64) for rows in chunks]
            chunks = self._dialect.stream(connection, dates, {}, _FETCHED)
            texts = [np.array([taken or "" for (taken,) in rows], "S26") for rows in chunks]
            chunks = self._dialect.stream(connection, held, {}, _FETCHED)
            with_files = np.concatenate(
                [np.zeros(0, np.int64), *(np.array(rows, np.int64)[:, 0] for rows in chunks)]
            )
            former = {} if at is None else former_photos(connection, at)
        table = np.concatenate([np.zeros((0, 4), np.int64), *parts])
        taken = np.concatenate([np.zeros(0, "S26"), *texts])
        changed = np.flatnonzero(np.isin(table[:, 0], list(former)))
        taken[changed] = [former[id_][0] or "" for id_ in table[changed, 0].tolist()]
        there = np.isin(table[:, 0], with_files)
        ids, widths, heights, colors = table[there].T
        return PhotoArrays(ids, widths, heights, colors, taken[there])
