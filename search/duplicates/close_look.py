"""Whether two photos are one shot, told by laying their sketches over each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sigseek.search.duplicates.alignment import (
    Alignments,
    Maps,
    Margins,
    align,
    in_parts,
    laid_over,
    smoothed_as,
)
from sigseek.search.duplicates.changes import Allowed, changed, changed_shares
from sigseek.search.duplicates.finer_look import FinerLook
from sigseek.search.duplicates.first_likeness import FirstLikeness
from sigseek.search.duplicates.overlays import NOTHING_CHANGED, Overlays, joined
from sigseek.search.duplicates.sketch_rows import KeptLevels, SketchRows, read_levels, row_sizes
from sigseek.storage import CatalogReader
from sigseek.storage.perceptual_hash import (
    LEAST_QUALITY,
    ORIENTATIONS,
    SIDE,
    Sketches,
    distances,
    turned_bits,
    turned_sketches,
)
from sigseek.storage.records.arrays import Floats, Ids, Rows

Sizes = dict[int, tuple[int, int]]
_Answer = TypeVar("_Answer", np.bool_, np.float64)

LIKENESS = 0.97
"""The least likeness of two forms of one shot that show the same frame or are turned a little."""
STILL_DETAIL = 0.97
"""The least likeness of their detail, if both show the same frame. Many shots of a burst from a
tripod are as much alike, and differ in one place only.
"""
_TINY = 128
"""A picture that is narrower or lower than this, in pixels, has too little detail for
STILL_DETAIL.
"""
_TINY_DETAIL = 0.92
"""The least likeness of their detail, if both show the same frame and one is tiny."""
MARKED_DETAIL = 0.94
"""The least likeness of their detail, if both show the same frame and no part of one differs by
more than MARKED_DIFFERENCE. A watermark covers much of the detail of a picture of a plain wall. A
thing that comes into a scene mostly differs more.
"""
MARKED_DIFFERENCE = 2.1
WORDS_LIKENESS = 0.95
"""The least likeness of pictures of the same frame, of which one may have words over it. They are
one shot only if a finer look sees these words.
"""
WORDS_DETAIL = 0.85
"""The least likeness of their detail."""
_MOST_COVERED = 0.25
"""The share of a picture in which it may differ from one with words over it. Two shots of a burst
differ nearly everywhere, and a finer look takes long.
"""
_STILL = 0.04
"""Two pictures show the same frame if their map differs by at most this from the identity."""
CROP_LIKENESS = 0.95
"""The least likeness of a crop and what it is a crop of."""
CROP_DETAIL = 0.85, 0.8
"""The least likeness of their detail, and of their finest detail."""
FRAMED_DETAIL = 0.8, 0.75
"""The least likeness of the detail and of the finest detail of a picture and one whose frame was
left out. The frame is found to a hundredth of a picture.
"""
TURNED_DETAIL = 0.86, 0.83
"""The least likeness of the detail and of the finest detail of pictures turned a little."""
_LEAST = (
    min(LIKENESS, CROP_LIKENESS),
    min(_TINY_DETAIL, MARKED_DETAIL, CROP_DETAIL[0], FRAMED_DETAIL[0], TURNED_DETAIL[0]),
)
"""The least likeness, and likeness of their detail, of pairs that may be one shot at all."""
_EXTRA_DETAIL = 0.025
"""This is added to the least likeness of detail for pairs that their hashes did not confirm. Most
are candidates because of their embeddings, and second shots of a scene have like embeddings, too.
"""
DIFFERENCE = 1.5
"""The greatest difference of a part of the picture, where 1 is what coding may make. Between two
shots of a scene something mostly moves, and there whole parts differ more.
"""
TURNED_DIFFERENCE = 2.4
"""The greatest difference of a part of a picture that is turned a little, and whose corners so show
something else.
"""
_STILL_CHANGE = 1.4
"""How much two pictures of the same frame may differ in a place, where 1 is what coding and
sampling may make, though nothing has changed between them.
"""
_TINY_CHANGE = 1.9
"""How much a tiny picture and another one of the same frame may differ in a place."""
_MOVED_CHANGE = 2.0
"""How much crops and pictures that are turned may differ in a place from the whole one, though
nothing has changed. Their pixels lie between those of the whole one.
"""
_STRAIGHT = math.radians(0.3), math.radians(0.6), 1.012
"""How far a crop may seem to be turned, slanted and stretched, because this is measured inexactly.
A camera in a hand turns more from one shot to the next.
"""
_FRAMED_STRAIGHT = math.radians(0.35), math.radians(0.7), 1.03
"""How far a picture may seem to be turned, slanted and stretched in one whose frame was left out.
"""
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
_IN_FRAME = 0.75
"""The largest share of a picture inside of its margins for these to be called a frame."""
_OTHER_MARGINS = 0.06
"""The least difference of the shares that two photos have inside of their plain margins, for these
parts to be compared. Otherwise the margins are a scene's own, such as a white wall, and two shots
of it would agree without them, however the frame moved.
"""
_TURNED_APART = 90
"""If hashes differ in more bits, in whatever way one is turned, the pictures do not show the same
frame.
"""
_SCALES = (1.0, 0.85, 0.7, 0.55)
"""How large a picture may lie in the other one, in parts of its width or height."""
_SPACING = 0.2
"""How far apart the places are where a smaller picture is first laid, where 2 is a whole width."""
_STARTS = 2
"""How many of the first places, the most alike ones, are improved."""
_LEAST_FIRST = 0.7
"""The least likeness at a first place that can be improved enough."""


@dataclass(frozen=True)
class _Shapes:
    """How maps change the shapes of pictures."""

    turn: npt.NDArray[np.float64]
    """The angles (n,) by which they turn, in radians."""
    slant: npt.NDArray[np.float64]
    """The angles (n,) by which they turn one side more than the other."""
    stretch: npt.NDArray[np.float64]
    """The ratio (n,) of how much they enlarge width and height, 1 or more."""


@dataclass(frozen=True)
class Seen:
    """What sketches tell of guesses that one picture lies in another one."""

    rows: SketchRows
    same: npt.NDArray[np.bool_]
    """Whether the two pictures look like one shot, (n,)."""
    places: Rows
    """The places (m,) of the guesses by which they do, or are one shot if there are words over one
    of them. What follows is of these guesses alone.
    """
    guesses: Overlays
    maps: Maps
    allowed: Allowed
    differ: npt.NDArray[np.bool_]
    """Whether something seems to have changed between the two pictures, (m,)."""

    def confirmed(self, finer: FinerLook) -> npt.NDArray[np.bool_]:
        """Return, for each guess, whether the two pictures are one shot. Where something seems to
        have changed between them, `finer` tells.
        """
        same = self.same.copy()
        for again in (False, True):
            # By another guess, sketches may agree though thumbnails have shown two shots.
            asked = self.differ
            if again:
                asked = finer.saw_two_shots(self.rows, self.guesses) & ~self.differ
            some = np.flatnonzero(asked)
            same[self.places[some]] = finer.is_one_shot(
                self.rows, self.guesses.part(some), self.maps[some], self.allowed.part(some)
            )
        return same


class CloseLook:
    """Tells which of some pairs of photos are one shot.

    `photo_ids` are the ids of all photos in the pairs. `kept` may have some of their sketches.
    """

    def __init__(
        self,
        catalog: CatalogReader,
        rows: SketchRows,
        photo_ids: npt.NDArray[np.int64],
        kept: KeptLevels | None = None,
    ) -> None:
        self.rows = rows
        self._sizes = catalog.picture_sizes(photo_ids.tolist())
        self._known = np.flatnonzero(np.isin(rows.ids, photo_ids))
        self._levels = kept.of(self._known) if kept else read_levels(catalog, rows, self._known)

    def seen(self, overlays: Overlays, extra_detail: float = 0.0) -> Seen:
        """Return what sketches tell of the guesses. `extra_detail` is added to the least likeness
        of their detail.
        """
        around, inside = self._turned_as(overlays), self._sketches(overlays.inside)
        found = align(around, inside, overlays.starts, self._frames(overlays), _LEAST)
        same = self._is_one_shot(overlays, found, extra_detail)
        worded = self._may_have_words(overlays, found, around, inside, ~same)
        places = np.flatnonzero(same | worded)
        guesses, maps = overlays.part(places), found.maps[places]
        allowed = self._allowed(guesses, maps)
        differ = worded[places]
        if len(places):
            differ |= _compared(changed, around[places], inside[places], maps, allowed)
        return Seen(self.rows, same, places, guesses, maps, allowed, differ)

    def seen_of_pairs(self, pairs: Ids) -> tuple[Seen, Rows]:
        """Return what sketches tell of guesses that the photos of each pair (n, 2) are one shot,
        wherever in the larger one the smaller one may lie, and the places of their pairs.
        """
        overlays, owners = self._guesses(pairs)
        return self.seen(overlays, _EXTRA_DETAIL), owners

    def same_shot(self, pairs: Ids) -> npt.NDArray[np.bool_]:
        """Return, for each pair (n, 2) of photos, whether they look like one shot, wherever in the
        larger one the smaller one may lie.

        Pairs in which something seems to have changed count as one shot, and those with words over
        one of them as two.
        """
        overlays, owners = self._guesses(pairs)
        found = self._found(overlays)
        same = np.zeros(len(pairs), bool)
        same[owners[self._is_one_shot(overlays, found, _EXTRA_DETAIL)]] = True
        return same

    def maps_between(self, pairs: Ids) -> npt.NDArray[np.float64]:
        """Return, for each pair (n, 2) of photos that are one shot, the affine map (3, 3) that
        takes places of the first whole picture to those of the second one. Places run from -1 to 1
        across a picture. The numbers are NaN for a pair whose map is not found.
        """
        overlays, owners = self._guesses(pairs)
        found = self._found(overlays)
        one_shot = np.flatnonzero(self._is_one_shot(overlays, found, 0.0))
        best = one_shot[np.argsort(found.detail[one_shot], kind="stable")]
        owners = owners[best]  # of a pair's maps, the one by which they are most alike is the last
        maps = overlays.part(best).between(found.maps[best], self.rows.margins)
        backward = self.rows.ids[overlays.inside[best]] != pairs[owners, 0]
        maps[backward] = np.linalg.inv(maps[backward])
        between = np.full((len(pairs), 3, 3), np.nan)
        between[owners] = maps
        return between

    def _guesses(self, pairs: Ids) -> tuple[Overlays, Rows]:
        """Return guesses that the photos of each pair (n, 2) are one shot, wherever in the larger
        one the smaller one may lie, and the places of their pairs.
        """
        owners, first, second = self._rows_of(pairs)
        if not len(owners):
            return Overlays.of_pairs(first, second), owners
        turned, of_turned = self._turned(first, second)
        placed, of_placed = self._placed(first, second)
        return joined([turned, placed]), owners[np.concatenate([of_turned, of_placed])]

    def _found(self, overlays: Overlays) -> Alignments:
        around, inside = self._turned_as(overlays), self._sketches(overlays.inside)
        return align(around, inside, overlays.starts, self._frames(overlays), _LEAST)

    def _turned_as(self, overlays: Overlays) -> Sketches:
        """Return the sketches of the pictures that may show more, turned as the guesses say."""
        around = self._sketches(overlays.around).copy()
        for way in range(1, len(ORIENTATIONS)):
            turned = overlays.ways == way
            around[turned] = turned_sketches(around[turned], way)
        return around

    def _rows_of(self, pairs: Ids) -> tuple[Rows, Rows, Rows]:
        """Return the rows of both photos of each pair that are to be compared, those of the whole
        pictures and of the parts inside of their margins, and the places of their pairs.
        """
        firsts, seconds = (self.rows.of_photos(side) for side in pairs.T)
        places = np.arange(len(pairs))
        combined = [(places, one, other) for one in firsts for other in seconds]
        owners, one, other = (np.concatenate(side) for side in zip(*combined, strict=True))
        known = np.flatnonzero((one >= 0) & (other >= 0))
        rich = self.rows.quality >= LEAST_QUALITY
        known = known[rich[one[known]] & rich[other[known]]]
        # A photo without margins has one row twice.
        all_three = np.stack([owners, one, other])[:, known]
        kept = known[np.unique(all_three, axis=1, return_index=True)[1]]
        return owners[kept], one[kept], other[kept]

    def _turned(self, first: Rows, second: Rows) -> tuple[Overlays, Rows]:
        """Return the guesses that one is the other turned as their hashes are nearest, where these
        are near at all, and their places.
        """
        bits, other = self.rows.bits[first], self.rows.bits[second]
        ways = range(len(ORIENTATIONS))
        apart = np.stack([distances(turned_bits(bits, way), other) for way in ways])
        near = np.flatnonzero(apart.min(axis=0) <= _TURNED_APART)
        guesses = Overlays.of_pairs(first[near], second[near])
        return replace(guesses, ways=apart.argmin(axis=0)[near]), near

    def _placed(self, first: Rows, second: Rows) -> tuple[Overlays, Rows]:
        """Return the likeliest guesses that one shows a part of the other, and their places."""
        places, starts = self._starts(
            np.concatenate([first, second]), np.concatenate([second, first])
        )
        around = np.concatenate([first, second])[places]
        inside = np.concatenate([second, first])[places]
        alike = self._first_likeness.of(self._places_of(around), self._places_of(inside), starts)
        owners = places % len(first)
        order = np.lexsort((-alike, owners))
        ranks = np.arange(len(order)) - np.searchsorted(owners[order], owners[order])
        best = order[(ranks < _STARTS) & (alike[order] >= _LEAST_FIRST)]
        ways = np.zeros(len(best), np.int64)
        return Overlays(around[best], inside[best], ways, starts[best]), owners[best]

    def _starts(self, around: Rows, inside: Rows) -> tuple[Rows, Maps]:
        """Return guesses where `inside` may lie in `around`, not stretched: the place of each guess
        among these rows, and its map.
        """
        larger = row_sizes(self.rows, around, self._sizes)
        shares = row_sizes(self.rows, inside, self._sizes) / larger
        shares /= shares.max(axis=1, keepdims=True)
        parts = []
        for largest in _SCALES:
            scales = largest * shares
            counts = np.where(
                1 - scales <= _SPACING / 2, 1, 1 + 2 * np.ceil((1 - scales) / _SPACING)
            ).astype(np.int64)
            for across, down in np.unique(counts, axis=0).tolist():
                places = np.flatnonzero((counts == (across, down)).all(axis=1))
                parts.append((places, _grid(scales[places], across, down)))
        rows = np.concatenate([np.repeat(places, grid.shape[1]) for places, grid in parts])
        return rows, np.concatenate([grid.reshape(-1, 6) for _, grid in parts])

    @cached_property
    def _first_likeness(self) -> FirstLikeness:
        return FirstLikeness(self._levels)

    def _places_of(self, rows: Rows) -> Rows:
        return np.searchsorted(self._known, rows)

    def _sketches(self, rows: Rows) -> Sketches:
        return self._levels[self._places_of(rows)]

    def _frames(self, overlays: Overlays) -> Margins:
        """Return the margins (n, 4) of the inner pictures that look like a frame, where both are
        whole pictures with margins; 0 elsewhere. Two photos in one frame are alike there.
        """
        rows, ids = self.rows, self.rows.ids
        around, inside = (
            rows.of_photos(ids[side])[1] for side in (overlays.around, overlays.inside)
        )
        whole = ~rows.inner[overlays.around] & ~rows.inner[overlays.inside]
        framed = whole & rows.inner[around] & (self._content(inside) <= _IN_FRAME)
        return np.where(framed[:, None], rows.margins[inside], np.uint8(0))

    def _content(self, rows: Rows) -> npt.NDArray[np.float64]:
        """Return the shares (n,) of the pictures that are inside of these rows' margins."""
        margins = self.rows.margins[rows].reshape(-1, 2, 2).sum(axis=1, dtype=np.int64)
        shares: npt.NDArray[np.float64] = (1 - margins / 256).prod(axis=1)
        return shares

    def _is_one_shot(
        self, overlays: Overlays, found: Alignments, extra_detail: float
    ) -> npt.NDArray[np.bool_]:
        inner = self.rows.inner
        framed = inner[overlays.around] | inner[overlays.inside]
        across, down = found.maps[:, :3], found.maps[:, 3:]
        reach = np.maximum(
            np.abs(across[:, 0]) + np.abs(across[:, 2]), np.abs(down[:, 1]) + np.abs(down[:, 2])
        )
        within = reach <= 1 + np.where(inner[overlays.around], _FRAMED_BEYOND, _BEYOND)
        shapes = self._shapes(overlays, found.maps)
        changed = _is_crop(found, shapes, framed, extra_detail) | _is_turned(
            found, shapes, extra_detail
        )
        # A watermark may make one of two pictures of the same frame seem a little larger.
        one_form = self._show_the_same_frame(overlays, found) | within & changed
        same: npt.NDArray[np.bool_] = self._can_tell(overlays) & one_form
        return same

    def _may_have_words(
        self,
        overlays: Overlays,
        found: Alignments,
        around: Sketches,
        inside: Sketches,
        asked: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.bool_]:
        """Return which of the guesses `asked` (n,) are of pictures that may be one shot with words
        over one of them.
        """
        alike = (found.likeness >= WORDS_LIKENESS) & (found.detail >= WORDS_DETAIL)
        still = _are_still(found.maps) & ~self._are_tiny(overlays)
        worded: npt.NDArray[np.bool_] = asked & self._can_tell(overlays) & alike & still
        places = np.flatnonzero(worded)
        if len(places):
            maps = found.maps[places]
            allowed = self._allowed(overlays.part(places), maps)
            shares = _compared(changed_shares, around[places], inside[places], maps, allowed)
            worded[places] = shares <= _MOST_COVERED
        return worded

    def _can_tell(self, overlays: Overlays) -> npt.NDArray[np.bool_]:
        """Return which guesses (n,) are of pictures with enough detail, and whose margins tell
        nothing else.
        """
        quality = self.rows.quality
        rich = np.minimum(quality[overlays.around], quality[overlays.inside]) >= LEAST_QUALITY
        found: npt.NDArray[np.bool_] = rich & self._have_other_margins(overlays)
        return found

    def _show_the_same_frame(self, overlays: Overlays, found: Alignments) -> npt.NDArray[np.bool_]:
        still, tiny = _are_still(found.maps), self._are_tiny(overlays)
        alike = found.detail >= np.where(tiny, _TINY_DETAIL, STILL_DETAIL)
        alike |= (found.detail >= MARKED_DETAIL) & (found.difference <= MARKED_DIFFERENCE)
        same: npt.NDArray[np.bool_] = still & alike & (found.likeness >= LIKENESS)
        return same

    def _allowed(self, overlays: Overlays, maps: Maps) -> Allowed:
        """Return how much the pictures may differ though nothing has changed."""
        tiny = self._are_tiny(overlays)
        still = np.where(tiny, _TINY_CHANGE, _STILL_CHANGE)
        return Allowed(np.where(_are_still(maps), still, _MOVED_CHANGE), tiny)

    def _are_tiny(self, overlays: Overlays) -> npt.NDArray[np.bool_]:
        """Return which guesses (n,) are of a picture that has hardly more pixels than a sketch."""
        sides = (self._shortest(rows) for rows in (overlays.around, overlays.inside))
        tiny: npt.NDArray[np.bool_] = np.minimum(*sides) < _TINY
        return tiny

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
        sides = (overlays.around, overlays.inside)
        shares = [self._content(rows.of_photos(rows.ids[side])[1]) for side in sides]
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


