"""Laying one sketch over another as well as possible, and telling how alike they then are.

An affine map takes places of the `inside` picture to places of the `around` picture, which may show
more. Coordinates run from -1 to 1 across a picture. The map is found by Gauss-Newton steps from a
start that is nearly right, on many pairs at the same time: first in sketches of half the size, and
then in whole ones. Brightness and contrast do not count, and pixels that differ a lot, such as
those of a watermark, count little.
"""

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import numpy.typing as npt

from sigseek.storage.perceptual_hash import SIDE, Sketches, halved
from sigseek.storage.records.arrays import Floats, Rows

Maps = npt.NDArray[np.float32]
"""Affine maps (n, 6): x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5."""

_STEPS = 14
"""How often a map is improved in sketches of half the size."""
_FINE_STEPS = 6
"""How often it is then improved in whole sketches."""
_PROMISING = 0.9
"""Pairs that are less alike in sketches of half the size are not looked at further."""
_LONGEST_STEP = 0.12
"""How far a step may move a corner of the picture."""
_DAMPING = 1e-3
_TRIMMED = 0.85
"""The likeness is that of this share of the pixels, those that agree best."""
_SMOOTHED = 0.5
"""The variance of the kernel of `_smooth`, in pixels."""
_PART = 8
"""The width and height of a part of a sketch, in pixels."""
_LEAST_IN_PART = 20
"""The least pixels of a part within the other picture by which it can be judged."""
_CODING = 4.0
"""How many levels a part may differ by what coding lost."""
_SAMPLING = 0.3
"""By which share of its slopes a part may differ, since sketches have few pixels."""
_TOGETHER = 512
"""Pairs that are laid over each other at the same time."""


@dataclass(frozen=True)
class Alignments:
    """How pairs of sketches lie over each other, and how alike they are there."""

    maps: Maps
    likeness: Floats
    """The correlation (n,) of the pixels that agree best, at half of the size."""
    detail: Floats
    """The likeness (n,) of their detail alone, at half of the size. Two shots of one scene are
    alike in coarse structure, but not in detail.
    """
    fine_detail: Floats
    """The likeness (n,) of their finest detail."""
    difference: Floats
    """How much (n,) the third most different part of the inside picture differs, where 1 is what
    coding and sampling may make.
    """


def align(around: Sketches, inside: Sketches, starts: Maps) -> Alignments:
    """Lay each sketch of `inside` (n, 64, 64) over its counterpart in `around`, from these starts
    (n, 6).
    """
    if not len(starts):
        nothing = np.empty(0, np.float32)
        return Alignments(starts, nothing, nothing, nothing, nothing)
    parts = [
        _align(around[some], inside[some], starts[some])
        for first in range(0, len(starts), _TOGETHER)
        for some in [slice(first, first + _TOGETHER)]
    ]
    return Alignments(
        *(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(parts[0]))
    )


def first_likeness(levels: Sketches, around: Rows, inside: Rows, starts: Maps) -> Floats:
    """Return a rough likeness (n,) of the sketches, laid over each other as the starts say.

    `around` and `inside` are places among the sketches `levels`. Only 64 smoothed pixels of a
    sketch are looked at, which is enough to choose between starts.
    """
    side = SIDE // 2
    smooth = _smooth(_smooth(halved(levels))).reshape(len(levels), -1)
    sparse = np.arange(side * side).reshape(side, side)[2::4, 2::4].ravel()
    x, y = (axis[sparse] for axis in _places(side))
    column = (starts[:, 0:1] * x + starts[:, 2:3] + 1) * (side / 2) - 0.5
    row = (starts[:, 4:5] * y + starts[:, 5:6] + 1) * (side / 2) - 0.5
    place = np.clip(np.rint(row), 0, side - 1) * side + np.clip(np.rint(column), 0, side - 1)
    found = smooth[around[:, None], place.astype(np.int64)]
    wanted = smooth[inside[:, None], sparse]
    return _correlation(wanted, found, np.ones_like(found))


