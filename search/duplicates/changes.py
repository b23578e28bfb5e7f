"""Whether something in a scene has changed between two pictures that lie over each other.

Saving a picture again or resizing it leaves small differences everywhere. A thing that has moved or
come in between two shots makes a large difference in one place. Brightness and contrast do not
count, nor does any other curve that takes the levels of one picture to those of the other.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.duplicates.alignment import dot, smooth, straight_fit
from sigseek.storage.records.arrays import Floats

_CODING = 3.0
"""How many levels a place may differ by what coding lost."""
_SAMPLING = 0.35
"""The share of its slopes by which a place may differ, since sketches have few pixels."""
_PLACE = 3
"""The width and height of a place, in pixels of a sketch."""
_WITHIN = 1 - 1e-3
_SMOOTHED = 1
"""How often sketches are smoothed, because one may be sharper than the other."""
_TINY_SMOOTHED = 3
"""The same where one picture has about as few pixels as a sketch."""
_KNOTS = 8
"""The levels at which a tone curve may bend."""
_STIFF = 0.01
"""How much a tone curve resists bending. A curve that bends anywhere would hide a thing that has a
level of its own.
"""
_FITTED = 4_096
"""About how many pixels a tone curve is fitted to."""
_TIED = 1e-3
"""How much a tone curve is drawn to leave levels as they are, where no pixel tells more."""
_DARKEST, _BRIGHTEST = 4, 250
"""The levels beyond which a picture may have been cut off."""
_FITS = 4
"""How often a tone curve is fitted, each time with less weight for pixels that are far from it."""
_FITTING = threading.Lock()
"""Held while tone curves are fitted to a pair. Threads that fit at the same time would hand over
Python's own lock for each of many small arrays, and take twice as long.
"""


@dataclass(frozen=True)
class ToneCurve:
    """A curve of straight pieces that takes the levels of a picture to those of another one, which
    may be cut off where they would be darker than black or brighter than white.
    """

    knots: npt.NDArray[np.float64]
    values: npt.NDArray[np.float64]

    def of(self, levels: Floats) -> Floats:
        """Return what the curve makes of the levels."""
        found: Floats = np.interp(levels, self.knots, self.values).clip(0, 255).astype(np.float32)
        return found


def tone_curve(levels: Floats, wanted: Floats) -> ToneCurve:
    """Return the curve that brings `levels` (n,) nearest to `wanted` (n,) for most pixels."""
    knots = np.linspace(levels.min(), levels.max() + 1.0, _KNOTS)
    place = (levels.astype(np.float64) - knots[0]) / (knots[1] - knots[0])
    left = np.minimum(place.astype(np.int64), _KNOTS - 2)
    share = place - left
    bends = np.diff(np.eye(_KNOTS), 2, axis=0)
    stiff = _STIFF * len(levels) * bends.T @ bends + _TIED * np.eye(_KNOTS)
    # What was cut off says nothing about the curve.
    whole = (np.minimum(levels, wanted) > _DARKEST) & (np.maximum(levels, wanted) < _BRIGHTEST)
    weight = whole.astype(np.float64)
    values = knots
    for _ in range(_FITS):
        lower, upper = weight * (1 - share), weight * share
        between = np.bincount(left, lower * share, _KNOTS)[:-1]
        matrix = stiff + np.diag(between, 1) + np.diag(between, -1)
        matrix += np.diag(
            np.bincount(left, lower * (1 - share), _KNOTS)
            + np.bincount(left + 1, upper * share, _KNOTS)
        )
        target = _TIED * knots + np.bincount(left, lower * wanted, _KNOTS)
        target += np.bincount(left + 1, upper * wanted, _KNOTS)
        values = np.linalg.solve(matrix, target)
        error = np.abs(wanted - np.interp(levels, knots, values))
        weight = whole / (1 + (error / max(2.0, 3 * _median(error))) ** 2)
    return ToneCurve(knots, values)


def _median(values: npt.NDArray[np.float64]) -> float:
    """Return what numpy's `median` does, in a third of the time."""
    middle = [(len(values) - 1) // 2, len(values) // 2]
    return float(np.partition(values, middle)[middle].mean())


def differences(one: Floats, other: Floats, within: npt.NDArray[np.bool_]) -> Floats:
    """Return by how many levels the first picture is brighter than the other one, for pictures of
    any one shape, once a tone curve has made them alike. Curves are fitted to pixels `within`.

    No curve brings back what was cut off. So of the curves from each picture to the other one, the
    one that fits better counts at each pixel.
    """
    first, second = one[within], other[within]
    some = slice(None, None, 1 + len(first) // _FITTED)
    left = one - tone_curve(second[some], first[some]).of(other)
    other_way = tone_curve(first[some], second[some]).of(one) - other
    return np.where(np.abs(left) < np.abs(other_way), left, other_way)


@dataclass(frozen=True)
class Allowed:
    """How much the pictures of pairs may differ though nothing has changed."""

    most: npt.NDArray[np.float64]
    """How much (n,) they may differ in a place, where 1 is what coding and sampling may make."""
    tiny: npt.NDArray[np.bool_]
    """Whether one of them (n,) has about as few pixels as a sketch."""

    def part(self, pairs: npt.NDArray[np.int64] | slice) -> "Allowed":
        """Return what is allowed for some of the pairs."""
        return Allowed(self.most[pairs], self.tiny[pairs])


def changed(one: Floats, other: Floats, within: Floats, allowed: Allowed) -> npt.NDArray[np.bool_]:
    """Return in which of some pairs of sketches (n, 64, 64), which lie over each other, something
    has changed. `within` (n, 64, 64) has 1 where both show something and 0 elsewhere.
    """
    found = np.zeros(len(one), bool)
    for tiny, times in ((False, _SMOOTHED), (True, _TINY_SMOOTHED)):
        some = np.flatnonzero(allowed.tiny == tiny)
        if len(some):
            first, second, shown = (_smooth(side[some], times) for side in (one, other, within))
            found[some] = _changed(first, second, shown, allowed.most[some])
    return found


def changed_shares(
    one: Floats, other: Floats, within: Floats, allowed: Allowed
) -> npt.NDArray[np.float64]:
    """Return the share (n,) of their places in which some pairs of sketches, as for `changed`,
    differ by more than is allowed. None of them is tiny.
    """
    one, other, within = (_smooth(side, _SMOOTHED) for side in (one, other, within))
    inside = within > _WITHIN
    left = _straight_differences(one, other, inside)
    slopes = smooth(np.minimum(_slopes(one), _slopes(other)))
    differ = _each_place(left, slopes, inside) > allowed.most[:, None, None]
    shares: npt.NDArray[np.float64] = differ.mean(axis=(1, 2))
    return shares


def changed_by(
    left: Floats, one: Floats, other: Floats, within: Floats, allowed: Allowed
) -> npt.NDArray[np.bool_]:
    """Return what `changed` does, for pairs whose differences `left` (n, 64, 64) are known and of
    which all or none have a tiny picture.
    """
    times = _TINY_SMOOTHED if allowed.tiny.any() else _SMOOTHED
    left, one, other, within = (_smooth(side, times) for side in (left, one, other, within))
    slopes = smooth(np.minimum(_slopes(one), _slopes(other)))
    found: npt.NDArray[np.bool_] = _greatest(left, slopes, within > _WITHIN) > allowed.most
    return found


def place_changes(
    lefts: Sequence[Floats], one: Floats, other: Floats, within: Floats
) -> list[npt.NDArray[np.float64]]:
    """Return, for each of some differences (64, 64), how much each place (62, 62) differs, where 1
    is what coding and sampling may make in the two pictures `one` and `other` (64, 64). `within`
    (64, 64) has 1 where all pictures show something and 0 elsewhere.
    """
    *left, one, other, within = _smooth(np.stack([*lefts, one, other, within]), _SMOOTHED)
    slopes = smooth(np.minimum(*_slopes(np.stack([one, other])))[None])
    return [_each_place(some[None], slopes, within[None] > _WITHIN)[0] for some in left]


def _smooth(levels: Floats, times: int) -> Floats:
    for _ in range(times):
        levels = smooth(levels)
    return levels


def _changed(
    one: Floats, other: Floats, within: Floats, most: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(one), bool)
    inside = within > _WITHIN  # pixels whose neighbours show something, too
    slopes = smooth(np.minimum(_slopes(one), _slopes(other)))
    left = _straight_differences(one, other, inside)
    # A straight line does for most copies, and takes a fraction of the time.
    for place in np.flatnonzero(_greatest(left, slopes, inside) > most).tolist():
        some = slice(place, place + 1)
        if inside[place].any():
            with _FITTING:
                left = differences(one[place], other[place], inside[place])[None]
            found[place] = _greatest(left, slopes[some], inside[some])[0] > most[place]
    return found


def _straight_differences(one: Floats, other: Floats, inside: npt.NDArray[np.bool_]) -> Floats:
    """Return the differences (n, 64, 64) that are left when the contrast and brightness of the
    other pictures are made those of the first ones.
    """
    shape, within = one.shape, inside.reshape(len(inside), -1)
    one, other = one.reshape(within.shape), other.reshape(within.shape)
    weight, left = within.astype(np.float32), one - other
    for _ in range(_FITS):
        gain, level = straight_fit(one, other, weight)
        left = one - gain * other - level
        total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-6)
        spread = dot(weight * left, left) / total
        weight = within / (1 + left**2 / np.maximum(2 * spread, 4))
    return left.reshape(shape)


def _greatest(
    left: Floats, slopes: Floats, inside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return how much (n,) the most different place differs."""
    found: npt.NDArray[np.float64] = _each_place(left, slopes, inside).max(axis=(1, 2))
    return found


def _each_place(
    left: Floats, slopes: Floats, inside: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Return how much (n, places, places) each place differs."""
    shares = np.where(inside, left / (_CODING + _SAMPLING * slopes), 0) ** 2
    found: npt.NDArray[np.float64] = np.sqrt(box_sums(shares, _PLACE)) / _PLACE
    return found


def box_sums(values: npt.NDArray[np.generic], side: int) -> npt.NDArray[np.float64]:
    """Return the sums of the values (n, rows, columns) in each square of so many pixels."""
    sums = np.pad(values.astype(np.float64), ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    found: npt.NDArray[np.float64] = (
        sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side]
        + sums[:, :-side, :-side]
    )  # fmt: skip
    return np.maximum(found, 0)


def _slopes(levels: Floats) -> Floats:
    """Return how steep the pictures (n, rows, columns) are at each pixel, in levels."""
    found = np.zeros_like(levels)
    found[:, 1:-1] = ((levels[:, 2:] - levels[:, :-2]) / 2) ** 2
    found[:, :, 1:-1] += ((levels[:, :, 2:] - levels[:, :, :-2]) / 2) ** 2
    return np.sqrt(found)
