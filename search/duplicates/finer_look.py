"""A finer look at pairs whose sketches lie over each other and differ in one place.

It is a look at thumbnails. Either it finds nothing that has changed, or only words or a watermark
over one of the pictures: then the photos are forms of one shot. Or else they are two shots, such as
those from a tripod.
"""

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from sigseek.search.duplicates.alignment import Maps, improved, laid_over, smoothed_as
from sigseek.search.duplicates.changes import Allowed, changed_by, differences
from sigseek.search.duplicates.marks import is_mark
from sigseek.search.duplicates.overlays import Overlays
from sigseek.search.duplicates.sketch_rows import SketchRows
from sigseek.storage.perceptual_hash import SIDE, turned_sketches
from sigseek.storage.records.arrays import Floats

Pictures = Callable[[int], bytes | None]
"""A function that returns a small picture of a photo, of this id, as a file that Pillow reads. None
stands for a photo whose picture cannot be had now.
"""

_Key = tuple[tuple[int, bool], tuple[int, bool], int]
"""The photos of a pair, for each whether it is the part inside of its margins, and how one is
turned.
"""
_FINE = 256
"""The width and height of the pictures that are compared."""
_BLOCK = _FINE // SIDE
_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
"""The shares of red, green and blue in a grey level."""
_MOST_LOOKS = 50
"""The most pairs of a photo that are looked at. A series of thousands of shots from a tripod has
millions of pairs.
"""
_MOST_COLOR = 1.5
"""How many times as much as the grey levels the colours may differ to be compared at all."""
_LEAST_COMMON = 0.2
"""The least share of a picture that must lie within the other one."""


class FinerLook:
    """Looks at thumbnails of pairs, which `pictures` gives.

    Pairs that cannot be looked at count as two shots.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._looks: Counter[int] = Counter()
        self._seen: dict[_Key, bool] = {}
        self.unseen: set[int] = set()
        """The photos whose pictures could not be had, so that nobody knows about their pairs."""

    def is_one_shot(
        self, rows: SketchRows, overlays: Overlays, maps: Maps, allowed: Allowed
    ) -> npt.NDArray[np.bool_]:
        """Return which of some pairs are forms of one shot, (n,). The guesses are of sketches in
        `rows`, and these lie over each other by the maps (n, 6).
        """
        keys = [self._key(rows, overlays, place) for place in range(len(overlays))]
        new = [place for place, key in enumerate(keys) if self._may_look(key)]
        if new:
            with ThreadPoolExecutor(min(len(new), os.cpu_count() or 1)) as threads:
                parts = [slice(place, place + 1) for place in new]
                found = threads.map(
                    lambda part: self._look(
                        rows, overlays.part(part), maps[part], allowed.part(part)
                    ),
                    parts,
                )
                self._seen |= zip([keys[place] for place in new], found, strict=True)
        return np.array([self._seen.get(key, False) for key in keys], bool)

    def _key(self, rows: SketchRows, overlays: Overlays, place: int) -> _Key:
        sides = overlays.around[place], overlays.inside[place]
        one, other = sorted((int(rows.ids[row]), bool(rows.inner[row])) for row in sides)
        return one, other, int(overlays.ways[place])

    def _may_look(self, key: _Key) -> bool:
        """Count a look at a pair, and return whether it is a new one and neither photo had too
        many.
        """
        ids = {key[0][0], key[1][0]}
        if key in self._seen or max(self._looks[id_] for id_ in ids) >= _MOST_LOOKS:
            return False
        self._looks.update(ids)
        self._seen[key] = False  # until it was looked at
        return True

    def _look(self, rows: SketchRows, overlay: Overlays, maps: Maps, allowed: Allowed) -> bool:
        around, inside = (
            self._planes(rows, int(side[0])) for side in (overlay.around, overlay.inside)
        )
        if around is None or inside is None:
            return False
        around = turned_sketches(around, int(overlay.ways[0]))
        sides = around.astype(np.float32), inside.astype(np.float32)
        return _is_one_shot(*sides, maps, allowed)

    def _planes(self, rows: SketchRows, row: int) -> npt.NDArray[np.uint8] | None:
        """Return the planes (4, 256, 256) of what the sketch of this row shows: its grey levels,
        and its red, green and blue. None is returned for a photo without a picture.
        """
        id_ = int(rows.ids[row])
        file = self._pictures(id_)
        if file is None:
            self.unseen.add(id_)
            return None
        with Image.open(BytesIO(file)) as image:
            color = image.convert("RGB")
        left, top, right, bottom = (rows.margins[row] / 256).tolist()
        box = (
            left * color.width, top * color.height,
            (1 - right) * color.width, (1 - bottom) * color.height,
        )  # fmt: skip
        color = color.resize((_FINE, _FINE), Image.Resampling.BILINEAR, box)
        return np.stack([np.asarray(color.convert("L")), *np.asarray(color).transpose(2, 0, 1)])


def _is_one_shot(around: Floats, inside: Floats, maps: Maps, allowed: Allowed) -> bool:
    """Return whether the pictures of these planes (4, 256, 256), which lie over each other nearly
    by this map, are forms of one shot.
    """
    maps = improved(around[:1], smoothed_as(inside[:1], maps), maps)
    every = np.repeat(maps, len(around), axis=0)
    levels, within = laid_over(around, every)
    wanted = smoothed_as(inside, every)
    if within[0].mean() < _LEAST_COMMON:
        return False
    planes = within * np.stack(
        [differences(*sides, within[0] > 0) for sides in zip(wanted, levels, strict=True)]
    )
    one, other, shown = (_in_blocks(side[:1]) for side in (wanted, levels, within))
    # In a coloured picture each colour may have a tone curve of its own. In a grey copy it has not.
    lefts = planes[0], np.tensordot(_WEIGHTS, planes[1:], 1)
    if not all(changed_by(_in_blocks(left[None]), one, other, shown, allowed)[0] for left in lefts):
        return True
    planes[0] = min(lefts, key=lambda left: float(np.abs(left).mean()))
    if np.abs(planes[1:]).mean() > _MOST_COLOR * np.abs(planes[0]).mean() + 1:
        planes[1:] = planes[0]  # one of them is grey, or has other colours
        wanted, levels = (np.repeat(side[:1], len(side), 0) for side in (wanted, levels))
    return is_mark(wanted, levels, planes)


def _in_blocks(values: Floats) -> Floats:
    """Return the means of values (n, 256, 256) in the places of a sketch's pixels."""
    found: Floats = values.reshape(len(values), SIDE, _BLOCK, SIDE, _BLOCK).mean(axis=(2, 4))
    return found
