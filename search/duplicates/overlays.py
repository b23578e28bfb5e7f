"""Guesses of how one picture may lie in another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.duplicates.alignment import Maps
from sigseek.storage.perceptual_hash import turn
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
        for place, shape in enumerate(shapes.tolist()):
            starts[place, [0, 1, 3, 4]] = turn(degrees, shape)
        return cls(around, inside, np.zeros(len(around), np.int64), starts)

    def __len__(self) -> int:
        return len(self.around)

    def part(self, rows: npt.NDArray[np.int64] | slice) -> Overlays:
        """Return some of the guesses."""
        return Overlays(self.around[rows], self.inside[rows], self.ways[rows], self.starts[rows])


def joined(parts: Sequence[Overlays]) -> Overlays:
    """Return the guesses of all parts, of which there is one at least."""
    return Overlays(
        np.concatenate([part.around for part in parts]),
        np.concatenate([part.inside for part in parts]),
        np.concatenate([part.ways for part in parts]),
        np.concatenate([part.starts for part in parts]),
    )