def _align(around: Sketches, inside: Sketches, starts: Maps) -> Alignments:
    whole_around, whole_inside = around.astype(np.float32), inside.astype(np.float32)
    half_around, half_inside = halved(around), halved(inside)
    maps = _refined(half_around, _as_coarse(half_inside, starts), starts, _STEPS)
    levels, within = _sampled_sharply(half_around, maps)
    wanted = _as_coarse(half_inside, maps).reshape(len(starts), -1)
    likeness = _trimmed_correlation(wanted, levels, within)
    detail = _trimmed_correlation(_detail(wanted, within), _detail(levels, within), within)
    fine_detail, difference = np.zeros_like(likeness), np.full_like(likeness, np.inf)
    some = np.flatnonzero(likeness >= _PROMISING)
    if len(some):
        coarse = _as_coarse(whole_inside[some], maps[some])
        maps[some] = _refined(whole_around[some], coarse, maps[some], _FINE_STEPS)
        levels, within = _sampled_sharply(whole_around[some], maps[some])
        wanted = _as_coarse(whole_inside[some], maps[some]).reshape(len(some), -1)
        fine = _detail(wanted, within), _detail(levels, within), within
        fine_detail[some] = _trimmed_correlation(*fine)
        difference[some] = _difference(wanted, levels, within)
    return Alignments(maps, likeness, detail, fine_detail, difference)


