"""Whether two photos are one shot, told by laying their sketches over each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.duplicates.alignment import Alignments, Maps, align, first_likeness
from sigseek.search.duplicates.sketch_rows import SketchRows, read_levels, row_sizes
from sigseek.storage import CatalogReader
from sigseek.storage.perceptual_hash import (
    LEAST_QUALITY,
    ORIENTATIONS,
    Sketches,
    distances,
    turn,
    turned_bits,
    turned_sketches,
)
from sigseek.storage.records.arrays import Rows

Sizes = dict[int, tuple[int, int]]

LIKENESS = 0.97
"""The least likeness of two forms of one shot that show the same frame or are turned a little."""
STILL_DETAIL = 0.97
"""The least likeness of their detail, if both show the same frame. Shots of a burst from a tripod
show the same frame, too, but differ in detail.
"""
_TINY = 128
"""A picture that is narrower or lower than this, in pixels, has too little detail for
STILL_DETAIL.
"""
_TINY_DETAIL = 0.92
"""The least likeness of their detail, if both show the same frame and one is tiny."""
_STILL = 0.04
"""Two pictures show the same frame if their map differs by at most this from the identity."""
CROP_LIKENESS = 0.95
"""The least likeness of a crop and what it is a crop of."""
CROP_DETAIL = 0.85, 0.8
"""The least likeness of their detail, and of their finest detail."""
FRAMED_DETAIL = 0.8, 0.75
"""The same if one has a frame that was left out, which is found to a hundredth of a picture."""
TURNED_DETAIL = 0.86, 0.83
"""The same for pictures that are turned a little."""
_EXTRA_DETAIL = 0.025
"""This is added to the least likeness of detail for pairs that their hashes did not confirm. Most
are candidates because of their embeddings, and second shots of a scene have like embeddings, too.
"""
DIFFERENCE = 1.5
"""The greatest difference of parts, in that which coding makes. Between two shots of a scene
something mostly moves, and there whole parts differ.
"""
TURNED_DIFFERENCE = 2.4
"""The same for pictures that are turned a little, whose corners are other ones."""
_STRAIGHT = math.radians(0.3), math.radians(0.6), 1.012
"""How far a crop may be turned, slanted and stretched by what is measured inexactly. A camera in a
hand turns more from one shot to the next.
"""
_FRAMED_STRAIGHT = math.radians(0.35), math.radians(0.7), 1.03
"""The same if one has a frame that was left out."""
_LEAST_TURN = math.radians(0.7)
_CENTRED = 0.02
"""How far the middle of a turned picture may be from that of the other one, where 2 is a whole
width, and how far its size may differ. Two shots rarely have the same middle.
"""
_MOST_TURN = math.radians(6)
_BEYOND = 0.02
"""How far the smaller picture may reach beyond the other one, where 2 is a whole width. Two shots
of one scene mostly reach beyond each other.
"""
_FRAMED_BEYOND = 0.07
"""How far the smaller picture may reach beyond one that has a frame. A plain edge of it may have
been taken for a part of the frame.
"""
_OTHER_MARGINS = 0.06
"""By how much the shares that two photos have inside of their plain margins must differ for these
parts to be compared. Otherwise the margins are a scene's own, such as a white wall, and two shots
of it would agree without them, however the frame moved.
"""
_SCALES = (1.0, 0.85, 0.7, 0.55)
"""How large a picture may lie in the other one, in parts of its width or height."""
_SPACING = 0.2
"""How far apart the places are where a smaller picture is first laid, where 2 is a whole width."""
_STARTS = 2
"""How many of the first places are improved; these are the most alike ones."""
_LEAST_FIRST = 0.7
"""The least likeness at a first place that can be improved enough."""
_NOTHING_CHANGED = np.array([1, 0, 0, 0, 1, 0], np.float32)


@dataclass(frozen=True)
class Overlays:
    """Guesses that one picture lies in another one."""

    around: Rows
    """The rows (n,) of the pictures that may show more."""
    inside: Rows
    """The rows (n,) of the pictures that lie in them."""
    ways: Rows
    """The place in ORIENTATIONS, (n,), of how to turn `around` so that it lies as `inside` does."""
    starts: Maps
    """Guesses of where `inside` lies in `around`, (n, 6)."""

    @classmethod
    def of_pairs(
        cls, around: Rows, inside: Rows, way: int = 0, scale: tuple[float, float] = (1.0, 1.0)
    ) -> Overlays:
        """Return guesses that are all alike: turned in this way, and in the middle."""
        starts = np.tile(_NOTHING_CHANGED, (len(around), 1))
        starts[:, 0], starts[:, 4] = scale
        return cls(around, inside, np.full(len(around), way), starts)

    @classmethod
    def turned(
        cls, around: Rows, inside: Rows, degrees: float, shapes: npt.NDArray[np.float64]
    ) -> Overlays:
        """Return guesses that each picture is the other one turned by so much. `shapes` has the
        heights (n,) of the pictures `around` as shares of their widths.
        """
        starts = np.zeros((len(around), 6), np.float32)
        for place, shape in enumerate(shapes.tolist()):
            starts[place, [0, 1, 3, 4]] = turn(degrees, shape)
        return cls(around, inside, np.zeros(len(around), np.int64), starts)

    def __len__(self) -> int:
        return len(self.around)

    def part(self, rows: npt.NDArray[np.int64] | slice) -> Overlays:
        """Return some of the guesses."""
        return Overlays(self.around[rows], self.inside[rows], self.ways[rows], self.starts[rows])


def joined(parts: Sequence[Overlays]) -> Overlays:
    """Return the guesses of all parts, of which there is one at least."""
    return Overlays(
        np.concatenate([part.around for part in parts]),
        np.concatenate([part.inside for part in parts]),
        np.concatenate([part.ways for part in parts]),
        np.concatenate([part.starts for part in parts]),
    )


@dataclass(frozen=True)
class _Shapes:
    """How maps change the shapes of pictures."""

    turn: npt.NDArray[np.float64]
    """The angles (n,) by which they turn, in radians."""
    slant: npt.NDArray[np.float64]
    """The angles (n,) by which they turn one side more than the other."""
    stretch: npt.NDArray[np.float64]
    """The ratio (n,) of how much they enlarge width and height, 1 or more."""


class CloseLook:
    """Tells which of some pairs of photos are one shot.

    `photo_ids` are the ids of all photos in the pairs.
    """

    def __init__(
        self, catalog: CatalogReader, rows: SketchRows, photo_ids: npt.NDArray[np.int64]
    ) -> None:
        self.rows = rows
        self._sizes = catalog.picture_sizes(photo_ids.tolist())
        self._known = np.flatnonzero(np.isin(rows.ids, photo_ids))
        self._levels = read_levels(catalog, rows, self._known)

    def confirmed(self, overlays: Overlays, extra_detail: float = 0.0) -> npt.NDArray[np.bool_]:
        """Return, for each guess, whether the two pictures are one shot. `extra_detail` is added to
        the least likeness of their detail.
        """
        around = self._sketches(overlays.around).copy()
        for way in range(1, len(ORIENTATIONS)):
            turned = overlays.ways == way
            around[turned] = turned_sketches(around[turned], way)
        found = align(around, self._sketches(overlays.inside), overlays.starts)
        return self._is_one_shot(overlays, found, extra_detail)

    def same_shot(self, pairs: Sequence[tuple[int, int]]) -> list[bool]:
        """Return, for each pair of photos, whether they are one shot, wherever in the larger one
        the smaller one may lie.
        """
        same = np.zeros(len(pairs), bool)
        likely = [self._likely(number, *pair) for number, pair in enumerate(pairs)]
        parts = [overlays for overlays, _ in likely if len(overlays)]
        if parts:
            owners = np.concatenate([of for _, of in likely])
            same[owners[self.confirmed(joined(parts), _EXTRA_DETAIL)]] = True
        return same.tolist()

    def _likely(self, number: int, one: int, other: int) -> tuple[Overlays, Rows]:
        """Return the likely guesses about two photos, each with this number."""
        whole, inner = self.rows.of_photos(np.array([one, other]))
        nothing = Overlays.of_pairs(np.empty(0, np.int64), np.empty(0, np.int64))
        parts = [nothing]
        if (whole >= 0).all():
            for first in dict.fromkeys((int(whole[0]), int(inner[0]))):
                for second in dict.fromkeys((int(whole[1]), int(inner[1]))):
                    if min(self.rows.quality[[first, second]]) >= LEAST_QUALITY:
                        parts += self._guesses(first, second)
        found = joined(parts)
        return found, np.full(len(found), number)

    def _guesses(self, first: int, second: int) -> list[Overlays]:
        """Return the guess that one is the other turned, and the likeliest places of each in the
        other.
        """
        rows = np.array([first]), np.array([second])
        turned = Overlays.of_pairs(*rows, self._nearest_way(first, second))
        places = joined([self._places(first, second), self._places(second, first)])
        around, inside = self._places_of(places.around), self._places_of(places.inside)
        alike = first_likeness(self._levels, around, inside, places.starts)
        best = np.argsort(-alike)[:_STARTS]
        return [turned, places.part(best[alike[best] >= _LEAST_FIRST])]

    def _nearest_way(self, first: int, second: int) -> int:
        bits = self.rows.bits[[first]]
        turned = np.concatenate([turned_bits(bits, way) for way in range(len(ORIENTATIONS))])
        other = np.repeat(self.rows.bits[[second]], len(turned), axis=0)
        return int(distances(turned, other).argmin())

    def _places(self, around: int, inside: int) -> Overlays:
        """Return guesses that `inside` shows a part of `around`, not stretched."""
        (width, height), (inner_width, inner_height) = row_sizes(
            self.rows, np.array([around, inside]), self._sizes
        )
        across, down = inner_width / width, inner_height / height
        starts = [
            (x_scale, 0, x, 0, y_scale, y)
            for largest in _SCALES
            for x_scale, y_scale in [
                (largest * across / max(across, down), largest * down / max(across, down))
            ]
            for x in _spread(1 - x_scale)
            for y in _spread(1 - y_scale)
        ]
        rows = np.full(len(starts), around), np.full(len(starts), inside)
        return Overlays(*rows, np.zeros(len(starts), np.int64), np.array(starts, np.float32))

    def _places_of(self, rows: Rows) -> Rows:
        return np.searchsorted(self._known, rows)

    def _sketches(self, rows: Rows) -> Sketches:
        return self._levels[self._places_of(rows)]

    def _is_one_shot(
        self, overlays: Overlays, found: Alignments, extra_detail: float
    ) -> npt.NDArray[np.bool_]:
        quality, inner = self.rows.quality, self.rows.inner
        rich = np.minimum(quality[overlays.around], quality[overlays.inside]) >= LEAST_QUALITY
        framed = inner[overlays.around] | inner[overlays.inside]
        across, down = found.maps[:, :3], found.maps[:, 3:]
        reach = np.maximum(
            np.abs(across[:, 0]) + np.abs(across[:, 2]), np.abs(down[:, 1]) + np.abs(down[:, 2])
        )
        within = reach <= 1 + np.where(inner[overlays.around], _FRAMED_BEYOND, _BEYOND)
        shapes = self._shapes(overlays, found.maps)
        one_form = (
            self._show_the_same_frame(overlays, found)
            | _is_crop(found, shapes, framed, extra_detail)
            | _is_turned(found, shapes, extra_detail)
        )
        same: npt.NDArray[np.bool_] = rich & within & self._have_other_margins(overlays) & one_form
        return same

    def _show_the_same_frame(self, overlays: Overlays, found: Alignments) -> npt.NDArray[np.bool_]:
        still = (np.abs(found.maps - _NOTHING_CHANGED) <= _STILL).all(axis=1)
        tiny = np.minimum(self._shortest(overlays.around), self._shortest(overlays.inside)) < _TINY
        alike = found.detail >= np.where(tiny, _TINY_DETAIL, STILL_DETAIL)
        same: npt.NDArray[np.bool_] = still & alike & (found.likeness >= LIKENESS)
        return same

    def _shortest(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Return the shorter side of the photos of these rows, in pixels."""
        sizes = [self._sizes[id_] for id_ in self.rows.ids[rows].tolist()]
        shortest: npt.NDArray[np.float64] = np.array(sizes, np.float64).reshape(-1, 2).min(axis=1)
        return shortest

    def _have_other_margins(self, overlays: Overlays) -> npt.NDArray[np.bool_]:
        """Return whether the guesses are of whole pictures, or else of photos whose plain margins
        differ.
        """
        rows = self.rows
        shares = []
        for side in (overlays.around, overlays.inside):
            margins = rows.margins[rows.of_photos(rows.ids[side])[1]]
            left = 1 - margins.reshape(-1, 2, 2).sum(axis=1, dtype=np.int64) / 256
            shares.append(left.prod(axis=1))
        of_parts = rows.inner[overlays.around] | rows.inner[overlays.inside]
        other: npt.NDArray[np.bool_] = ~of_parts | (np.abs(shares[0] - shares[1]) >= _OTHER_MARGINS)
        return other

    def _shapes(self, overlays: Overlays, maps: Maps) -> _Shapes:
        """Return how the maps turn and stretch the pictures, in pixels."""
        around = row_sizes(self.rows, overlays.around, self._sizes)
        inside = row_sizes(self.rows, overlays.inside, self._sizes)
        transposed = np.array([way[0] for way in ORIENTATIONS])[overlays.ways]
        around[transposed] = around[transposed][:, ::-1]
        # Pixels are square, and the parts of a picture that the maps are told in are not.
        turned = maps.reshape(-1, 2, 3)[:, :, :2] * (around[:, :, None] / inside[:, None, :])
        across, down = np.hypot(*turned[:, :, 0].T), np.hypot(*turned[:, :, 1].T)
        stretch = np.maximum(across, down) / np.maximum(np.minimum(across, down), 1e-6)
        one = np.arctan2(turned[:, 1, 0], turned[:, 0, 0])
        other = np.arctan2(-turned[:, 0, 1], turned[:, 1, 1])
        return _Shapes((one + other) / 2, one - other, stretch)


