"""Laying one sketch over another as well as possible, and telling how alike they then are.

An affine map takes places of the `inside` picture to places of the `around` picture, which may show
more. Coordinates run from -1 to 1 across a picture. The map is found by Gauss-Newton steps from a
start that is nearly right, on many pairs at the same time: first in sketches of half the size, and
then in whole ones. Brightness and contrast do not count, and pixels that differ a lot, such as
those of a watermark, count little.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cache

import numpy as np
import numpy.typing as npt

from sigseek.storage.perceptual_hash import SIDE, Sketches, halved
from sigseek.storage.records.arrays import Floats, Rows

Maps = npt.NDArray[np.float32]
"""Affine maps (n, 6): x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5."""
Margins = npt.NDArray[np.uint8]
"""Margins on the left, at the top, on the right and at the bottom (n, 4), in 256ths of a side."""

_STEPS = 14
"""How often a map is improved in sketches of half the size."""
_FINE_STEPS = 6
"""How often it is then improved in whole sketches."""
_PROMISING = 0.9
"""Pairs that are less alike in sketches of half the size are not looked at further."""
_LONGEST_STEP = 0.12
"""How far a step may move a corner of the picture."""
_DAMPING = 1e-3
_SYMMETRIC = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
"""Where the products of x, y and 1 with each other are among the six different ones."""
_TRIMMED = 0.85
"""The likeness is that of this share of the pixels, those that agree best."""
_SMOOTHED = 0.5
"""The variance of the kernel of `smooth`, in pixels."""
_PART = 8
"""The width and height of a part of a sketch, in pixels."""
_LEAST_IN_PART = 20
"""The least pixels of a part within the other picture by which it can be judged."""
_CODING = 4.0
"""How many levels a part may differ by what coding lost."""
_SAMPLING = 0.3
"""The share of its slopes by which a part may differ, since sketches have few pixels."""
_SETTLED = 0.006
"""A map that a step changes by less, all numbers together, is not improved further in sketches of
half the size. One of their pixels is 0.0625.
"""
_FINE_SETTLED = 0.002
"""The same in whole sketches."""
_TOGETHER = 64
"""Pairs that are laid over each other at the same time, so that they fit the processor's cache."""


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


def align(around: Sketches, inside: Sketches, starts: Maps, margins: Margins) -> Alignments:
    """Lay each sketch of `inside` (n, 64, 64) over its counterpart in `around`, from these starts
    (n, 6). Pictures with the same frame are alike there whatever they show, so how alike they are
    is told without these margins of `inside`.
    """
    if not len(starts):
        nothing = np.empty(0, np.float32)
        return Alignments(starts, nothing, nothing, nothing, nothing)
    some = [slice(first, first + _TOGETHER) for first in range(0, len(starts), _TOGETHER)]
    with ThreadPoolExecutor(min(len(some), os.cpu_count() or 1)) as threads:
        parts = list(
            threads.map(
                lambda part: _align(around[part], inside[part], starts[part], margins[part]), some
            )
        )
    return Alignments(
        *(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(parts[0]))
    )


def improved(around: Floats, inside: Floats, maps: Maps) -> Maps:
    """Return maps that are nearly right as exact as these pictures (n, side, side) allow."""
    return _refined(around, inside, maps, _FINE_STEPS, _FINE_SETTLED * SIDE / around.shape[1])


def laid_over(around: Sketches | Floats, maps: Maps) -> tuple[Floats, Floats]:
    """Return what the pictures `around` (n, side, side) have where the maps take the pixels of the
    inside pictures, (n, side, side), and 1 where that is within them and 0 elsewhere.
    """
    levels, within = _sampled_sharply(around.astype(np.float32, copy=False), maps)
    return levels.reshape(around.shape), within.reshape(around.shape)


