"""The perceptual hash of a picture: 256 bits that stay nearly the same when a picture is resized,
compressed or made brighter.

The picture is made a sketch, which is 64 x 64 grey pixels. A bit is the sign of one of the 16 x 16
lowest frequencies of the sketch's cosine transform. So the bits of the turned and mirrored picture
follow from those of the picture: a mirror changes the sign of every odd frequency.

Bits are in the order of their frequencies, the lowest first, because those survive most.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt

SIDE = 64
"""The rows and columns of a sketch."""
BYTES = 32
"""The bytes of a hash. The first bit, which would be that of the mean level, is always 0."""
LEAST_QUALITY = 40
"""Pictures of a lower quality are too plain for their hashes to mean anything."""

Sketches: TypeAlias = npt.NDArray[np.uint8]
"""Grey levels (n, 64, 64)."""
Floats: TypeAlias = npt.NDArray[np.float32]
Bits: TypeAlias = npt.NDArray[np.uint8]
"""Hashes (n, 32), eight bits in each byte."""

_Pictures = TypeVar("_Pictures", bound=npt.NDArray[Any])
_FREQUENCIES = 16
_FULL_QUALITY = 5.0
"""The mean difference of neighbouring pixels, in levels, from which on the quality is 100."""

_ROWS, _COLUMNS = (
    axis.ravel() for axis in np.meshgrid(range(_FREQUENCIES), range(_FREQUENCIES), indexing="ij")
)
_ORDER = np.lexsort((_COLUMNS, _ROWS + _COLUMNS, _ROWS**2 + _COLUMNS**2))
"""The places of the frequencies in the order of their bits."""
_TRANSPOSED = np.argsort(_ORDER)[(_FREQUENCIES * _COLUMNS + _ROWS)[_ORDER]]
"""The bits of the frequencies that transposing brings to each bit."""


def _cosines() -> Floats:
    """Return the rows (16, 64) of the cosine transform for the lowest frequencies."""
    place = (2 * np.arange(SIDE) + 1) * np.pi / (2 * SIDE)
    cosines: Floats = np.cos(np.outer(np.arange(_FREQUENCIES), place)).astype(np.float32)
    return cosines


COSINES = _cosines()
"""What a sketch's rows and columns are multiplied by to get its spectrum, float32 (16, 64)."""
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
"""Crops from the middle of a picture whose hashes are kept, too: their widths and heights as shares
of the picture's.
"""
TURNS = (-3.0, 3.0)
"""Degrees by which a picture is turned to hashes that are kept, too."""

ORIENTATIONS = tuple(
    (transposed, mirrored, upside_down)
    for transposed in (False, True)
    for mirrored in (False, True)
    for upside_down in (False, True)
)
"""The eight ways in which a picture can be turned and mirrored, beginning with the upright one.

A picture is first transposed, then mirrored from left to right, then turned upside down.
"""


def hash_bits(sketches: Sketches | Floats) -> Bits:
    """Return the hashes (n, 32) of sketches (n, 64, 64)."""
    return bits_of_spectra(COSINES @ sketches.astype(np.float32) @ COSINES.T)


def bits_of_spectra(spectra: Floats) -> Bits:
    """Return the hashes (n, 32) of spectra (n, 16, 16)."""
    signs = (spectra > 0).reshape(len(spectra), len(_ORDER))[:, _ORDER]
    signs[:, 0] = False
    return np.packbits(np.ascontiguousarray(signs), axis=1)


def variant_bits(sketches: Sketches, shape: float) -> Bits:
    """Return the hashes (n, number of CROPS and TURNS, 32) of variants of pictures, given their
    sketches (n, 64, 64) and their height as a share of their width.
    """
    levels = sketches.astype(np.float32)
    crops = [_cosines_of(height) @ levels @ _cosines_of(width).T for width, height in CROPS]
    turned = [COSINES @ _turned(levels, degrees, shape) @ COSINES.T for degrees in TURNS]
    spectra: Floats = np.stack(crops + turned, axis=1)
    return bits_of_spectra(spectra.reshape(-1, *spectra.shape[2:])).reshape(
        len(sketches), -1, BYTES
    )