def _is_crop(
    found: Alignments, shapes: _Shapes, framed: npt.NDArray[np.bool_], extra_detail: float
) -> npt.NDArray[np.bool_]:
    """Return which of the inner pictures are crops, or the other one in a frame."""
    most = [np.where(framed, *both) for both in zip(_FRAMED_STRAIGHT, _STRAIGHT, strict=True)]
    least = [np.where(framed, *both) for both in zip(FRAMED_DETAIL, CROP_DETAIL, strict=True)]
    straight = (
        (np.abs(shapes.turn) <= most[0])
        & (np.abs(shapes.slant) <= most[1])
        & (shapes.stretch <= most[2])
    )
    alike = (found.likeness >= CROP_LIKENESS) & (found.detail >= least[0] + extra_detail)
    crop: npt.NDArray[np.bool_] = (
        straight
        & alike
        & (found.fine_detail >= least[1] + extra_detail)
        & (found.difference <= DIFFERENCE)
    )
    return crop


def _is_turned(found: Alignments, shapes: _Shapes, extra_detail: float) -> npt.NDArray[np.bool_]:
    """Return which of the inner pictures are the other one turned a little about its middle."""
    maps, turn = found.maps, np.abs(shapes.turn)
    size = np.sqrt(np.abs(maps[:, 0] * maps[:, 4] - maps[:, 1] * maps[:, 3]))
    centred = (np.abs(maps[:, [2, 5]]) <= _CENTRED).all(axis=1) & (np.abs(size - 1) <= _CENTRED)
    straight = (np.abs(shapes.slant) <= _FRAMED_STRAIGHT[1]) & (shapes.stretch <= _STRAIGHT[2])
    alike = (found.likeness >= LIKENESS) & (found.detail >= TURNED_DETAIL[0] + extra_detail)
    turned: npt.NDArray[np.bool_] = (
        centred
        & straight
        & (turn >= _LEAST_TURN)
        & (turn <= _MOST_TURN)
        & alike
        & (found.fine_detail >= TURNED_DETAIL[1] + extra_detail)
        & (found.difference <= TURNED_DIFFERENCE)
    )
    return turned


def _spread(slack: float) -> list[float]:
    """Return places from -slack to slack."""
    if slack <= _SPACING / 2:
        return [0.0]
    count = 1 + 2 * math.ceil(slack / _SPACING)
    return [float(place) for place in np.linspace(-slack, slack, count)]
