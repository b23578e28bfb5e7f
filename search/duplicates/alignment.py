"""Laying one sketch over another as well as possible, and telling how alike they then are.

An affine map takes places of the `inside` picture to places of the `around` picture, which may show
more. Coordinates run from -1 to 1 across a picture. The map is found by Gauss-Newton steps from a
start that is nearly right, on many pairs at the same time: first in sketches of half the size, and
then in whole ones. Brightness and contrast do not count, and pixels that differ a lot, such as
those of a watermark, count little.
"""

from collections.abc import Callable
from dataclasses import dataclass
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
_FACTORS = np.array([0, 1, 0]), np.array([1, 0, 0])
"""The powers of y and of x in x, y and 1."""
_SQUARES = tuple(power[:, None] + power for power in _FACTORS)
"""The powers of y and of x in the products of x, y and 1 with each other."""
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
_TOGETHER = 131_072
"""Pixels of pictures that a thread lays over others at the same time. With fewer, threads wait for
each other more often, and with more, the pictures no longer fit the processor's cache.
"""


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


@dataclass(frozen=True)
class _Planes:
    """Sketches, prepared to be sampled between their pixels."""

    side: int
    levels: Floats
    """The levels of all pixels, (n * side * side,), as are the others."""
    across: Floats
    """How much brighter the next pixel on the right is."""
    down: Floats
    """How much brighter the next pixel below is."""
    both: Floats
    """How much larger `across` is at the next pixel below."""


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
    coarse = in_parts(
        lambda part: _aligned_coarsely(
            around[part], inside[part], starts[part], margins[part], least
        ),
        len(starts),
        SIDE // 2,
    )
    maps, likeness, detail = (np.concatenate(column) for column in zip(*coarse, strict=True))
    fine_detail, difference = np.zeros_like(likeness), np.full_like(likeness, np.inf)
    alike = np.flatnonzero((likeness >= least[0]) & (detail >= least[1]))
    if len(alike):

        def look(part: slice) -> tuple[Maps, Floats, Floats]:
            some = alike[part]
            return _aligned_finely(around[some], inside[some], maps[some], margins[some])

        fine = in_parts(look, len(alike), SIDE)
        maps[alike], fine_detail[alike], difference[alike] = (
            np.concatenate(column) for column in zip(*fine, strict=True)
        )
    return Alignments(maps, likeness, detail, fine_detail, difference)


