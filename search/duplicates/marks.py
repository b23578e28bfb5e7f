"""Whether the difference of two pictures is words or a watermark over one of them.

Letters have thin strokes with sharp edges and few colours, run across a part of the picture, and
are something added: where they are, the marked picture has edges that the other one has not. A
thing that has come into a scene is thicker, smoother or shorter, or its levels vary, and where a
thing has moved, both pictures have edges. When in doubt there is no mark, because people delete
copies.

Pictures have 256 x 256 pixels here.
"""

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
_ROUGH = 0.44
"""The least slope of the differences, as a share of the differences."""
_ADDED = 1.25
"""How many times steeper the marked picture must be at the edges of the mark."""
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
_OPAQUE = 0.05
"""How much of the picture shows through a mark at most that may have two colours."""
_SHOWN_THROUGH = np.arange(10) / 10
"""How much of the picture may show through a mark."""

Mask = npt.NDArray[np.bool_]


def is_mark(one: Floats, other: Floats, left: Floats) -> bool:
    """Return whether two pictures (256, 256) differ by a mark over one of them alone. `left` has
    their differences at each pixel, once a tone curve has made them alike; 0 where one of them
    shows nothing.
    """
    # Some of a mark's pixels are as bright as the picture, and its letters have soft edges.
    differ = _opened(_mean(left) > _LEAST_LEVELS + _SLOPE * np.minimum(_slope(one), _slope(other)))
    if np.count_nonzero(differ) < _LEAST_PIXELS or not _is_thin_and_long(differ):
        return False
    if _slope(left)[differ].mean() < _ROUGH * np.abs(left)[differ].mean():
        return False
    plain = one - left  # the other picture in the first one's levels
    return _is_over(plain, one, differ) or _is_over(one, plain, differ)


def _is_thin_and_long(differ: Mask) -> bool:
    if box_sums(differ[None], _THICK).max() >= _THICK**2:
        return False
    return max(_longest_run(np.unique(axis)) for axis in differ.nonzero()) >= _SPAN


def _longest_run(places: Rows) -> int:
    """Return how long the longest run of the places is, where gaps between letters do not count."""
    breaks = np.flatnonzero(np.diff(places) > _GAP)
    firsts, lasts = places[np.append(0, breaks + 1)], places[np.append(breaks, len(places) - 1)]
    return int((lasts - firsts).max()) + 1


def _is_over(plain: Floats, marked: Floats, differ: Mask) -> bool:
    """Return whether the second picture is the first one with a mark over it."""
    edges = _widened(differ) & ~_narrowed(differ)
    if _slope(marked)[edges].mean() < _ADDED * _slope(plain)[edges].mean():
        return False
    for share in _SHOWN_THROUGH.tolist():
        mark = marked - share * plain
        width = _CODING + _OWN * (1 - share)
        near = [_has_one_color(_greatest(sign * mark), differ, width) for sign in (1, -1)]
        if share <= _OPAQUE:
            near = [near[0] | near[1]]  # bright letters with dark edges, or the other way round
        if any(_is_most(strokes, differ) for strokes in near):
            return True
    return False


def _is_most(strokes: Mask, differ: Mask) -> bool:
    """Return whether most of the pixels that differ, and in each place some, are near strokes."""
    others = differ & ~strokes
    few = np.count_nonzero(others) <= (1 - _NEAR_STROKES) * np.count_nonzero(differ)
    return bool(few and box_sums(others[None], _PART).max() <= _MOST_OTHERS)


def _has_one_color(levels: Floats, among: Mask, width: float) -> Mask:
    """Return which pixels have levels within a window of this width, which is put where most of the
    pixels `among` have theirs.
    """
    ordered = np.sort(levels[among])
    counts = np.searchsorted(ordered, ordered + width, "right") - np.arange(len(ordered))
    least = ordered[counts.argmax()]
    found: Mask = (levels >= least) & (levels <= least + width)
    return found


def _slope(levels: Floats) -> Floats:
    down, across = np.gradient(levels)
    slope: Floats = np.hypot(down, across)
    return slope


def _mean(left: Floats) -> Floats:
    """Return how much each pixel and its neighbours differ on average."""
    mean: Floats = np.abs(smooth(left[None])[0])
    return mean


def _greatest(levels: Floats) -> Floats:
    """Return the greatest level in the square around each pixel."""
    half = _STROKE // 2
    wide = np.pad(levels, half, mode="edge")
    rows = np.lib.stride_tricks.sliding_window_view(wide, _STROKE, axis=0).max(axis=-1)
    found: Floats = np.lib.stride_tricks.sliding_window_view(rows, _STROKE, axis=1).max(axis=-1)
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