def _are_still(maps: Maps) -> npt.NDArray[np.bool_]:
    """Return which maps (n,) leave nearly everything where it is."""
    still: npt.NDArray[np.bool_] = (np.abs(maps - NOTHING_CHANGED) <= _STILL).all(axis=1)
    return still


def _compared(
    compare: Callable[[Floats, Floats, Floats, Allowed], npt.NDArray[_Answer]],
    around: Sketches,
    inside: Sketches,
    maps: Maps,
    allowed: Allowed,
) -> npt.NDArray[_Answer]:
    """Return what a comparison (n,) says of pairs that lie over each other by these maps."""

    def of_part(part: slice) -> npt.NDArray[_Answer]:
        levels, within = laid_over(around[part], maps[part])
        wanted = smoothed_as(inside[part].astype(np.float32), maps[part])
        return compare(wanted, levels, within, allowed.part(part))

    return np.concatenate(in_parts(of_part, len(maps), SIDE))


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


def _grid(scales: npt.NDArray[np.float64], across: int, down: int) -> Maps:
    """Return maps (n, across * down, 6) to evenly spaced places of pictures of these widths and
    heights (n, 2), from one end of the other picture to the other end.
    """
    maps = np.zeros((len(scales), across * down, 6), np.float32)
    y, x = np.meshgrid(_spread(down), _spread(across), indexing="ij")
    maps[:, :, 0], maps[:, :, 4] = scales[:, :1], scales[:, 1:]
    maps[:, :, 2], maps[:, :, 5] = (1 - scales[:, :1]) * x.ravel(), (1 - scales[:, 1:]) * y.ravel()
    return maps


def _spread(count: int) -> npt.NDArray[np.float64]:
    """Return evenly spaced places from -1 to 1, or the middle for one place."""
    return np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