def in_parts(look: Callable[[slice], _Seen], count: int, side: int) -> list[_Seen]:
    """Return what `look` returns for each part of so many pairs of pictures with this side. A part
    is small, so memory does not grow with the number of pairs.
    """
    together = max(1, _TOGETHER // side**2)
    return [look(slice(first, first + together)) for first in range(0, count, together)]


def improved(around: Floats, inside: Floats, maps: Maps) -> Maps:
    """Return maps that are nearly right as exact as these pictures (n, side, side) allow."""
    return _refined(around, inside, maps, _FINE_STEPS, _FINE_SETTLED * SIDE / around.shape[1])


def laid_over(around: Sketches | Floats, maps: Maps) -> tuple[Floats, Floats]:
    """Return what the pictures `around` (n, side, side) have where the maps (n, 6) take the pixels
    of the inside pictures, (n, side, side), and 1 where that is within them and 0 elsewhere. One
    map (1, 6) may be for all pictures.
    """
    levels, within = _sampled_sharply(around.astype(np.float32, copy=False), maps)
    return levels.reshape(around.shape), within.reshape(-1, *around.shape[1:])


def _aligned_coarsely(
    around: Sketches, inside: Sketches, starts: Maps, margins: Margins, least: tuple[float, float]
) -> tuple[Maps, Floats, Floats]:
    """Return the maps, the likeness, and the likeness of the detail, at half of the size."""
    half_around, half_inside = halved(around), halved(inside)
    maps = _refined(half_around, smoothed_as(half_inside, starts), starts, _STEPS, _SETTLED)
    levels, within = _sampled_sharply(half_around, maps)
    within *= _without(margins, half_around.shape[1])
    wanted = smoothed_as(half_inside, maps).reshape(len(starts), -1)
    likeness = _trimmed_correlation(wanted, levels, within)
    detail = np.zeros_like(likeness)
    some = np.flatnonzero(likeness >= least[0])
    if len(some):
        detail[some] = _detail_likeness(wanted[some], levels[some], within[some])
    return maps, likeness, detail


def _aligned_finely(
    around: Sketches, inside: Sketches, maps: Maps, margins: Margins
) -> tuple[Maps, Floats, Floats]:
    """Return better maps, the likeness of the finest detail, and the differences of parts."""
    whole_around, whole_inside = around.astype(np.float32), inside.astype(np.float32)
    coarse = smoothed_as(whole_inside, maps)
    maps = _refined(whole_around, coarse, maps, _FINE_STEPS, _FINE_SETTLED)
    levels, within = _sampled_sharply(whole_around, maps)
    within *= _without(margins, SIDE)
    wanted = smoothed_as(whole_inside, maps).reshape(len(maps), -1)
    return (
        maps,
        _detail_likeness(wanted, levels, within),
        _difference(wanted, levels, within),
    )


def _refined(around: Floats, inside: Floats, starts: Maps, steps: int, settled: float) -> Maps:
    """Improve the maps step by step, for sketches (n, side, side)."""
    planes = _planes(_centred(smooth(around)))
    wanted = _centred(smooth(inside)).reshape(len(inside), -1)
    maps, moving = starts.copy(), np.arange(len(starts))
    for _ in range(steps):
        step = _step(planes, moving, wanted, maps[moving])
        length = np.abs(step).sum(axis=1, keepdims=True)
        maps[moving] += step * np.minimum(1, _LONGEST_STEP / np.maximum(length, 1e-9))
        left = length[:, 0] > settled
        if not left.any():
            break
        if not left.all():
            moving, wanted = moving[left], wanted[left]
    return maps


def _centred(levels: Floats) -> Floats:
    """Return the sketches (n, side, side) with a mean level of 0 each."""
    centred: Floats = levels - levels.mean(axis=(1, 2), keepdims=True)
    return centred


def _step(planes: _Planes, moving: Rows, wanted: Floats, maps: Maps) -> Maps:
    """Return the next step (n, 6) of each map. Pixels that differ a lot count little. `planes` are
    those of all sketches, and `moving` (n,) tells which of them the maps lead to. The levels of
    sketches have a mean of 0.
    """
    # Most of the time of a search goes into these lines. So they make few new arrays.
    side = planes.side
    levels, within, across, down = _sampled(planes, moving, maps)
    gain, level, count = _straight_line(wanted, levels, within)
    levels *= gain
    left = np.subtract(wanted, levels, out=levels)
    left -= level
    left *= within
    spread = np.maximum(1.5 * np.sqrt(dot(left, left) / count), 1)
    weight = left * (1 / spread)
    weight *= weight
    weight += 1
    np.divide(within, weight, out=weight)
    # A slope with regard to a number of the map is one of these times x, y or 1. So the products of
    # two of them are sums over the pixels of x x, x y and so on.
    products = np.empty((len(maps), 5, side * side), np.float32)
    across_weighted, down_weighted = weight * across, np.multiply(weight, down, out=weight)
    np.multiply(across_weighted, across, out=products[:, 0])
    np.multiply(across_weighted, down, out=products[:, 1])
    np.multiply(down_weighted, down, out=products[:, 2])
    np.multiply(across_weighted, left, out=products[:, 3])
    np.multiply(down_weighted, left, out=products[:, 4])
    powers = _powers(side)
    # Many small products, because BLAS divides a large one between threads, which are busy here.
    of_rows = (products.reshape(len(maps), -1, side) @ powers).reshape(len(maps), 5, side, 3)
    sums = powers.T @ of_rows  # by the power of y, and then by that of x
    squares = sums[:, :3][:, :, *_SQUARES]
    matrix = np.empty((len(maps), 6, 6), np.float32)
    matrix[:, :3, :3], matrix[:, 3:, 3:] = squares[:, 0], squares[:, 2]
    matrix[:, :3, 3:] = matrix[:, 3:, :3] = squares[:, 1]
    target = sums[:, 3:][:, :, *_FACTORS].reshape(-1, 6, 1)
    to_levels = (gain * (side / 2))[:, :, None]
    matrix *= to_levels**2
    target *= to_levels
    diagonal = np.einsum("nii->ni", matrix)
    diagonal += _DAMPING * diagonal.mean(axis=1, keepdims=True) + 1e-3
    step: Maps = np.linalg.solve(matrix, target)[:, :, 0]
    return step


def _straight_line(wanted: Floats, levels: Floats, within: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what `straight_fit` does, and how many pixels (n, 1) are within. Both have a mean of
    about 0, so that sums of squares are exact enough.
    """
    count: Floats = np.maximum(dot(within, within), 1e-6)
    weighted = within * levels
    total = dot(within, levels)
    mean: Floats = total / count
    wanted_mean: Floats = dot(within, wanted) / count
    variance: Floats = np.maximum(dot(weighted, levels) - total * mean, 1e-3)
    product: Floats = dot(weighted, wanted) - total * wanted_mean
    gain: Floats = product / variance
    return gain, wanted_mean - gain * mean, count


def dot(one: Floats, other: Floats) -> Floats:
    """Return the sum (n, 1) of the products of the pixels (n, pixels)."""
    sums: Floats = np.vecdot(one, other)[:, None]
    return sums


@cache
def _powers(side: int) -> Floats:
    """Return 1, x and x x for the pixels of a row (side, 3) of a sketch."""
    line = _line(side)
    return np.stack([np.ones_like(line), line, line * line], axis=1)


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
    middle, half = (side - 1) / 2, side / 2
    within = np.broadcast_to(_not_outermost(side), (len(maps), side, side)).copy()
    axes = []
    for across, down, moved in np.split(half * maps.T[:, :, None], 2):
        axis = (across * line)[:, None, :] + (down * line + (moved + middle))[:, :, None]
        within &= axis >= middle - half
        within &= axis <= middle + half
        axes.append(axis.reshape(len(maps), -1))
    return axes[0], axes[1], within.reshape(len(maps), -1).astype(np.float32)


@cache
def _not_outermost(side: int) -> npt.NDArray[np.bool_]:
    """Return which pixels (side, side) of a sketch are not outermost. What lies beyond a picture,
    such as a border, shows in these.
    """
    inner = np.abs(_line(side)) <= 1 - 3 / side
    return inner & inner[:, None]


def _planes(sketches: Floats) -> _Planes:
    """Return the planes of sketches (n, side, side). They mean nothing for the last pixel of a row
    or column.
    """
    side = sketches.shape[1]
    levels = sketches.ravel()
    across, down, both = (np.zeros_like(levels) for _ in range(3))
    np.subtract(levels[1:], levels[:-1], out=across[:-1])
    np.subtract(levels[side:], levels[:-side], out=down[:-side])
    np.subtract(across[side:], across[:-side], out=both[:-side])
    return _Planes(side, levels, across, down, both)


def _sampled(planes: _Planes, which: Rows, maps: Maps) -> tuple[Floats, Floats, Floats, Floats]:
    """Return what these of the sketches (n,) have where the maps take the pixels of a sketch: the
    levels (n, pixels), 1 where that is within the sketch and 0 elsewhere, and how the levels change
    from a column to the next one and from a row to the next one.
    """
    side = planes.side
    column, row, within = _mapped(maps, side)
    # Below the last pixel, so that each place has a next pixel on the right and below.
    last = np.nextafter(np.float32(side - 1), np.float32(0))
    left, top = (np.floor(axis.clip(0, last, out=axis)) for axis in (column, row))
    right, low = np.subtract(column, left, out=column), np.subtract(row, top, out=row)
    top *= side
    top += left
    corner = top.astype(np.int64)
    corner += which[:, None] * side**2
    a, b, c, d = (
        plane.take(corner) for plane in (planes.levels, planes.across, planes.down, planes.both)
    )
    across = low * d
    across += b
    d *= right
    d += c
    right *= across
    low *= c
    a += right
    a += low
    return a, within, across, d


def _sampled_sharply(around: Floats, maps: Maps) -> tuple[Floats, Floats]:
    """Return the first two of what `_sampled` gives, with less blur: by cubic curves through four
    pixels.
    """
    side = around.shape[1]
    column, row, within = _mapped(maps, side)
    for axis in (column, row):
        axis.clip(0, side - 1, out=axis)
    left, top = np.floor(column), np.floor(row)
    across_weights = _cubic(np.subtract(column, left, out=column))
    down_weights = _cubic(np.subtract(row, top, out=row))
    wide = _widened(around)
    width = side + 3
    top *= width
    top += left
    corner = top.astype(np.int64)
    corner = corner + (np.arange(len(wide)) * width**2)[:, None]
    flat = wide.ravel()
    levels = np.zeros(corner.shape, np.float32)
    pixels, across = np.empty_like(levels), np.empty_like(levels)
    for line, down_weight in enumerate(down_weights):
        across.fill(0)
        for place, weight in enumerate(across_weights):
            # With the mode "raise", a copy of the output would be made.
            flat[line * width + place :].take(corner, out=pixels, mode="clip")
            pixels *= weight
            across += pixels
        across *= down_weight
        levels += across
    return levels, within


def _widened(sketches: Floats) -> Floats:
    """Return the sketches (n, side, side) with their edges repeated, once on the left and at the
    top, and twice on the right and at the bottom.
    """
    count, side, _ = sketches.shape
    wide = np.empty((count, side + 3, side + 3), np.float32)
    wide[:, 1:-2, 1:-2] = sketches
    wide[:, 0, 1:-2] = sketches[:, 0]
    wide[:, -2:, 1:-2] = sketches[:, -1:]
    wide[:, :, 0] = wide[:, :, 1]
    wide[:, :, -2:] = wide[:, :, -3, None]
    return wide


def _without(margins: Margins, side: int) -> Floats:
    """Return 1 for the pixels (n, side * side) of sketches inside of margins, 0 for others."""
    x, y = places(side)
    left, top, right, bottom = (margins.T[:, :, None] / 128).astype(np.float32)
    inside = (x >= left - 1) & (x <= 1 - right) & (y >= top - 1) & (y <= 1 - bottom)
    found: Floats = inside.astype(np.float32)
    return found


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


def straight_fit(wanted: Floats, levels: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the gain and the level, each (n, 1), that bring `levels` nearest to `wanted`."""
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-6)
    mean, wanted_mean = dot(weight, levels) / total, dot(weight, wanted) / total
    away = levels - mean
    weighted = weight * away
    variance: Floats = np.maximum(dot(weighted, away), 1e-3)
    gain: Floats = dot(weighted, wanted - wanted_mean) / variance
    return gain, wanted_mean - gain * mean


def _trimmed_correlation(wanted: Floats, levels: Floats, within: Floats) -> Floats:
    """Return the correlation (n,) over the pixels that agree best."""
    weight = within
    for _ in range(2):
        gain, level = straight_fit(wanted, levels, weight)
        error = np.where(within > 0, np.abs(wanted - gain * levels - level), np.inf)
        count = np.maximum((_TRIMMED * within.sum(axis=1)).astype(np.int64), 1)
        most = np.take_along_axis(np.sort(error, axis=1), count[:, None] - 1, axis=1)
        weight = (error <= most).astype(np.float32)
    return _correlation(wanted, levels, weight)


def _correlation(wanted: Floats, levels: Floats, weight: Floats) -> Floats:
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-6)
    one = wanted - dot(weight, wanted) / total
    other = levels - dot(weight, levels) / total
    weighted_one, weighted_other = weight * one, weight * other
    norms = dot(weighted_one, one) * dot(weighted_other, other)
    found: Floats = (dot(weighted_one, other) / np.sqrt(np.maximum(norms, 1e-6)))[:, 0]
    return found


