"""Laying one sketch over another as well as possible, and telling how alike they then are.

An affine map takes places of the `inside` picture to places of the `around` picture, which may show
more. Coordinates run from -1 to 1 across a picture. The map is found by Gauss-Newton steps from a
start that is nearly right, on many pairs at the same time: first in sketches of half the size, and
then in whole ones. Brightness and contrast do not count, and pixels that differ a lot, such as
those of a watermark, count little.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sigseek.storage.perceptual_hash import SIDE, Sketches, halved
from sigseek.storage.records.arrays import Floats, Rows

Maps = npt.NDArray[np.float32]
"""Affine maps (n, 6): x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5."""
Margins = npt.NDArray[np.uint8]
"""Margins on the left, at the top, on the right and at the bottom (n, 4), in 256ths of a side."""

_Seen = TypeVar("_Seen")

_STEPS = 14
"""How often a map is improved in sketches of half the size."""
_FINE_STEPS = 6
"""How often it is then improved in whole sketches."""
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


def align(
    around: Sketches, inside: Sketches, starts: Maps, margins: Margins, least: tuple[float, float]
) -> Alignments:
    """Lay each sketch of `inside` (n, 64, 64) over its counterpart in `around`, from these starts
    (n, 6). Pictures with the same frame are alike there whatever they show, so how alike they are
    is told without these margins of `inside`.

    Pairs that have less than the `least` likeness, and then detail, at half of the size are not
    looked at further. What is not known of them is 0, or infinity for the difference.
    """
    if not len(starts):
        nothing = np.empty(0, np.float32)
        return Alignments(starts, nothing, nothing, nothing, nothing)
    parts = in_parts(
        lambda part: _align(around[part], inside[part], starts[part], margins[part], least),
        len(starts),
    )
    return Alignments(
        *(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(parts[0]))
    )


def in_parts(look: Callable[[slice], _Seen], count: int) -> list[_Seen]:
    """Return what `look` returns for each part of so many pairs, which several threads look at. A
    part is small, so memory does not grow with the number of pairs.
    """
    parts = [slice(first, first + _TOGETHER) for first in range(0, count, _TOGETHER)]
    with ThreadPoolExecutor(max(1, min(len(parts), os.cpu_count() or 1))) as threads:
        return list(threads.map(look, parts))


def improved(around: Floats, inside: Floats, maps: Maps) -> Maps:
    """Return maps that are nearly right as exact as these pictures (n, side, side) allow."""
    return _refined(around, inside, maps, _FINE_STEPS, _FINE_SETTLED * SIDE / around.shape[1])


def laid_over(around: Sketches | Floats, maps: Maps) -> tuple[Floats, Floats]:
    """Return what the pictures `around` (n, side, side) have where the maps take the pixels of the
    inside pictures, (n, side, side), and 1 where that is within them and 0 elsewhere.
    """
    levels, within = _sampled_sharply(around.astype(np.float32, copy=False), maps)
    return levels.reshape(around.shape), within.reshape(around.shape)


def _align(
    around: Sketches, inside: Sketches, starts: Maps, margins: Margins, least: tuple[float, float]
) -> Alignments:
    whole_around, whole_inside = around.astype(np.float32), inside.astype(np.float32)
    half_around, half_inside = halved(around), halved(inside)
    maps = _refined(half_around, smoothed_as(half_inside, starts), starts, _STEPS, _SETTLED)
    levels, within = _sampled_sharply(half_around, maps)
    within *= _without(margins, half_around.shape[1])
    wanted = smoothed_as(half_inside, maps).reshape(len(starts), -1)
    likeness = _trimmed_correlation(wanted, levels, within)
    detail, fine_detail = np.zeros_like(likeness), np.zeros_like(likeness)
    difference = np.full_like(likeness, np.inf)
    some = np.flatnonzero(likeness >= least[0])
    if len(some):
        detail[some] = _detail_likeness(wanted[some], levels[some], within[some])
        some = np.flatnonzero(detail >= least[1])
    if len(some):
        coarse = smoothed_as(whole_inside[some], maps[some])
        maps[some] = _refined(whole_around[some], coarse, maps[some], _FINE_STEPS, _FINE_SETTLED)
        levels, within = _sampled_sharply(whole_around[some], maps[some])
        within *= _without(margins[some], SIDE)
        wanted = smoothed_as(whole_inside[some], maps[some]).reshape(len(some), -1)
        fine_detail[some] = _detail_likeness(wanted, levels, within)
        difference[some] = _difference(wanted, levels, within)
    return Alignments(maps, likeness, detail, fine_detail, difference)


def _refined(around: Floats, inside: Floats, starts: Maps, steps: int, settled: float) -> Maps:
    """Improve the maps step by step, for sketches (n, side, side)."""
    around, wanted = smooth(around), smooth(inside).reshape(len(inside), -1)
    maps, moving = starts.copy(), np.arange(len(starts))
    for _ in range(steps):
        step = _step(around, wanted, maps[moving])
        length = np.abs(step).sum(axis=1, keepdims=True)
        maps[moving] += step * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-9))
        left = length[:, 0] > settled
        if not left.any():
            break
        if not left.all():
            moving, around, wanted = moving[left], around[left], wanted[left]
    return maps


def _step(around: Floats, wanted: Floats, maps: Maps) -> Maps:
    """Return the next step (n, 6) of each map. Pixels that differ a lot count little."""
    # Most of the time of a search goes into these lines. So they make few new arrays.
    levels, within, across, down = _sampled(around, maps)
    gain, level = _fit(wanted, levels, within)
    levels *= gain
    left = np.subtract(wanted, levels, out=levels)
    left -= level
    left *= within
    spread = 1.5 * np.sqrt((left**2).sum(1, keepdims=True) / within.sum(1, keepdims=True))
    weight = left / np.maximum(spread, 1.0)
    weight *= weight
    weight += 1
    np.divide(within, weight, out=weight)
    across *= gain
    down *= gain
    # A slope with regard to a number of the map is one of these times x, y or 1. So the products of
    # two of them are sums over the pixels of x x, x y and so on.
    slopes = np.empty((len(maps), 3, wanted.shape[1]), np.float32)
    targets = np.empty((len(maps), 2, wanted.shape[1]), np.float32)
    weighted = weight * across
    np.multiply(weighted, across, out=slopes[:, 0])
    np.multiply(weighted, down, out=slopes[:, 1])
    np.multiply(weight, down**2, out=slopes[:, 2])
    np.multiply(weighted, left, out=targets[:, 0])
    np.multiply(weight * down, left, out=targets[:, 1])
    factors, squares = _factors(around.shape[1])
    # Many small products, because BLAS divides a large one between threads, which are busy here.
    products = (slopes @ squares)[:, :, _SYMMETRIC]
    matrix = np.empty((len(maps), 6, 6), np.float32)
    matrix[:, :3, :3], matrix[:, 3:, 3:] = products[:, 0], products[:, 2]
    matrix[:, :3, 3:] = matrix[:, 3:, :3] = products[:, 1]
    target = (targets @ factors).reshape(-1, 6, 1)
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
    line = _line(side)
    y, x = (axis.ravel() for axis in np.meshgrid(line, line, indexing="ij"))
    return x, y


@cache
def _line(side: int) -> Floats:
    """Return x of the pixels (side,) of a row of a sketch, from -1 to 1."""
    line: Floats = ((2 * np.arange(side) + 1) / side - 1).astype(np.float32)
    return line


def _mapped(maps: Maps, side: int) -> tuple[Floats, Floats, Floats]:
    """Return the columns and rows (n, pixels), not whole, where the maps take a sketch's pixels,
    and 1 where that is within the sketch and 0 elsewhere.
    """
    line = _line(side)
    numbers = maps.T[:, :, None, None]
    middle = (side - 1) / 2
    within = np.broadcast_to(_not_outermost(side), (len(maps), side, side)).copy()
    axes = []
    for across, down, moved in (numbers[:3], numbers[3:]):
        axis = across * line + down * line[:, None]
        axis += moved
        axis += 1
        axis *= side / 2
        axis -= 0.5
        away = axis - middle
        within &= np.abs(away, out=away) <= side / 2
        axes.append(axis.reshape(len(maps), -1))
    return axes[0], axes[1], within.reshape(len(maps), -1).astype(np.float32)


@cache
def _not_outermost(side: int) -> npt.NDArray[np.bool_]:
    """Return which pixels (side, side) of a sketch are not outermost. What lies beyond a picture,
    such as a border, shows in these.
    """
    inner = np.abs(_line(side)) <= 1 - 3 / side
    return inner & inner[:, None]


def _sampled(around: Floats, maps: Maps) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what the sketches (n, side, side) have where the maps take the pixels of a sketch: the
    levels (n, pixels), 1 where that is within the sketch and 0 elsewhere, and how the levels change
    with x and y.
    """
    side = around.shape[1]
    column, row, within = _mapped(maps, side)
    left, top = (np.floor(axis).clip(0, side - 2) for axis in (column, row))
    right, low = (
        np.subtract(axis, before, out=axis).clip(0, 1, out=axis)
        for axis, before in ((column, left), (row, top))
    )
    top *= side
    top += left
    corner = top.astype(np.int64)
    corner += _firsts(around)
    flat = around.ravel()
    # What lies beside a pixel is at the same place of an array that begins later.
    a, b, c, d = (flat[offset:].take(corner) for offset in (0, 1, side, side + 1))
    b -= a
    d -= c
    a += right * b
    c += np.multiply(right, d, out=right)
    d -= b
    d *= low
    b += d
    b *= side / 2
    c -= a
    levels = low * c
    levels += a
    c *= side / 2
    return levels, within, b, c