def turn(degrees: float, shape: float) -> tuple[float, float, float, float]:
    """Return a, b, c and d of the map that turns a picture by so many degrees: what was at (x, y)
    is then at (a x + b y, c x + d y). All places are from -1 to 1. `shape` is the picture's height
    as a share of its width.
    """
    sine, cosine = np.sin(np.radians(degrees)), np.cos(np.radians(degrees))
    return float(cosine), float(-sine * shape), float(sine / shape), float(cosine)


def _turned(levels: Floats, degrees: float, shape: float) -> Floats:
    """Return the levels (n, 64, 64) of the pictures turned. What comes in at the corners repeats
    the edges.
    """
    turned: Floats = levels[:, *_turned_places(degrees, shape)]
    return turned


@lru_cache(maxsize=64)  # most photos of a library have a few shapes
def _turned_places(
    degrees: float, shape: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the row and the column (64, 64) of the picture that the turned picture shows at each
    place.
    """
    place = (2 * np.arange(SIDE) + 1) / SIDE - 1
    y, x = np.meshgrid(place, place, indexing="ij")
    a, b, c, d = turn(degrees, shape)
    column, row = ((axis + 1) * (SIDE / 2) - 0.5 for axis in (a * x + b * y, c * x + d * y))
    rows, columns = (np.clip(np.rint(axis), 0, SIDE - 1).astype(int) for axis in (row, column))
    return rows, columns


@cache
def _cosines_of(share: float) -> Floats:
    """Return the matrix (16, 64) that makes the spectrum of the middle part of 64 pixels."""
    cosines: Floats = COSINES @ _cut(share)
    return cosines


def _cut(share: float) -> Floats:
    """Return the matrix (64, 64) that makes 64 pixels of the middle part of 64 pixels."""
    places = share * (np.arange(SIDE) + 0.5 - SIDE / 2) + SIDE / 2 - 0.5
    weights = 1 - np.abs(places[:, None] - np.arange(SIDE))
    cut: Floats = np.maximum(weights, 0).astype(np.float32)
    return cut


def turned_bits(bits: Bits, orientation: int) -> Bits:
    """Return the hashes (n, 32) of the pictures, each turned as the orientation says."""
    transposed, mirrored, upside_down = ORIENTATIONS[orientation]
    if transposed:
        bits = np.packbits(np.unpackbits(bits, axis=1).take(_TRANSPOSED, axis=1), axis=1)
    # Mirroring changes the signs of every second frequency.
    other = mirrored * _COLUMNS + upside_down * _ROWS
    return bits ^ np.packbits(other[_ORDER] % 2)


def turned_sketches(sketches: _Pictures, orientation: int) -> _Pictures:
    """Return the sketches (n, 64, 64), or other square pictures, each turned as the orientation
    says.
    """
    transposed, mirrored, upside_down = ORIENTATIONS[orientation]
    turned: npt.NDArray[Any] = sketches.swapaxes(1, 2) if transposed else sketches
    if mirrored:
        turned = turned[:, :, ::-1]
    return cast(_Pictures, turned[:, ::-1] if upside_down else turned)


def quality(sketch: Sketches) -> int:
    """Return how much there is in a sketch (64, 64) to tell it from others by, from 0 to 100."""
    levels = halved(sketch[None])[0]
    differences = [np.abs(np.diff(levels, axis=axis)).mean() for axis in (0, 1)]
    return min(100, round(100 * float(np.mean(differences)) / _FULL_QUALITY))


def halved(sketches: Sketches | Floats) -> Floats:
    """Return the sketches (n, 2 k, 2 k) at half of their size, (n, k, k)."""
    levels = sketches.astype(np.float32, copy=False)
    rows = levels[:, ::2] + levels[:, 1::2]
    found: Floats = rows[:, :, ::2] + rows[:, :, 1::2]
    found /= 4
    return found


def distances(one: Bits, other: Bits) -> npt.NDArray[np.int64]:
    """Return how many bits differ, (n,), between each hash of (n, 32) and its counterpart."""
    different = np.bitwise_count(one.view(np.uint64) ^ other.view(np.uint64))
    count: npt.NDArray[np.int64] = different.sum(axis=1, dtype=np.int64)
    return count
