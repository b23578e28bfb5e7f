"""The perceptual hashes of the photos that are compared with each other."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.storage import CatalogReader
from sigseek.storage.perceptual_hash import CROPS, SIDE, TURNS, Bits, Sketches
from sigseek.storage.records.arrays import Ids, Rows
from sigseek.storage.sketch_coding import decoded

_MOST_KEPT = 65_536
"""The most sketches that are kept, of 4 kB each."""


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
    variants: npt.NDArray[np.uint8]
    """The hashes of CROPS and then of TURNS, (n, variants, 32)."""

    def of_photos(self, photo_ids: Ids) -> tuple[Rows, Rows]:
        """Return, for each photo, the row of the whole picture, or -1, and the row of the part
        inside of its margins, or else again that of the whole.
        """
        first = np.searchsorted(self.ids, photo_ids)
        last = np.searchsorted(self.ids, photo_ids, "right") - 1
        return np.where(last >= first, first, -1), last


def read_rows(catalog: CatalogReader, within: Ids, stop: Stop) -> SketchRows:
    """Return the hashes of these photos, whose ids are ascending."""
    parts: list[tuple[npt.NDArray[Any], ...]] = []
    for table in catalog.sketch_tables() if len(within) else ():
        stop.check()
        places = np.minimum(np.searchsorted(within, table.ids), len(within) - 1)
        kept = within[places] == table.ids
        if kept.any():
            columns = (
                table.ids, table.inner, table.margins, table.quality, table.bits, table.variants
            )  # fmt: skip
            parts.append(tuple(column[kept] for column in columns))
    if not parts:
        parts = [_no_rows()]
    return SketchRows(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def read_levels(catalog: CatalogReader, rows: SketchRows, wanted: Rows) -> Sketches:
    """Return the sketches (n, 64, 64) of these rows."""
    files = catalog.sketch_levels(np.unique(rows.ids[wanted]).tolist())
    keys = zip(rows.ids[wanted].tolist(), rows.inner[wanted].tolist(), strict=True)
    return decoded([files.get(key, b"") for key in keys])


class KeptLevels:
    """Reads sketches, and keeps those that it read first. Several guesses may lead to one pair, and
    decoding its sketches takes a third of the time of a look at it.
    """

    def __init__(self, catalog: CatalogReader, rows: SketchRows) -> None:
        self._catalog = catalog
        self._rows = rows
        self._kept = np.empty((min(len(rows.ids), _MOST_KEPT), SIDE, SIDE), np.uint8)
        self._count = 0
        """How many are kept."""
        self._places = np.full(len(rows.ids), -1)
        """The place of each row's sketch among those that are kept; -1 where it is not."""

    def of(self, wanted: Rows) -> Sketches:
        """Return what `read_levels` does."""
        places = self._places[wanted]
        levels: Sketches = self._kept[places]
        new = np.flatnonzero(places < 0)
        levels[new] = read_levels(self._catalog, self._rows, wanted[new])
        to_keep = new[: len(self._kept) - self._count]
        first, self._count = self._count, self._count + len(to_keep)
        self._kept[first : self._count] = levels[to_keep]
        self._places[wanted[to_keep]] = np.arange(first, self._count)
        return levels


def _no_rows() -> tuple[npt.NDArray[Any], ...]:
    return (
        np.empty(0, np.int64),
        np.empty(0, bool),
        np.empty((0, 4), np.uint8),
        np.empty(0, np.int64),
        np.empty((0, 32), np.uint8),
        np.empty((0, len(CROPS) + len(TURNS), 32), np.uint8),
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
