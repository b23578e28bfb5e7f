"""Guesses of how one picture may lie in another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.duplicates.alignment import Maps, Margins
from sigseek.storage.perceptual_hash import ORIENTATIONS, turn
from sigseek.storage.records.arrays import Rows

NOTHING_CHANGED = np.array([1, 0, 0, 0, 1, 0], np.float32)
"""The map that leaves every place where it is."""


@dataclass(frozen=True)
class Overlays:
    """Guesses that one picture lies in another one."""

    around: Rows
    """The rows (n,) of the pictures that may show more."""
    inside: Rows
    """The rows (n,) of the pictures that lie in them."""
    ways: Rows
    """The place in ORIENTATIONS, (n,), of how to turn `around` so that it lies as `inside` does."""
    starts: Maps
    """Guesses of where `inside` lies in `around`, (n, 6)."""

    @classmethod
    def of_pairs(
        cls, around: Rows, inside: Rows, way: int = 0, scale: tuple[float, float] = (1.0, 1.0)
    ) -> Overlays:
        """Return guesses that are all alike: turned in this way, and in the middle."""
        starts = np.tile(NOTHING_CHANGED, (len(around), 1))
        starts[:, 0], starts[:, 4] = scale
        return cls(around, inside, np.full(len(around), way), starts)

    @classmethod
    def turned(
        cls, around: Rows, inside: Rows, degrees: float, shapes: npt.NDArray[np.float64]
    ) -> Overlays:
        """Return guesses that each picture is the other one turned by so much. `shapes` has the
        heights (n,) of the pictures `around` as shares of their widths.
        """
        starts = np.zeros((len(around), 6), np.float32)
        once, places = np.unique(shapes, return_inverse=True)  # most photos have a few shapes
        turns = np.array([turn(degrees, shape) for shape in once.tolist()]).reshape(-1, 4)
        starts[:, [0, 1, 3, 4]] = turns[places]
        return cls(around, inside, np.zeros(len(around), np.int64), starts)

    def __len__(self) -> int:
        return len(self.around)

    def part(self, rows: npt.NDArray[np.int64] | slice) -> Overlays:
        """Return some of the guesses."""
        return Overlays(self.around[rows], self.inside[rows], self.ways[rows], self.starts[rows])

    def in_parts(self, together: int) -> list[Overlays]:
        """Return the guesses in parts of so many."""
        return [self.part(slice(at, at + together)) for at in range(0, len(self), together)]

    def between(self, maps: Maps, margins: Margins) -> npt.NDArray[np.float64]:
        """Return the affine maps (n, 3, 3) that take places of the whole inner pictures to those of
        the whole others. `maps` (n, 6) are those between the sketches, one of which may be turned,
        or of a part inside of its margins. `margins` are those of all rows.
        """
        found = np.tile(np.eye(3), (len(self), 1, 1))
        found[:, :2] = maps.reshape(-1, 2, 3)
        turns = np.stack([_turning(way) for way in range(len(ORIENTATIONS))])
        around, inside = (_from_part(margins[rows]) for rows in (self.around, self.inside))
        return around @ turns[self.ways] @ found @ np.linalg.inv(inside)


def _turning(way: int) -> npt.NDArray[np.float64]:
    """Return the map that takes places of a picture that is turned in this way to where they were
    before.
    """
    transposed, mirrored, upside_down = ORIENTATIONS[way]
    turned = np.diag([-1.0 if mirrored else 1.0, -1.0 if upside_down else 1.0, 1.0])
    return turned[[1, 0, 2]] if transposed else turned


def _from_part(margins: Margins) -> npt.NDArray[np.float64]:
    """Return the maps (n, 3, 3) that take places of parts inside of margins (n, 4) to those of the
    whole pictures.
    """
    left, top, right, bottom = margins.T / 256
    maps = np.tile(np.eye(3), (len(margins), 1, 1))
    maps[:, 0, 0], maps[:, 0, 2] = 1 - left - right, left - right
    maps[:, 1, 1], maps[:, 1, 2] = 1 - top - bottom, top - bottom
    return maps


def joined(parts: Sequence[Overlays]) -> Overlays:
    """Return the guesses of all parts, of which there is one at least."""
    return Overlays(
        np.concatenate([part.around for part in parts]),
        np.concatenate([part.inside for part in parts]),
        np.concatenate([part.ways for part in parts]),
        np.concatenate([part.starts for part in parts]),
    )