def _sampled_sharply(around: Floats, maps: Maps) -> tuple[Floats, Floats]:
    """Return the first two of what `_sampled` gives, with less blur: by cubic curves through four
    pixels.
    """
    side = around.shape[1]
    column, row, within = _mapped(maps, side)
    for axis in (column, row):
        axis.clip(0, side - 1, out=axis)
    left, top = np.floor(column), np.floor(row)
    across_weights, down_weights = _cubic(column - left), _cubic(row - top)
    wide = np.pad(around, ((0, 0), (1, 2), (1, 2)), mode="edge")
    width = side + 3
    top *= width
    top += left
    corner = top.astype(np.int64)
    corner += _firsts(wide)
    flat = wide.ravel()
    levels = np.zeros_like(column)
    for line, down_weight in enumerate(down_weights):
        across = np.zeros_like(column)
        for place, weight in enumerate(across_weights):
            pixels = flat[line * width + place :].take(corner)
            pixels *= weight
            across += pixels
        across *= down_weight
        levels += across
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
    away = levels - mean
    products = weight * away
    products *= wanted - wanted_mean
    product = products.sum(axis=1, keepdims=True)
    away *= away
    away *= weight
    variance = away.sum(axis=1, keepdims=True)
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
    wide: Floats = np.pad(
        sketches.astype(np.float32, copy=False), ((0, 0), (1, 1), (1, 1)), mode="edge"
    )
    rows = _averaged(wide[:, :-2], wide[:, 1:-1], wide[:, 2:])
    return _averaged(rows[:, :, :-2], rows[:, :, 1:-1], rows[:, :, 2:])


def _averaged(before: Floats, middle: Floats, after: Floats) -> Floats:
    """Return the means of pixels and their neighbours, of which each counts half as much."""
    sums = 2 * middle
    sums += before
    sums += after
    sums /= 4
    return sums


def smoothed_as(inside: Floats, maps: Maps) -> Floats:
    """Return the pictures `inside` (n, side, side), smoothed as far as the other picture shows less
    detail of them.
    """
    scale = np.sqrt(np.abs(maps[:, 0] * maps[:, 4] - maps[:, 1] * maps[:, 3]))
    # A pixel of the other picture is the mean of a square that is wider by 1 / scale.
    variance = (1 / np.clip(scale, 0.3, 1) ** 2 - 1) / 12
    share = np.minimum(variance / _SMOOTHED, 1).astype(np.float32)[:, None, None]
    return inside + share * (smooth(inside) - inside)


def _detail_likeness(wanted: Floats, levels: Floats, within: Floats) -> Floats:
    """Return the likeness (n,) of the detail of two pictures (n, pixels) that lie over each
    other.
    """
    return _trimmed_correlation(_detail(wanted, within), _detail(levels, within), within)


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