def _align(around: Sketches, inside: Sketches, starts: Maps, margins: Margins) -> Alignments:
    whole_around, whole_inside = around.astype(np.float32), inside.astype(np.float32)
    half_around, half_inside = halved(around), halved(inside)
    maps = _refined(half_around, smoothed_as(half_inside, starts), starts, _STEPS, _SETTLED)
    levels, within = _sampled_sharply(half_around, maps)
    within *= _without(margins, half_around.shape[1])
    wanted = smoothed_as(half_inside, maps).reshape(len(starts), -1)
    likeness = _trimmed_correlation(wanted, levels, within)
    detail = _trimmed_correlation(_detail(wanted, within), _detail(levels, within), within)
    fine_detail, difference = np.zeros_like(likeness), np.full_like(likeness, np.inf)
    some = np.flatnonzero(likeness >= _PROMISING)
    if len(some):
        coarse = smoothed_as(whole_inside[some], maps[some])
        maps[some] = _refined(whole_around[some], coarse, maps[some], _FINE_STEPS, _FINE_SETTLED)
        levels, within = _sampled_sharply(whole_around[some], maps[some])
        within *= _without(margins[some], SIDE)
        wanted = smoothed_as(whole_inside[some], maps[some]).reshape(len(some), -1)
        fine = _detail(wanted, within), _detail(levels, within), within
        fine_detail[some] = _trimmed_correlation(*fine)
        difference[some] = _difference(wanted, levels, within)
    return Alignments(maps, likeness, detail, fine_detail, difference)


def _refined(around: Floats, inside: Floats, starts: Maps, steps: int, settled: float) -> Maps:
    """Improve the maps step by step, for sketches (n, side, side)."""
    around, wanted = smooth(around), smooth(inside).reshape(len(inside), -1)
    maps, moving = starts.copy(), np.arange(len(starts))
    for _ in range(steps):
        step = _step(around[moving], wanted[moving], maps[moving])
        length = np.abs(step).sum(axis=1, keepdims=True)
        maps[moving] += step * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-9))
        moving = moving[length[:, 0] > settled]
        if not len(moving):
            break
    return maps


def _step(around: Floats, wanted: Floats, maps: Maps) -> Maps:
    """Return the next step (n, 6) of each map. Pixels that differ a lot count little."""
    levels, within, across, down = _sampled(around, maps)
    gain, level = _fit(wanted, levels, within)
    left = (wanted - gain * levels - level) * within
    spread = 1.5 * np.sqrt((left**2).sum(1, keepdims=True) / within.sum(1, keepdims=True))
    weight = within / (1 + (left / np.maximum(spread, 1.0)) ** 2)
    across, down = gain * across, gain * down
    # A slope with regard to a number of the map is one of these times x, y or 1. So the products of
    # two of them are sums over the pixels of x x, x y and so on.
    weighted = weight * across
    slopes = np.stack([weighted * across, weighted * down, weight * down**2], axis=1)
    factors, squares = _factors(around.shape[1])
    # Many small products, because BLAS divides a large one between threads, which are busy here.
    products = (slopes @ squares)[:, :, _SYMMETRIC]
    matrix = np.empty((len(maps), 6, 6), np.float32)
    matrix[:, :3, :3], matrix[:, 3:, 3:] = products[:, 0], products[:, 2]
    matrix[:, :3, 3:] = matrix[:, 3:, :3] = products[:, 1]
    target = (np.stack([weighted * left, weight * down * left], axis=1) @ factors).reshape(-1, 6, 1)
    diagonal = np.einsum("nii->ni", matrix)
    diagonal += _DAMPING * diagonal.mean(axis=1, keepdims=True) + 1e-3
    step: Maps = np.linalg.solve(matrix, target)[:, :, 0]
    return step


@cache
def _factors(side: int) -> tuple[Floats, Floats]:
    """Return x, y and 1 for the pixels of a sketch (side * side, 3), and their products (side *
    side, 6), each once.
    """
    x, y = places(side)
    factors = np.stack([x, y, np.ones_like(x)], axis=1)
    return factors, np.stack([x * x, x * y, x, y * y, y, np.ones_like(x)], axis=1)


@cache
def places(side: int) -> tuple[Floats, Floats]:
    """Return x and y of the pixels (side * side,) of a sketch, from -1 to 1."""
    line = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
    y, x = (axis.ravel() for axis in np.meshgrid(line, line, indexing="ij"))
    return x, y


