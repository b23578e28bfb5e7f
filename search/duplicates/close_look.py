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
    turned_bits,
    turned_sketches,
)
from sigseek.storage.records.arrays import Rows

Sizes = dict[int, tuple[int, int]]

LIKENESS = 0.97
"""The least likeness of two forms of one shot."""
DETAIL = 0.93
"""The least likeness of their detail, if one is a crop of the other or turned a little."""
FRAMED_DETAIL = 0.9
"""The least likeness of their detail, if one is a crop of the other or turned a little, and only
one has a frame.
"""
_EXTRA_DETAIL = 0.025
"""This is added to the least likeness of detail for pairs that their hashes did not confirm. Most
are candidates because of their embeddings, and second shots of a scene have like embeddings, too.
"""
STILL_DETAIL = 0.97
"""The least likeness of their detail, if both show the same frame. Shots of a burst from a tripod
show the same frame, too, but differ in detail.
"""
_TINY = 128
"""A picture that is narrower or lower than this, in pixels, has too little detail for
STILL_DETAIL.
"""
_TINY_DETAIL = 0.94
"""The least likeness of their detail, if both show the same frame and one is tiny."""
_STILL = 0.04
"""Two pictures show the same frame if their map differs by at most this from the identity."""
_BEYOND = 0.02
"""How far the smaller picture may reach beyond the other one, where 2 is a whole width. Two shots
of one scene mostly reach beyond each other.
"""
_OTHER_MARGINS = 0.06
"""By how much the shares that two photos have inside of their plain margins must differ for these
parts to be compared. Otherwise the margins are a scene's own, such as a white wall, and two shots
of it would agree without them, however the frame moved.
"""
_MOST_TURN = math.radians(12)
_MOST_STRETCH = 1.06
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


class CloseLook:
    """Tells which of some pairs of photos are one shot.

    `photo_ids` are the ids of all photos in the pairs.
    """

    def __init__(
        self, catalog: CatalogReader, rows: SketchRows, photo_ids: npt.NDArray[np.int64]
    ) -> None:
        self._rows = rows
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
        whole, inner = self._rows.of_photos(np.array([one, other]))
        nothing = Overlays.of_pairs(np.empty(0, np.int64), np.empty(0, np.int64))
        parts = [nothing]
        if (whole >= 0).all():
            for first in dict.fromkeys((int(whole[0]), int(inner[0]))):
                for second in dict.fromkeys((int(whole[1]), int(inner[1]))):
                    if min(self._rows.quality[[first, second]]) >= LEAST_QUALITY:
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
        bits = self._rows.bits[[first]]
        turned = np.concatenate([turned_bits(bits, way) for way in range(len(ORIENTATIONS))])
        other = np.repeat(self._rows.bits[[second]], len(turned), axis=0)
        return int(distances(turned, other).argmin())

    def _places(self, around: int, inside: int) -> Overlays:
        """Return guesses that `inside` shows a part of `around`, not stretched."""
        (width, height), (inner_width, inner_height) = row_sizes(
            self._rows, np.array([around, inside]), self._sizes
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
        quality = self._rows.quality
        rich = np.minimum(quality[overlays.around], quality[overlays.inside]) >= LEAST_QUALITY
        still = (np.abs(found.maps - _NOTHING_CHANGED) <= _STILL).all(axis=1)
        tiny = np.minimum(self._shortest(overlays.around), self._shortest(overlays.inside)) < _TINY
        framed = self._rows.inner[overlays.around] | self._rows.inner[overlays.inside]
        moved = np.where(framed, FRAMED_DETAIL, DETAIL) + extra_detail
        least = np.where(still, np.where(tiny, _TINY_DETAIL, STILL_DETAIL), moved)
        alike = (found.likeness >= LIKENESS) & (found.detail >= least)
        across, down = found.maps[:, :3], found.maps[:, 3:]
        within = (np.abs(across[:, 0]) + np.abs(across[:, 2]) <= 1 + _BEYOND) & (
            np.abs(down[:, 1]) + np.abs(down[:, 2]) <= 1 + _BEYOND
        )
        comparable = rich & self._have_other_margins(overlays)
        same: npt.NDArray[np.bool_] = (
            comparable & alike & within & self._is_plausible(overlays, found.maps)
        )
        return same

    def _shortest(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Return the shorter side of the photos of these rows, in pixels."""
        sizes = [self._sizes[id_] for id_ in self._rows.ids[rows].tolist()]
        shortest: npt.NDArray[np.float64] = np.array(sizes, np.float64).reshape(-1, 2).min(axis=1)
        return shortest

    def _have_other_margins(self, overlays: Overlays) -> npt.NDArray[np.bool_]:
        """Return whether the guesses are of whole pictures, or else of photos whose plain margins
        differ.
        """
        rows = self._rows
        shares = []
        for side in (overlays.around, overlays.inside):
            margins = rows.margins[rows.of_photos(rows.ids[side])[1]]
            left = 1 - margins.reshape(-1, 2, 2).sum(axis=1, dtype=np.int64) / 256
            shares.append(left.prod(axis=1))
        of_parts = rows.inner[overlays.around] | rows.inner[overlays.inside]
        other: npt.NDArray[np.bool_] = ~of_parts | (np.abs(shares[0] - shares[1]) >= _OTHER_MARGINS)
        return other

    def _is_plausible(self, overlays: Overlays, maps: Maps) -> npt.NDArray[np.bool_]:
        """Return whether the maps turn the pictures a little at most, and do not stretch them."""
        around = row_sizes(self._rows, overlays.around, self._sizes)
        inside = row_sizes(self._rows, overlays.inside, self._sizes)
        transposed = np.array([way[0] for way in ORIENTATIONS])[overlays.ways]
        around[transposed] = around[transposed][:, ::-1]
        # Pixels are square, and the parts of a picture that the maps are told in are not.
        turned = maps.reshape(-1, 2, 3)[:, :, :2] * (around[:, :, None] / inside[:, None, :])
        across, down = np.hypot(*turned[:, :, 0].T), np.hypot(*turned[:, :, 1].T)
        stretch = np.maximum(across, down) / np.maximum(np.minimum(across, down), 1e-6)
        angles = np.abs(
            [
                np.arctan2(turned[:, 1, 0], turned[:, 0, 0]),
                np.arctan2(-turned[:, 0, 1], turned[:, 1, 1]),
            ]
        )
        plausible: npt.NDArray[np.bool_] = (angles <= _MOST_TURN).all(axis=0) & (
            stretch <= _MOST_STRETCH
        )
        return plausible


def _spread(slack: float) -> list[float]:
    """Return places from -slack to slack."""
    if slack <= _SPACING / 2:
        return [0.0]
    count = 1 + 2 * math.ceil(slack / _SPACING)
    return [float(place) for place in np.linspace(-slack, slack, count)]
