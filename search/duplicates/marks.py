"""Whether the difference of two pictures is words or a watermark over one of them.

Letters have thin strokes with sharp edges and few colours, run across a part of the picture, and
are something added: where they are, the marked picture has edges that the other one has not. A
thing that has come into a scene is thicker, smoother or shorter, or its levels vary, and where a
thing has moved, both pictures have edges. Only bright letters through which a pattern shows may
have fainter edges than the pattern. Beside a mark such a thing may be small. So every place that
differs must do so by as much of the mark's colours as may be there. When in doubt there is no mark,
because people delete copies.

Pictures are planes (4, 256, 256) here: the grey levels, and red, green and blue.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from sigseek.search.duplicates.alignment import smooth
from sigseek.search.duplicates.changes import box_sums
from sigseek.storage.records.arrays import Floats, Rows

_LEAST_LEVELS = 6.0
"""How many levels a pixel must differ to belong to a mark."""
_SLOPE = 0.5
"""The share of its slope by which it must differ in addition."""
_LEAST_PIXELS = 150
"""The least pixels of a mark by which it can be told from other things."""
_SPAN = 64
"""The least width or height of a mark, in pixels."""
_GAP = 8
"""How many pixels may lie between two letters."""
_THICK = 22
"""No square of this side may differ in all of its pixels."""
_ROUGH = 0.3
"""The least slope of the differences, as a share of the differences. Strokes that are 6 pixels wide
have it.
"""
_ADDED = 1.25
"""How many times steeper the marked picture must be at the edges of the mark."""
_TRANSLUCENT = 0.4
"""The least share of a picture that shows through a mark which need not be so steep."""
_SURE = 0.2
"""How far such a mark may come to each of the limits of others, as a share of it."""
_STROKE = 7
"""The width and height of squares of pixels in each of which a stroke has its full colour."""
_CODING = 8.0
"""How many levels that colour may vary by what coding lost."""
_OWN = 20.0
"""How many levels it may vary in addition, times the share of it in what is seen."""
_NEAR_STROKES = 0.8
"""The least share of the pixels of a mark that are near a stroke of that colour."""
_PART = 8
"""The width and height of a part of a mark, in pixels."""
_MOST_OTHERS = 44
"""The most pixels of a part that are near no stroke. Most of them are where a thing has come in as
well.
"""
_FULL = 1.1
"""How much stronger than in most of its strokes a mark may be."""
_LEAST_COLORED = 20
"""The least pixels by which a colour of a mark is known."""
_CONTRAST = 150.0
"""How many levels lie at least between the two colours of letters with an outline."""
_LIKE_COLOR = 40.0
"""How many levels less bright, or dark, pixels of these colours may be."""
_OUTLINED = 5
"""How many pixels away both colours are at most, across and down."""
_SHARP = 0.2
"""The share of the steepest slope by which pixels may differ from what a mark makes of them, since
coding leaves shadows of sharp edges.
"""
_SPREAD = 4
"""How often colours are smoothed."""
_MOST_UNLIKE = 40
"""The most pixels of a part that may differ from what a mark makes of them."""
_SHOWN_THROUGH = np.arange(10) / 10
"""How much of the picture may show through a mark."""

Mask = npt.NDArray[np.bool_]


def is_mark(one: Floats, other: Floats, left: Floats) -> bool:
    """Return whether two pictures differ by a mark over one of them alone. `left` has their
    differences at each pixel, once tone curves have made them alike; 0 where one of them shows
    nothing.
    """
    slopes = _slope(one[0]), _slope(other[0])
    least = _LEAST_LEVELS + _SLOPE * np.minimum(*slopes)
    # Some of a mark's pixels are as bright as the picture, and its letters have soft edges.
    differ = _opened(np.abs(_smoothed(left[0])) > least)
    if np.count_nonzero(differ) < _LEAST_PIXELS or not _is_thin_and_long(differ):
        return False
    if _slope(left[0])[differ].mean() < _ROUGH * np.abs(left[0])[differ].mean():
        return False
    steepest = np.max([_slope(plane) for plane in (*one, *other)], axis=0)
    most = least + _SHARP * _smoothed(steepest)
    plain = one - left  # the other picture in the first one's levels
    return _is_over(plain, one, differ, most) or _is_over(one, plain, differ, most)


def _is_thin_and_long(differ: Mask) -> bool:
    if box_sums(differ[None], _THICK).max() >= _THICK**2:
        return False
    return max(_longest_run(np.unique(axis)) for axis in differ.nonzero()) >= _SPAN


def _longest_run(places: Rows) -> int:
    """Return how long the longest run of the places is, where gaps between letters do not count."""
    breaks = np.flatnonzero(np.diff(places) > _GAP)
    firsts, lasts = places[np.append(0, breaks + 1)], places[np.append(breaks, len(places) - 1)]
    return int((lasts - firsts).max()) + 1


def _is_over(plain: Floats, marked: Floats, differ: Mask, most: Floats) -> bool:
    """Return whether the second picture is the first one with a mark over it. Pixels may differ by
    `most` levels (256, 256) from what the mark makes of them.
    """
    edges = _widened(differ) & ~_narrowed(differ)
    left = (marked - plain)[1:]
    shares, tolerance = _SHOWN_THROUGH, 1.0
    if _slope(marked[0])[edges].mean() < _ADDED * _slope(plain[0])[edges].mean():
        # The edges of translucent letters are lost among those of a pattern that shows through. But
        # what darkens a pattern may be a shadow.
        if left[:, differ].mean() < 0:
            return False
        shares, tolerance = shares[shares >= _TRANSLUCENT], _SURE
    for share in shares.tolist():
        for strokes, inks in _guesses(plain, marked, differ, share):
            if _is_most(strokes, differ, tolerance):
                unlike = _error(left - _nearest(left, inks)) > most
                if box_sums(unlike[None], _PART).max() <= tolerance * _MOST_UNLIKE:
                    return True
    return False


def _guesses(
    plain: Floats, marked: Floats, differ: Mask, share: float
) -> Iterator[tuple[Mask, list[Floats]]]:
    """Yield marks that there may be if this share of the picture shows through: the pixels near
    their strokes, and by how much each of their colours changes pixels, (3, 256, 256).
    """
    mark = marked - share * plain
    width = _CODING + _OWN * (1 - share)
    colored: list[Mask] = []
    for sign in (1, -1):
        levels = np.where(differ, sign * mark[0], -np.inf).astype(np.float32)
        strokes = _greatest(levels)
        least = _most_common(strokes[differ], width)
        core = (levels >= least) & (levels <= least + width)
        if np.count_nonzero(core) >= _LEAST_COLORED:
            colored.append(core)
            ink = _FULL * (_median(mark, core) - (1 - share) * plain[1:]).astype(np.float32)
            yield (strokes >= least) & (strokes <= least + width), [ink]
    if share == 0 and len(colored) == 2:  # bright letters with dark edges, or the other way round
        brightest, darkest = (float(np.median(marked[0][core])) for core in colored)
        if brightest - darkest >= _CONTRAST:
            near = _near(marked[0] >= brightest - _LIKE_COLOR)
            near &= _near(marked[0] <= darkest + _LIKE_COLOR)
            yield near, [_median(marked, core) - plain[1:] for core in colored]


def _error(left: Floats) -> Floats:
    """Return how many levels (256, 256) are left of differences (3, 256, 256). Files have colours
    in fewer pixels than grey levels, so those of sharp edges spread.
    """
    grey = left.mean(axis=0)
    color = left - grey
    for _ in range(_SPREAD):
        color = _smoothed(color)
    error: Floats = np.maximum(np.abs(_smoothed(grey)), np.abs(color).max(axis=0))
    return error


def _median(planes: Floats, among: Mask) -> Floats:
    """Return the median colour (3, 1, 1) of these pixels."""
    median: Floats = np.median(planes[1:, among], axis=1).astype(np.float32)[:, None, None]
    return median


def _nearest(left: Floats, inks: list[Floats]) -> Floats:
    """Return what is nearest to the differences `left` (3, 256, 256) of all that a little or much
    of one or two colours makes at each pixel.
    """
    if len(inks) == 1:
        return _on_line(left, inks[0])
    one, other = inks
    squares = _dot(one, one), _dot(one, other), _dot(other, other)
    shares = _dot(left, one), _dot(left, other)
    determinant = np.maximum(squares[0] * squares[2] - squares[1] * squares[1], np.float32(1))
    first = (squares[2] * shares[0] - squares[1] * shares[1]) / determinant
    second = (squares[0] * shares[1] - squares[1] * shares[0]) / determinant
    found = first * one + second * other
    # Where one colour would have to be taken away, or more than the whole pixel to be covered, the
    # nearest is on an edge of the triangle of no colour and both.
    outside = np.minimum(np.minimum(first, second), 1 - first - second) < 0
    edges = [_on_line(left, one), _on_line(left, other), one + _on_line(left - one, other - one)]
    away = np.stack([_dot(left - edge, left - edge) for edge in edges]).argmin(axis=0)
    nearest = np.where(outside, np.choose(away, edges), found)
    return nearest.astype(np.float32, copy=False)


def _on_line(left: Floats, ink: Floats) -> Floats:
    """Return the part of a colour that is nearest to the differences at each pixel."""
    share = np.clip(_dot(left, ink) / np.maximum(_dot(ink, ink), np.float32(1)), 0, 1)
    return (share * ink).astype(np.float32, copy=False)


def _dot(one: Floats, other: Floats) -> Floats:
    product: Floats = (one * other).sum(axis=0)
    return product


def _is_most(strokes: Mask, differ: Mask, tolerance: float) -> bool:
    """Return whether most of the pixels that differ, and in each place some, are near strokes. Of
    as many others as there may be, this share is tolerated.
    """
    others = differ & ~strokes
    most = tolerance * (1 - _NEAR_STROKES) * np.count_nonzero(differ)
    few = np.count_nonzero(others) <= most
    return bool(few and box_sums(others[None], _PART).max() <= tolerance * _MOST_OTHERS)


def _most_common(levels: Floats, width: float) -> float:
    """Return where a window of this width begins that holds the most of the levels (n,)."""
    ordered = np.sort(levels)
    counts = np.searchsorted(ordered, ordered + width, "right") - np.arange(len(ordered))
    return float(ordered[counts.argmax()])


def _slope(levels: Floats) -> Floats:
    down, across = np.gradient(levels)
    slope: Floats = np.hypot(down, across)
    return slope


def _smoothed(levels: Floats) -> Floats:
    """Return pictures of any number of planes, each pixel averaged with its neighbours."""
    smoothed: Floats = smooth(levels.reshape(-1, *levels.shape[-2:])).reshape(levels.shape)
    return smoothed


def _greatest(levels: Floats) -> Floats:
    """Return the greatest level in the square around each pixel."""
    half = _STROKE // 2
    wide = np.pad(levels, half, mode="edge")
    rows = np.lib.stride_tricks.sliding_window_view(wide, _STROKE, axis=0).max(axis=-1)
    found: Floats = np.lib.stride_tricks.sliding_window_view(rows, _STROKE, axis=1).max(axis=-1)
    return found


def _near(mask: Mask) -> Mask:
    """Return the pixels that have one of the mask not far away."""
    found: Mask = box_sums(np.pad(mask, _OUTLINED)[None], 2 * _OUTLINED + 1)[0] > 0.5
    return found


def _opened(mask: Mask) -> Mask:
    """Return the pixels that belong to squares of 2 x 2 pixels of the mask."""
    squares = np.zeros((len(mask) + 1, mask.shape[1] + 1), bool)
    squares[1:-1, 1:-1] = mask[1:, 1:] & mask[1:, :-1] & mask[:-1, 1:] & mask[:-1, :-1]
    opened: Mask = squares[1:, 1:] | squares[1:, :-1] | squares[:-1, 1:] | squares[:-1, :-1]
    return opened


def _widened(mask: Mask) -> Mask:
    """Return the mask and the pixels next to it."""
    wide = np.pad(mask, 1)
    found: Mask = mask | wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]
    return found


def _narrowed(mask: Mask) -> Mask:
    return ~_widened(~mask)
