"""The perceptual hashes of the photos that are compared with each other."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.storage import CatalogReader
from sigseek.storage.perceptual_hash import COSINES, SIDE, Bits, Sketches, bits_of_spectra
from sigseek.storage.records.arrays import Ids, Rows

CROPS = (
    (0.95, 0.95),
    (0.9, 0.9),
    (0.85, 0.85),
    (0.8, 0.8),
    (0.75, 0.75),
    (0.7, 0.7),
    (0.75, 1.0),
    (1.0, 0.75),
    (0.85, 1.0),
    (1.0, 0.85),
)
"""Crops from the middle of a picture whose hashes are looked for, too: their widths and heights as
shares of the picture's.
"""


@dataclass(frozen=True)
class SketchRows:
    """A row for each sketch, those of a photo one after the other; ids are ascending."""

    ids: Ids
    """The photo of each row, (n,)."""
    inner: npt.NDArray[np.bool_]
    """Whether the row is of the part inside of plain margins, (n,)."""
    margins: npt.NDArray[np.uint8]
    """The margins, in 256ths of the picture, (n, 4)."""
    quality: npt.NDArray[np.int64]
    bits: Bits
    """The hashes, (n, 32)."""
    crops: npt.NDArray[np.uint8]
    """The hashes of the crops, (number of crops, n, 32)."""

    def of_photos(self, photo_ids: Ids) -> tuple[Rows, Rows]:
        """Return, for each photo, the row of the whole picture, or -1, and the row of the part
        inside of its margins, or else again that of the whole.
        """
        first = np.searchsorted(self.ids, photo_ids)
        last = np.searchsorted(self.ids, photo_ids, "right") - 1
        return np.where(last >= first, first, -1), last


def read_rows(catalog: CatalogReader, within: Ids, stop: Stop) -> SketchRows:
    """Return the hashes of these photos, whose ids are ascending."""
    parts = []
    for table in catalog.sketch_tables() if len(within) else ():
        stop.check()
        places = np.minimum(np.searchsorted(within, table.ids), len(within) - 1)
        kept = within[places] == table.ids
        if kept.any():
            crops = crop_bits(table.levels[kept])
            columns = (table.ids, table.inner, table.margins, table.quality, table.bits)
            parts.append((*(column[kept] for column in columns), crops))
    if not parts:
        parts = [_no_rows()]
    *plain, of_crops = zip(*parts, strict=True)
    ids, inner, margins, quality, bits = (np.concatenate(column) for column in plain)
    return SketchRows(ids, inner, margins, quality, bits, np.concatenate(of_crops, axis=1))


def read_levels(catalog: CatalogReader, rows: SketchRows, wanted: Rows) -> Sketches:
    """Return the sketches (n, 32, 32) of these rows, which may repeat."""
    found = np.zeros((len(wanted), SIDE, SIDE), np.uint8)
    keys = 2 * rows.ids[wanted] + rows.inner[wanted]
    order = np.argsort(keys, kind="stable")
    for table in catalog.sketch_tables(np.unique(rows.ids[wanted])):
        there = 2 * table.ids + table.inner
        first, last = (np.searchsorted(keys[order], there, side) for side in ("left", "right"))
        places = np.concatenate([order[a:b] for a, b in zip(first, last, strict=True)])
        found[places] = np.repeat(table.levels, last - first, axis=0)
    return found


def crop_bits(sketches: Sketches) -> npt.NDArray[np.uint8]:
    """Return the hashes (number of crops, n, 32) of crops from the middle of the sketches."""
    levels = sketches.astype(np.float32)
    return np.stack(
        [
            bits_of_spectra((COSINES @ _cut(height)) @ levels @ (COSINES @ _cut(width)).T)
            for width, height in CROPS
        ]
    )


def _cut(share: float) -> npt.NDArray[np.float32]:
    """Return the matrix (32, 32) that makes 32 pixels of the middle part of 32 pixels."""
    places = share * (np.arange(SIDE) + 0.5 - SIDE / 2) + SIDE / 2 - 0.5
    weights = 1 - np.abs(places[:, None] - np.arange(SIDE))
    cut: npt.NDArray[np.float32] = np.maximum(weights, 0).astype(np.float32)
    return cut


def _no_rows() -> tuple[npt.NDArray[np.generic], ...]:
    return (
        np.empty(0, np.int64),
        np.empty(0, bool),
        np.empty((0, 4), np.uint8),
        np.empty(0, np.int64),
        np.empty((0, 32), np.uint8),
        np.empty((len(CROPS), 0, 32), np.uint8),
    )


def row_sizes(
    rows: SketchRows, wanted: Rows, sizes: dict[int, tuple[int, int]]
) -> npt.NDArray[np.float64]:
    """Return the widths and heights (n, 2), in pixels, of the parts of photos that these rows show.
    `sizes` has the whole photos' widths and heights by id.
    """
    whole = np.array([sizes[id_] for id_ in rows.ids[wanted].tolist()], np.float64)
    margins = rows.margins[wanted].astype(np.float64)
    left = 1 - (margins[:, :2] + margins[:, 2:]) / 256
    return whole.reshape(-1, 2) * left
