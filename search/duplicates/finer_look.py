"""A finer look at pairs whose sketches lie over each other and differ in one place.

It is a look at thumbnails. Either it finds nothing that has changed, or only words or a watermark
over one of the pictures: then the photos are forms of one shot. Or else they are two shots, such as
those from a tripod.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from sigseek.search.duplicates.alignment import Maps, improved, laid_over, smoothed_as
from sigseek.search.duplicates.changes import Allowed, changed_by, differences
from sigseek.search.duplicates.marks import is_mark
from sigseek.search.duplicates.overlays import Overlays
from sigseek.search.duplicates.sketch_rows import SketchRows
from sigseek.storage.perceptual_hash import ORIENTATIONS, SIDE, turned_sketches
from sigseek.storage.records.arrays import Floats

Pictures = Callable[[int], bytes | None]
"""A function that returns a small picture of a photo, of this id, as a file that Pillow reads. None
stands for a photo whose picture cannot be had now.
"""

_Key = tuple[int, int, int]
"""The pictures of a pair, and how one is turned. The number of a picture is twice the id of its
photo, or one more for the part inside of the photo's margins.
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
LEAST_COMMON = 0.2
"""The least share of a picture that must lie within the other one."""
_FEWER = 0.8
"""A picture has clearly fewer pixels than another one if it has at most this share of them."""


