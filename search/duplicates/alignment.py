"""Laying one sketch over another as well as possible, and telling how alike they then are.

An affine map takes places of the `inside` picture to places of the `around` picture, which may show
more. Coordinates run from -1 to 1 across a picture. The map is found by Gauss-Newton steps from a
start that is nearly right, on many pairs at the same time. Brightness and contrast do not count,
and pixels that differ a lot, such as those of a watermark, count little.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.storage.perceptual_hash import SIDE, Sketches
from sigseek.storage.records.arrays import Floats, Rows

Maps = npt.NDArray[np.float32]
"""Affine maps (n, 6): x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5."""

_STEPS = 14
_LONGEST_STEP = 0.12
"""How far a step may move a corner of the picture."""
_DAMPING = 1e-3
_TRIMMED = 0.85
"""The likeness is that of this share of the pixels, those that agree best."""
_FINE = 0.85
_COARSE = 0.6
"""The scales of a map below which the inner picture is smoothed once, or twice, because the other
one shows less detail of it.
"""
_TOGETHER = 512
"""Pairs that are laid over each other at the same time."""

_PLACES = ((2 * np.arange(SIDE) + 1) / SIDE - 1).astype(np.float32)
_Y, _X = (axis.ravel() for axis in np.meshgrid(_PLACES, _PLACES, indexing="ij"))
_ONE = np.ones_like(_X)
_SPARSE = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)[2::4, 2::4].ravel()
"""The pixels by which starts are chosen."""


@dataclass(frozen=True)
class Alignments:
    """How pairs of sketches lie over each other, and how alike they are there."""

    maps: Maps
    likeness: Floats
    """The correlation (n,) of the pixels that agree best."""
    detail: Floats
    """The likeness (n,) of their fine detail alone. Two shots of one scene are alike in coarse
    structure, but not in detail.
    """
    overlap: Floats
    """The share (n,) of the inside picture that lies within the other one."""


def align(around: Sketches, inside: Sketches, starts: Maps) -> Alignments:
    """Lay each sketch of `inside` (n, 32, 32) over its counterpart in `around`, from these starts
    (n, 6).
    """
    parts = [
        _align(around[first : first + _TOGETHER], inside[first : first + _TOGETHER], some)
        for first in range(0, len(starts), _TOGETHER)
        for some in [starts[first : first + _TOGETHER]]
    ]
    if not parts:
        nothing = np.empty(0, np.float32)
        return Alignments(starts, nothing, nothing, nothing)
    return Alignments(
        np.concatenate([part.maps for part in parts]),
        np.concatenate([part.likeness for part in parts]),
        np.concatenate([part.detail for part in parts]),
        np.concatenate([part.overlap for part in parts]),
    )


def first_likeness(levels: Sketches, around: Rows, inside: Rows, starts: Maps) -> Floats:
    """Return a rough likeness (n,) of the sketches, laid over each other as the starts say.

    `around` and `inside` are places among the sketches `levels`. Only 64 smoothed pixels of a
    sketch are looked at, which is enough to choose between starts.
    """
    smooth = _smooth(_smooth(levels)).reshape(len(levels), -1)
    x, y = _X[_SPARSE], _Y[_SPARSE]
    column = (starts[:, 0:1] * x + starts[:, 2:3] + 1) * (SIDE / 2) - 0.5
    row = (starts[:, 4:5] * y + starts[:, 5:6] + 1) * (SIDE / 2) - 0.5
    place = np.clip(np.rint(row), 0, SIDE - 1) * SIDE + np.clip(np.rint(column), 0, SIDE - 1)
    found = smooth[around[:, None], place.astype(np.int64)]
    wanted = smooth[inside[:, None], _SPARSE]
    return _correlation(wanted, found, np.ones_like(found))


def _align(around: Sketches, inside: Sketches, starts: Maps) -> Alignments:
    smooth = _as_coarse(_smooth(inside), starts).reshape(len(starts), -1)
    maps = _refined(_smooth(around), smooth, starts.copy())
    levels, within = _sampled_sharply(around.astype(np.float32), maps)
    wanted = _as_coarse(inside.astype(np.float32), starts).reshape(len(starts), -1)
    likeness = _trimmed_correlation(wanted, levels, within)
    detail = _trimmed_correlation(_detail(wanted, within), _detail(levels, within), within)
    return Alignments(maps, likeness, detail, within.mean(axis=1))


def _refined(around: Floats, wanted: Floats, maps: Maps) -> Maps:
    """Improve the maps step by step, for smoothed sketches (n, 32, 32) and (n, 1024)."""
    for _ in range(_STEPS):
        levels, within, across, down = _sampled(around, maps)
        gain, level = _fit(wanted, levels, within)
        left = (wanted - gain * levels - level) * within
        spread = 1.5 * np.sqrt((left**2).sum(1, keepdims=True) / within.sum(1, keepdims=True))
        weight = within / (1 + (left / np.maximum(spread, 1.0)) ** 2)
        slopes = np.stack(
            [gain * slope * factor for slope in (across, down) for factor in (_X, _Y, _ONE)], axis=2
        )
        weighted = slopes * weight[:, :, None]
        matrix = np.matmul(weighted.swapaxes(1, 2), slopes)
        target = np.matmul(weighted.swapaxes(1, 2), left[:, :, None])
        diagonal = np.einsum("nii->ni", matrix)
        diagonal += _DAMPING * diagonal.mean(axis=1, keepdims=True) + 1e-3
        step = np.linalg.solve(matrix, target)[:, :, 0]
        length = np.abs(step).sum(axis=1, keepdims=True)
        maps += step * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-9))
    return maps


def _mapped(maps: Maps) -> tuple[Floats, Floats]:
    """Return the columns and rows (n, 1024), not whole, where the maps take a sketch's pixels."""
    column = (maps[:, 0:1] * _X + maps[:, 1:2] * _Y + maps[:, 2:3] + 1) * (SIDE / 2) - 0.5
    row = (maps[:, 3:4] * _X + maps[:, 4:5] * _Y + maps[:, 5:6] + 1) * (SIDE / 2) - 0.5
    return column, row


