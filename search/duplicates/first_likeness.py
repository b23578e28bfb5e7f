"""The rough likeness of sketches, which tells which places are worth a close look."""

import numpy as np

from sigseek.search.duplicates.alignment import Maps, places, smooth
from sigseek.storage.perceptual_hash import SIDE, Sketches, halved
from sigseek.storage.records.arrays import Floats, Rows

_SPARSE = slice(2, None, 4)
"""The rows and columns, in sketches of half the size, by which the rough likeness is judged."""
_ROUGHLY = 8_192
"""Ways to lay sketches over each other that are judged roughly at the same time."""


class FirstLikeness:
    """The rough likeness of sketches that are laid over each other in many ways. Only the likeliest
    ways are then looked at closely. Of each of the sketches `levels` (n, 64, 64), only 64 smoothed
    pixels are compared.
    """

    def __init__(self, levels: Sketches) -> None:
        self._side = SIDE // 2
        smoothed = smooth(smooth(halved(levels)))
        wanted = smoothed[:, _SPARSE][:, :, _SPARSE].reshape(len(levels), -1)
        wanted = wanted - wanted.mean(axis=1, keepdims=True)
        norms = np.linalg.norm(wanted, axis=1, keepdims=True)
        self._wanted: Floats = wanted / np.maximum(norms, 1e-3)
        self._smooth: Floats = smoothed.ravel()
        self._x, self._y = (axis.reshape(self._side, -1) for axis in places(self._side))

    def of(self, around: Rows, inside: Rows, starts: Maps) -> Floats:
        """Return the rough likeness (m,) of the sketches at these places, laid over each other as
        the starts (m, 6) say. The starts may not turn them.
        """
        parts = [slice(first, first + _ROUGHLY) for first in range(0, len(starts), _ROUGHLY)]
        found = [self._of(around[part], inside[part], starts[part]) for part in parts]
        return np.concatenate([np.empty(0, np.float32), *found])

    def _of(self, around: Rows, inside: Rows, starts: Maps) -> Floats:
        side = self._side
        x, y = self._x[0, _SPARSE], self._y[_SPARSE, 0]
        column = (starts[:, 0:1] * x + starts[:, 2:3] + 1) * (side / 2) - 0.5
        row = (starts[:, 4:5] * y + starts[:, 5:6] + 1) * (side / 2) - 0.5
        columns, rows = (np.rint(np.clip(axis, 0, side - 1)).astype(np.int64)
                         for axis in (column, row))  # fmt: skip
        pixels = (around[:, None] * side + rows)[:, :, None] * side + columns[:, None, :]
        found = self._smooth.take(pixels.reshape(len(starts), -1))
        found -= found.mean(axis=1, keepdims=True)
        norms = np.sqrt(np.einsum("mp,mp->m", found, found))
        products = np.einsum("mp,mp->m", found, self._wanted[inside])
        alike: Floats = products / np.maximum(norms, 1e-3)
        return alike