def _mapped(maps: Maps, side: int) -> tuple[Floats, Floats, Floats]:
    """Return the columns and rows (n, pixels), not whole, where the maps take a sketch's pixels,
    and 1 where that is within the sketch and 0 elsewhere.
    """
    x, y = places(side)
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
    corner = _firsts(around) + (top * side + left).astype(np.int64)
    flat = around.ravel()
    a, b, c, d = (flat.take(corner + offset) for offset in (0, 1, side, side + 1))
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
    flat, firsts = around.ravel(), _firsts(around)
    columns = [np.clip(left + right, 0, side - 1).astype(np.int64) for right in range(-1, 3)]
    across_weights, down_weights = _cubic(column - left), _cubic(row - top)
    levels = np.zeros_like(column)
    for down, down_weight in zip(range(-1, 3), down_weights, strict=True):
        line = firsts + (np.clip(top + down, 0, side - 1) * side).astype(np.int64)
        across = np.zeros_like(column)
        for place, weight in zip(columns, across_weights, strict=True):
            across += weight * flat.take(line + place)
        levels += down_weight * across
    return levels, within


def _without(margins: Margins, side: int) -> Floats:
    """Return 1 for the pixels (n, side * side) of sketches inside of margins, 0 for others."""
    x, y = places(side)
    left, top, right, bottom = (margins.T[:, :, None] / 128).astype(np.float32)
    inside = (x >= left - 1) & (x <= 1 - right) & (y >= top - 1) & (y <= 1 - bottom)
    found: Floats = inside.astype(np.float32)
    return found


def _firsts(sketches: Floats) -> Rows:
    """Return the places (n, 1) of the sketches' first pixels when all are one row."""
    firsts: Rows = (np.arange(len(sketches)) * sketches[0].size)[:, None]
    return firsts


def _cubic(share: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the weights of four pixels in a Catmull-Rom spline that passes between the second and
    the third. `share` is how far it is from the second to the third, from 0 to 1.
    """
    square = share**2
    return (
        ((1 - 0.5 * share) * share - 0.5) * share,
        (1.5 * share - 2.5) * square + 1,
        ((2 - 1.5 * share) * share + 0.5) * share,
        (0.5 * share - 0.5) * square,
    )


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


def smooth(sketches: Sketches | Floats) -> Floats:
    """Return the sketches (n, side, side), each pixel averaged with its neighbours."""
    wide: Floats = np.pad(sketches.astype(np.float32), ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (wide[:, :-2] + 2 * wide[:, 1:-1] + wide[:, 2:]) / 4
    return ((rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4).astype(
        np.float32, copy=False
    )


def smoothed_as(inside: Floats, maps: Maps) -> Floats:
    """Return the pictures `inside` (n, side, side), smoothed as far as the other picture shows less
    detail of them.
    """
    scale = np.sqrt(np.abs(maps[:, 0] * maps[:, 4] - maps[:, 1] * maps[:, 3]))
    # A pixel of the other picture is the mean of a square that is wider by 1 / scale.
    variance = (1 / np.clip(scale, 0.3, 1) ** 2 - 1) / 12
    share = np.minimum(variance / _SMOOTHED, 1).astype(np.float32)[:, None, None]
    return inside + share * (smooth(inside) - inside)


def _detail(levels: Floats, within: Floats) -> Floats:
    """Return the levels (n, pixels) without what is smooth in them."""
    side = round(levels.shape[1] ** 0.5)
    shape = (len(levels), side, side)
    weight = smooth(smooth(within.reshape(shape)))
    smoothed = smooth(smooth((levels * within).reshape(shape)))
    found = levels - (smoothed / np.maximum(weight, 1e-3)).reshape(len(levels), -1)
    return found.astype(np.float32, copy=False)


def _difference(wanted: Floats, levels: Floats, within: Floats) -> Floats:
    """Return how much (n,) the third most different part differs between two pictures (n, pixels)
    that lie over each other.

    A part is a square of pixels. Where a thing has moved between two shots, whole parts differ. Two
    are let pass, because a corner may show what was put there.
    """
    shape = (len(wanted), SIDE, SIDE)
    wanted = smooth(wanted.reshape(shape))
    levels = smooth(levels.reshape(shape)).reshape(len(wanted), -1)
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