def smooth(sketches: Sketches | Floats) -> Floats:
    """Return the sketches (n, side, side), each pixel averaged with its neighbours."""
    levels = np.ascontiguousarray(sketches, np.float32)
    rows: Floats = 2 * levels
    rows[:, 1:] += levels[:, :-1]
    rows[:, 0] += levels[:, 0]
    rows[:, :-1] += levels[:, 1:]
    rows[:, -1] += levels[:, -1]
    sums: Floats = 2 * rows
    # All rows as one, because numpy takes longer for many short rows. Then the ends are mended.
    line, sums_of_line = rows.reshape(-1), sums.reshape(-1)
    sums_of_line[1:] += line[:-1]
    sums_of_line[:-1] += line[1:]
    sums[:, :, 0] = 3 * rows[:, :, 0] + rows[:, :, 1]
    sums[:, :, -1] = 3 * rows[:, :, -1] + rows[:, :, -2]
    sums /= 16
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
    side = round(wanted.shape[1] ** 0.5)
    shape = (len(wanted), side, side)
    weight: Floats = np.maximum(smooth(smooth(within.reshape(shape))), 1e-3)

    def detail(each: Floats) -> Floats:
        smoothed = smooth(smooth((each * within).reshape(shape)))
        smoothed /= weight
        return each - smoothed.reshape(each.shape)

    return _trimmed_correlation(detail(wanted), detail(levels), within)


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
        gain, level = straight_fit(flat, levels, weight)
        left = flat - gain * levels - level
        count = np.maximum(weight.sum(axis=1, keepdims=True), 1)
        spread = 1.5 * np.sqrt(dot(weight * left, left) / count)
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
    rows = values.reshape(len(values), parts, _PART, SIDE).sum(axis=2)
    sums: Floats = rows.reshape(len(values), parts, parts, _PART).sum(axis=3)
    return sums