def _sampled(around: Floats, maps: Maps) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what the sketches (n, 32, 32) have where the maps take the pixels of a sketch: the
    levels (n, pixels), 1 where that is within the sketch and 0 elsewhere, and how the levels change
    with x and y.
    """
    column, row = _mapped(maps)
    within = ((np.abs(column - 15.5) <= 16) & (np.abs(row - 15.5) <= 16)).astype(np.float32)
    left = np.clip(np.floor(column), 0, SIDE - 2)
    top = np.clip(np.floor(row), 0, SIDE - 2)
    right, low = np.clip(column - left, 0, 1), np.clip(row - top, 0, 1)
    corner = (top * SIDE + left).astype(np.int64)
    flat = around.reshape(len(around), -1)
    a, b, c, d = (
        np.take_along_axis(flat, corner + offset, axis=1) for offset in (0, 1, SIDE, SIDE + 1)
    )
    upper, lower = a + right * (b - a), c + right * (d - c)
    across = (b - a) + low * ((d - c) - (b - a))
    return upper + low * (lower - upper), within, across * (SIDE / 2), (lower - upper) * (SIDE / 2)


def _sampled_sharply(around: Floats, maps: Maps) -> tuple[Floats, Floats]:
    """Return the first two of what `_sampled` gives, with less blur: by cubic curves through four
    pixels.
    """
    column, row = _mapped(maps)
    within = ((np.abs(column - 15.5) <= 16) & (np.abs(row - 15.5) <= 16)).astype(np.float32)
    column, row = np.clip(column, 0, SIDE - 1), np.clip(row, 0, SIDE - 1)
    left, top = np.floor(column), np.floor(row)
    flat = around.reshape(len(around), -1)
    levels = np.zeros_like(column)
    for down in range(-1, 3):
        line = np.clip(top + down, 0, SIDE - 1) * SIDE
        across = np.zeros_like(column)
        for right in range(-1, 3):
            place = line + np.clip(left + right, 0, SIDE - 1)
            across += _cubic(column - left - right) * np.take_along_axis(
                flat, place.astype(np.int64), axis=1
            )
        levels += _cubic(row - top - down) * across
    return levels, within


def _cubic(distance: Floats) -> Floats:
    """Return the weight of a pixel at this distance in a Catmull-Rom spline."""
    far = np.abs(distance)
    near = (1.5 * far - 2.5) * far**2 + 1
    beyond = ((2.5 - 0.5 * far) * far - 4) * far + 2
    return np.where(far < 1, near, np.where(far < 2, beyond, 0)).astype(np.float32)


def _fit(wanted: Floats, levels: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the gain and the level, each (n, 1), that bring `levels` nearest to `wanted`."""
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-6)
    mean = (weight * levels).sum(axis=1, keepdims=True) / total
    wanted_mean = (weight * wanted).sum(axis=1, keepdims=True) / total
    variance = (weight * (levels - mean) ** 2).sum(axis=1, keepdims=True)
    product = (weight * (levels - mean) * (wanted - wanted_mean)).sum(axis=1, keepdims=True)
    gain = product / np.maximum(variance, 1e-3)
    return gain, wanted_mean - gain * mean