class FinerLook:
    """Looks at thumbnails of pairs, which `pictures` gives.

    Pairs that cannot be looked at count as two shots.
    """

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._looks: Counter[int] = Counter()
        self._seen: dict[_Key, bool] = {}
        self._two_shots: set[_Key] = set()
        self.unseen: set[int] = set()
        """The photos whose pictures could not be had, so that nobody knows about their pairs."""

    def is_one_shot(
        self, rows: SketchRows, overlays: Overlays, maps: Maps, allowed: Allowed
    ) -> npt.NDArray[np.bool_]:
        """Return which of some pairs are forms of one shot, (n,). The guesses are of sketches in
        `rows`, and these lie over each other by the maps (n, 6).
        """
        keys = _keys(rows, overlays)
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
                refused = {keys[place] for place in new if not self._seen[keys[place]]}
                self._two_shots |= {_whole(key) for key in refused}
        return np.array([self._seen.get(key, False) for key in keys], bool)

    def saw_two_shots(self, rows: SketchRows, overlays: Overlays) -> npt.NDArray[np.bool_]:
        """Return which of some pairs were looked at and found to be two shots, (n,), if they are
        turned as these guesses say.
        """
        if not self._two_shots:
            return np.zeros(len(overlays), bool)
        keys = _keys(rows, overlays)
        return np.array([_whole(key) in self._two_shots for key in keys], bool)

    def _may_look(self, key: _Key) -> bool:
        """Count a look at a pair, and return whether it is a new one and neither photo had too
        many.
        """
        ids = {key[0] // 2, key[1] // 2}
        if key in self._seen or max(self._looks[id_] for id_ in ids) >= _MOST_LOOKS:
            return False
        self._looks.update(ids)
        self._seen[key] = False  # until it was looked at
        return True

    def _look(self, rows: SketchRows, overlay: Overlays, maps: Maps, allowed: Allowed) -> bool:
        around, inside = (
            self.picture(rows, int(side[0])) for side in (overlay.around, overlay.inside)
        )
        if around is None or inside is None:
            return False
        return _is_one_shot(around.turned(int(overlay.ways[0])), inside, maps, allowed)

    def picture(self, rows: SketchRows, row: int) -> FinePicture | None:
        """Return what the sketch of this row shows, or None for a photo without a picture."""
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
        pixels = np.array([box[2] - box[0], box[3] - box[1]])
        color = color.resize((_FINE, _FINE), Image.Resampling.BILINEAR, box)
        levels = [np.asarray(color.convert("L")), *np.asarray(color).transpose(2, 0, 1)]
        return FinePicture(np.stack(levels).astype(np.float32), pixels)


def _keys(rows: SketchRows, overlays: Overlays) -> list[_Key]:
    """Return the pair of pictures that each guess is of, and how one is turned."""
    sides = [2 * rows.ids[side] + rows.inner[side] for side in (overlays.around, overlays.inside)]
    one, other = np.minimum(*sides).tolist(), np.maximum(*sides).tolist()
    return list(zip(one, other, overlays.ways.tolist(), strict=True))


def _whole(key: _Key) -> _Key:
    """Return the same pair of whole pictures."""
    one, other, way = key
    return one // 2 * 2, other // 2 * 2, way


@dataclass(frozen=True)
class FinePicture:
    """A picture, or the part inside of its margins, at the size in which pictures are compared."""

    planes: Floats
    """Its grey levels, and its red, green and blue, (4, 256, 256)."""
    pixels: npt.NDArray[np.float64]
    """How many pixels it had across and down, (2,), before it got this size."""

    def turned(self, way: int) -> FinePicture:
        """Return the picture turned in this way."""
        pixels = self.pixels[::-1] if ORIENTATIONS[way][0] else self.pixels
        return FinePicture(turned_sketches(self.planes, way), pixels)

    def with_pixels(self, pixels: npt.NDArray[np.float64]) -> FinePicture:
        """Return the picture as it would be with so few pixels. One with hardly more is unchanged.

        A small copy lost the detail that it has no pixels for. So it can be compared with a large
        picture that has lost the same.
        """
        size = np.minimum(np.round(pixels), _FINE).clip(1).astype(int)
        if (size > _FEWER * np.minimum(self.pixels, _FINE)).any():
            return self
        planes = [Image.fromarray(plane) for plane in self.planes]
        small = [plane.resize(tuple(size.tolist()), Image.Resampling.BICUBIC) for plane in planes]
        wide = [plane.resize((_FINE, _FINE), Image.Resampling.BILINEAR) for plane in small]
        return FinePicture(np.stack([np.asarray(plane) for plane in wide]), size.astype(np.float64))


def _is_one_shot(around: FinePicture, inside: FinePicture, maps: Maps, allowed: Allowed) -> bool:
    """Return whether the pictures, which lie over each other nearly by this map, are forms of one
    shot.
    """
    scale = np.hypot(*maps.reshape(2, 3)[:, :2])
    around, inside = (
        around.with_pixels(inside.pixels / scale), inside.with_pixels(around.pixels * scale)
    )  # fmt: skip
    maps = improved(around.planes[:1], smoothed_as(inside.planes[:1], maps), maps)
    grey, within = laid_over(around.planes[:1], maps)
    wanted_grey = smoothed_as(inside.planes[:1], maps)
    if within.mean() < LEAST_COMMON:
        return False
    one, other, shown = (in_blocks(side) for side in (wanted_grey, grey, within))

    def is_changed(left: Floats) -> bool:
        return bool(changed_by(in_blocks(left[None]), one, other, shown, allowed)[0])

    left = _left(wanted_grey, grey, within)[0]
    if not is_changed(left):
        return True
    # In a coloured picture each colour may have a tone curve of its own. In a grey copy it has not.
    colors, _ = laid_over(around.planes[1:], maps)
    wanted_colors = smoothed_as(inside.planes[1:], maps)
    left_colors = _left(wanted_colors, colors, within)
    together = np.tensordot(_WEIGHTS, left_colors, 1)
    if not is_changed(together):
        return True
    left = min(left, together, key=lambda each: float(np.abs(each).mean()))
    wanted, levels = (
        np.concatenate(sides) for sides in ((wanted_grey, wanted_colors), (grey, colors))
    )
    if np.abs(left_colors).mean() > _MOST_COLOR * np.abs(left).mean() + 1:
        left_colors[:] = left  # one of them is grey, or has other colours
        wanted, levels = (np.repeat(side[:1], len(side), 0) for side in (wanted, levels))
    return is_mark(wanted, levels, np.concatenate([left[None], left_colors]))


def _left(wanted: Floats, levels: Floats, within: Floats) -> Floats:
    """Return the differences that are left between planes (n, 256, 256) of two pictures, within
    both.
    """
    found = [differences(*sides, within[0] > 0) for sides in zip(wanted, levels, strict=True)]
    return within * np.stack(found)


def in_blocks(values: Floats) -> Floats:
    """Return the means of values (n, 256, 256) in the places of a sketch's pixels."""
    found: Floats = values.reshape(len(values), SIDE, _BLOCK, SIDE, _BLOCK).mean(axis=(2, 4))
    return found
