"""A photo that is near two shots of a scene is a copy of the nearer one only.

A copy that is turned, cropped or has a border shows less than its original, so a small thing that
has moved may pass for what was lost. But if the original is there, too, the copy shows the thing
where the original does. So where a photo is near two others that are not near each other, all three
are laid over each other. Where the other two differ in one place alone, and the photo agrees with
one of them there, it is no copy of the other one.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.search.duplicates.alignment import improved, laid_over, smoothed_as
from sigseek.search.duplicates.changes import differences, place_changes
from sigseek.search.duplicates.close_look import CloseLook
from sigseek.search.duplicates.finer_look import (
    LEAST_COMMON,
    FinePicture,
    FinerLook,
    in_blocks,
)
from sigseek.search.duplicates.groups import Pair, ordered
from sigseek.search.duplicates.looking import LOOKED_TOGETHER, in_threads
from sigseek.search.duplicates.sketch_rows import SketchRows
from sigseek.storage import CatalogReader

_MOST_FORKS = 50
"""The most pairs of others that are compared for a photo."""
_TOGETHER = LOOKED_TOGETHER // 2
"""Photos that one thread lays over two others each."""
_SHOWS = 1.0
"""The least difference of the place in which two shots differ, where 1 is what coding may make."""
_STANDS_OUT = 4.0
"""How many times as much they must differ there as nearly everywhere else. A copy that has lost
detail differs wherever there was some, and a thing that has moved differs in one place.
"""
_ELSEWHERE = 0.95
"""The share of the places that nearly everywhere else is."""
_AGREES = 0.5
"""The greatest difference of the photo from the shot that it is a copy of, as a share of how much
the two shots differ in the same place.
"""
_MOST_LOST = 2.5
"""The greatest difference of a place that turning and resizing may make. Two pictures that differ
more are near because of a mark over one of them, and that tells nothing of two shots.
"""

_Fork = tuple[int, int, int]
"""A photo, and two others that are near it and not near each other."""
_Map = npt.NDArray[np.float64]


def farther_pairs(
    catalog: CatalogReader,
    rows: SketchRows,
    new: Collection[Pair],
    known: Collection[Pair],
    finer: FinerLook,
    stop: Stop,
) -> set[Pair]:
    """Return those of the near pairs, new or known, whose photos are no copies, because one of them
    is a copy of another shot. Only forks with a new pair are looked at.
    """
    forks = list(_forks(new, known))
    parts = [forks[first : first + _TOGETHER] for first in range(0, len(forks), _TOGETHER)]

    def looks() -> Iterator[Callable[[], _Map]]:
        for some in parts:
            stop.check()
            pairs = np.array([(photo, other) for photo, *both in some for other in both])
            look = CloseLook(catalog, rows, np.unique(pairs))
            yield partial(look.maps_between, pairs)

    farther: set[Pair] = set()
    for some, found in zip(parts, in_threads(looks()), strict=True):
        for fork, maps in zip(some, found.reshape(-1, 2, 3, 3), strict=True):
            other = _farther(rows, finer, fork, maps)
            if other is not None:
                farther.add(ordered(fork[0], other))
    return farther


def _forks(new: Collection[Pair], known: Collection[Pair]) -> Iterator[_Fork]:
    partners: defaultdict[int, set[int]] = defaultdict(set)
    for one, other in (*new, *known):
        partners[one].add(other)
        partners[other].add(one)
    looks: Counter[int] = Counter()
    seen: set[_Fork] = set()
    for pair in sorted(new):
        for photo, one in (pair, pair[::-1]):
            for other in sorted(partners[photo] - partners[one] - {one}):
                fork = photo, *ordered(one, other)
                if fork not in seen and looks[photo] < _MOST_FORKS:
                    looks[photo] += 1
                    seen.add(fork)
                    yield fork


def _farther(rows: SketchRows, finer: FinerLook, fork: _Fork, maps: _Map) -> int | None:
    """Return the one of the two others that the photo is no copy of, or None if nothing tells.
    `maps` (2, 3, 3) take places of the photo to those of the others.
    """
    if np.isnan(maps).any():
        return None
    photo, one, other = fork
    between = maps[1] @ np.linalg.inv(maps[0])
    if abs(np.linalg.det(between)) > 1:  # the one that shows less has more pixels for it
        one, other, maps, between = other, one, maps[::-1], np.linalg.inv(between)
    (wholes, _) = rows.of_photos(np.array([one, photo, other]))
    pictures = [picture for row in wholes.tolist() if (picture := finer.picture(rows, row))]
    if len(pictures) < len(wholes):
        return None
    agrees = _agreement(pictures, np.stack([np.eye(3), np.linalg.inv(maps[0]), between]))
    return None if agrees is None else (other, one)[agrees]


def _agreement(pictures: Sequence[FinePicture], maps: _Map) -> int | None:
    """Return with which of two shots a photo agrees where they differ: 0 for the first one and 1
    for the other one; None if they do not differ in one place, or if the photo agrees with neither.
    The `pictures` are the first shot, the photo and the other shot, to which the maps (3, 3, 3)
    take the places of the first shot.
    """
    densities = [
        _across(picture.pixels, map_) for picture, map_ in zip(pictures, maps, strict=True)
    ]
    fewest = min(densities, key=lambda pixels: float(pixels.prod()))
    seen = [
        picture.with_pixels(_across(fewest, np.linalg.inv(map_))).planes[0]
        for picture, map_ in zip(pictures, maps, strict=True)
    ]
    shot, around = seen[0], np.stack(seen[1:])
    inside = np.stack([shot, shot])
    starts = maps[1:, :2].reshape(2, 6).astype(np.float32)
    fine = improved(around, smoothed_as(inside, starts), starts)
    (photo, other), within = laid_over(around, fine)
    shown = within.prod(axis=0)
    if shown.mean() < LEAST_COMMON:
        return None
    lefts = [
        shown * differences(*sides, shown > 0)
        for sides in ((shot, other), (photo, shot), (photo, other))
    ]
    *lefts, shot, other, shown = in_blocks(np.stack([*lefts, shot, other, shown]))
    between, *apart = place_changes(lefts, shot, other, shown)
    greatest = between.max()
    everywhere = between[between > 0]
    if greatest < _SHOWS or greatest < _STANDS_OUT * np.quantile(everywhere, _ELSEWHERE):
        return None
    place = between >= greatest / 2
    if max(changes.max() for changes in apart) > _MOST_LOST:
        return None
    agrees = [bool((changes <= _AGREES * between)[place].all()) for changes in apart]
    return agrees.index(True) if any(agrees) else None


def _across(pixels: _Map, map_: _Map) -> _Map:
    """Return how many pixels there are across and down a picture, (2,), of which a map (3, 3) takes
    the places to those of another one with so many pixels (2,).
    """
    across: _Map = np.hypot(*(map_[:2, :2] * pixels[:, None]))
    return across