def _trimmed_correlation(wanted: Floats, levels: Floats, within: Floats) -> Floats:
    """Return the correlation (n,) over the pixels that agree best."""
    weight = within
    for _ in range(2):
        gain, level = _fit(wanted, levels, weight)
        error = np.where(within > 0, np.abs(wanted - gain * levels - level), np.inf)
        count = np.maximum((_TRIMMED * within.sum(axis=1)).astype(np.int64), 1)
        most = np.take_along_axis(np.sort(error, axis=1), count[:, None] - 1, axis=1)
        weight = (error <= most).astype(np.float32)
    return _correlation(wanted, levels, weight)


def _correlation(wanted: Floats, levels: Floats, weight: Floats) -> Floats:
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-6)
    one = wanted - (weight * wanted).sum(axis=1, keepdims=True) / total
    other = levels - (weight * levels).sum(axis=1, keepdims=True) / total
    product = (weight * one * other).sum(axis=1)
    norms = (weight * one**2).sum(axis=1) * (weight * other**2).sum(axis=1)
    found: Floats = product / np.sqrt(np.maximum(norms, 1e-6))
    return found


def _smooth(sketches: Sketches | Floats) -> Floats:
    """Return the sketches (n, 32, 32), each pixel averaged with its neighbours."""
    wide: Floats = np.pad(sketches.astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    return ((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4).astype(
        np.float32, copy=False
    )


def _as_coarse(inside: Floats, maps: Maps) -> Floats:
    """Return the sketches (n, 32, 32), smoothed as far as the other picture shows less detail."""
    scale = np.sqrt(np.abs(maps[:, 0] * maps[:, 4] - maps[:, 1] * maps[:, 3]))
    once = _smooth(inside)
    found = np.where((scale < _FINE)[:, None, None], once, inside)
    return np.where((scale < _COARSE)[:, None, None], _smooth(once), found)


def _detail(levels: Floats, within: Floats) -> Floats:
    """Return the levels (n, 1024) without what is smooth in them."""
    shape = (len(levels), SIDE, SIDE)
    weight = _smooth(_smooth(within.reshape(shape)))
    smooth = _smooth(_smooth((levels * within).reshape(shape)))
    found = levels - (smooth / np.maximum(weight, 1e-3)).reshape(len(levels), -1)
    return found.astype(np.float32, copy=False)
