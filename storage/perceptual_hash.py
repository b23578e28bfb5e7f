"""The perceptual hash of a picture: 256 bits that stay nearly the same when a picture is resized,
compressed or made brighter.

The picture is made a sketch, which is 32 x 32 grey pixels. A bit is the sign of one of the 16 x 16
lowest frequencies of the sketch's cosine transform. So the bits of the turned and mirrored picture
follow from those of the picture: a mirror changes the sign of every odd frequency.

Bits are in the order of their frequencies, the lowest first, because those survive most.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

SIDE = 32
"""The rows and columns of a sketch."""
BYTES = 32
"""The bytes of a hash. The first bit, which would be that of the mean level, is always 0."""
LEAST_QUALITY = 40
"""Pictures of a lower quality are too plain for their hashes to mean anything."""

Sketches: TypeAlias = npt.NDArray[np.uint8]
"""Grey levels (n, 32, 32)."""
Floats: TypeAlias = npt.NDArray[np.float32]
Bits: TypeAlias = npt.NDArray[np.uint8]
"""Hashes (n, 32), eight bits in each byte."""

_FREQUENCIES = 16
_FULL_QUALITY = 5.0
"""The mean difference of neighbouring pixels, in levels, from which on the quality is 100."""

_ROWS, _COLUMNS = (
    axis.ravel() for axis in np.meshgrid(range(_FREQUENCIES), range(_FREQUENCIES), indexing="ij")
)
_ORDER = np.lexsort((_COLUMNS, _ROWS + _COLUMNS, _ROWS**2 + _COLUMNS**2))
"""The places of the frequencies in the order of their bits."""


def _cosines() -> Floats:
    """Return the rows (16, 32) of the cosine transform for the lowest frequencies."""
    place = (2 * np.arange(SIDE) + 1) * np.pi / (2 * SIDE)
    cosines: Floats = np.cos(np.outer(np.arange(_FREQUENCIES), place)).astype(np.float32)
    return cosines


COSINES = _cosines()
"""What a sketch's rows and columns are multiplied by to get its spectrum, float32 (16, 32)."""

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
    """Return the hashes (n, 32) of sketches (n, 32, 32)."""
    return bits_of_spectra(COSINES @ sketches.astype(np.float32) @ COSINES.T)


def bits_of_spectra(spectra: Floats) -> Bits:
    """Return the hashes (n, 32) of spectra (n, 16, 16)."""
    signs = (spectra > 0).reshape(len(spectra), len(_ORDER))[:, _ORDER]
    signs[:, 0] = False
    return np.packbits(np.ascontiguousarray(signs), axis=1)


def turned_bits(bits: Bits, orientation: int) -> Bits:
    """Return the hashes (n, 32) of the pictures, each turned as the orientation says."""
    transposed, mirrored, upside_down = ORIENTATIONS[orientation]
    signs = np.empty((len(bits), len(_ORDER)), bool)
    signs[:, _ORDER] = np.unpackbits(bits, axis=1).view(bool)
    square = signs.reshape(len(bits), _FREQUENCIES, _FREQUENCIES)
    if transposed:
        square = square.swapaxes(1, 2).copy()
    if mirrored:
        square[:, :, 1::2] ^= True
    if upside_down:
        square[:, 1::2] ^= True
    signs = square.reshape(len(bits), len(_ORDER))[:, _ORDER]
    return np.packbits(np.ascontiguousarray(signs), axis=1)


def turned_sketches(sketches: Sketches, orientation: int) -> Sketches:
    """Return the sketches (n, 32, 32), each turned as the orientation says."""
    transposed, mirrored, upside_down = ORIENTATIONS[orientation]
    if transposed:
        sketches = sketches.swapaxes(1, 2)
    if mirrored:
        sketches = sketches[:, :, ::-1]
    return sketches[:, ::-1] if upside_down else sketches


def quality(sketch: Sketches) -> int:
    """Return how much there is in a sketch (32, 32) to tell it from others by, from 0 to 100."""
    levels = sketch.astype(np.int16)
    differences = [np.abs(np.diff(levels, axis=axis)).mean() for axis in (0, 1)]
    return min(100, round(100 * float(np.mean(differences)) / _FULL_QUALITY))


def distances(one: Bits, other: Bits) -> npt.NDArray[np.int64]:
    """Return how many bits differ, (n,), between each hash of (n, 32) and its counterpart."""
    different = np.bitwise_count(one.view(np.uint64) ^ other.view(np.uint64))
    count: npt.NDArray[np.int64] = different.sum(axis=1, dtype=np.int64)
    return count