def _refined(around: Floats, inside: Floats, starts: Maps, steps: int) -> Maps:
    """Improve the maps step by step, for sketches (n, side, side)."""
    side = around.shape[1]
    around, wanted = _smooth(around), _smooth(inside).reshape(len(inside), -1)
    x, y = _places(side)
    maps = starts.copy()
    for _ in range(steps):
        levels, within, across, down = _sampled(around, maps)
        gain, level = _fit(wanted, levels, within)
        left = (wanted - gain * levels - level) * within
        spread = 1.5 * np.sqrt((left**2).sum(1, keepdims=True) / within.sum(1, keepdims=True))
        weight = within / (1 + (left / np.maximum(spread, 1.0)) ** 2)
        slopes = np.stack(
            [gain * slope * factor for slope in (across, down) for factor in (x, y, 1)], axis=2
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


@cache
def _places(side: int) -> tuple[Floats, Floats]:
    """Return x and y of the pixels (side * side,) of a sketch, from -1 to 1."""
    places = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
    y, x = (axis.ravel() for axis in np.meshgrid(places, places, indexing="ij"))
    return x, y


def _mapped(maps: Maps, side: int) -> tuple[Floats, Floats, Floats]:
    """Return the columns and rows (n, pixels), not whole, where the maps take a sketch's pixels,
    and 1 where that is within the sketch and 0 elsewhere.
    """
    x, y = _places(side)
    column = (maps[:, 0:1] * x + maps[:, 1:2] * y + maps[:, 2:3] + 1) * (side / 2) - 0.5
    row = (maps[:, 3:4] * x + maps[:, 4:5] * y + maps[:, 5:6] + 1) * (side / 2) - 0.5
    middle = (side - 1) / 2
    within = (np.abs(column - middle) <= side / 2) & (np.abs(row - middle) <= side / 2)
    # What lies beyond a picture, such as a border, shows in its outermost pixels.
    edge = 1 - 3 / side
    within &= (np.abs(x) <= edge) & (np.abs(y) <= edge)
    return column, row, within.astype(np.float32)


def _sampled(around: Floats, maps: Maps) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what the sketches (n, side, side) have where the maps take the pixels of a sketch: the
    levels (n, pixels), 1 where that is within the sketch and 0 elsewhere, and how the levels change
    with x and y.
    """
    side = around.shape[1]
    column, row, within = _mapped(maps, side)
    left = np.clip(np.floor(column), 0, side - 2)
    top = np.clip(np.floor(row), 0, side - 2)
    right, low = np.clip(column - left, 0, 1), np.clip(row - top, 0, 1)
    corner = (top * side + left).astype(np.int64)
    flat = around.reshape(len(around), -1)
    a, b, c, d = (
        np.take_along_axis(flat, corner + offset, axis=1) for offset in (0, 1, side, side + 1)
    )
    upper, lower = a + right * (b - a), c + right * (d - c)
    across = (b - a) + low * ((d - c) - (b - a))
    return upper + low * (lower - upper), within, across * (side / 2), (lower - upper) * (side / 2)


def _sampled_sharply(around: Floats, maps: Maps) -> tuple[Floats, Floats]:
    """Return the first two of what `_sampled` gives, with less blur: by cubic curves through four
    pixels.
    """
    side = around.shape[1]
    column, row, within = _mapped(maps, side)
    column, row = np.clip(column, 0, side - 1), np.clip(row, 0, side - 1)
    left, top = np.floor(column), np.floor(row)
    flat = around.reshape(len(around), -1)
    levels = np.zeros_like(column)
    for down in range(-1, 3):
        line = np.clip(top + down, 0, side - 1) * side
        across = np.zeros_like(column)
        for right in range(-1, 3):
            place = line + np.clip(left + right, 0, side - 1)
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
    """Return the sketches (n, side, side), each pixel averaged with its neighbours."""
    wide: Floats = np.pad(sketches.astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    return ((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4).astype(
        np.float32, copy=False
    )


def _as_coarse(inside: Floats, maps: Maps) -> Floats:
    """Return the sketches (n, side, side), smoothed as far as the other picture shows less detail
    of them.
    """
    scale = np.sqrt(np.abs(maps[:, 0] * maps[:, 4] - maps[:, 1] * maps[:, 3]))
    # A pixel of the other picture is the mean of a square that is wider by 1 / scale.
    variance = (1 / np.clip(scale, 0.3, 1) ** 2 - 1) / 12
    share = np.minimum(variance / _SMOOTHED, 1).astype(np.float32)[:, None, None]
    return inside + share * (_smooth(inside) - inside)


def _detail(levels: Floats, within: Floats) -> Floats:
    """Return the levels (n, pixels) without what is smooth in them."""
    side = round(levels.shape[1] ** 0.5)
    shape = (len(levels), side, side)
    weight = _smooth(_smooth(within.reshape(shape)))
    smooth = _smooth(_smooth((levels * within).reshape(shape)))
    found = levels - (smooth / np.maximum(weight, 1e-3)).reshape(len(levels), -1)
    return found.astype(np.float32, copy=False)


def _difference(wanted: Floats, levels: Floats, within: Floats) -> Floats:
    """Return how much (n,) the third most different part differs between two pictures (n, pixels)
    that lie over each other.

    A part is a square of pixels. Where a thing has moved between two shots, whole parts differ. Two
    are let pass, because a corner may show what was put there.
    """
    shape = (len(wanted), SIDE, SIDE)
    wanted = _smooth(wanted.reshape(shape))
    levels = _smooth(levels.reshape(shape)).reshape(len(wanted), -1)
    slopes = np.zeros_like(wanted)
    slopes[:, 1:] += np.diff(wanted, axis=1) ** 2
    slopes[:, :, 1:] += np.diff(wanted, axis=2) ** 2
    flat, weight = wanted.reshape(len(wanted), -1), within
    for _ in range(3):
        gain, level = _fit(flat, levels, weight)
        left = flat - gain * levels - level
        spread = 1.5 * np.sqrt(
            (left**2 * weight).sum(1, keepdims=True) / np.maximum(weight.sum(1, keepdims=True), 1)
        )
        weight = within / (1 + (left / np.maximum(spread, 1)) ** 2)
    count = np.maximum(_sums(within), 1)
    error = np.sqrt(_sums(left**2 * within) / count)
    slope = np.sqrt(_sums(slopes.reshape(len(wanted), -1) * within) / count)
    share = np.where(count > _LEAST_IN_PART, error / (_CODING + _SAMPLING * slope), 0)
    found: Floats = np.sort(share.reshape(len(wanted), -1), axis=1)[:, -3].astype(np.float32)
    return found


def _sums(values: Floats) -> Floats:
    """Return the sums (n, parts, parts) of values (n, pixels) over the parts of a sketch."""
    parts = SIDE // _PART
    sums: Floats = values.reshape(len(values), parts, _PART, parts, _PART).sum(axis=(2, 4))
    return sums
