"""The perceptual hash of a picture, made from its pixels."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from sigseek.storage.perceptual_hash import SIDE, hash_bits, quality, variant_bits
from sigseek.storage.records.hashes import WHOLE, HashRecord, SketchRecord
from sigseek.storage.sketch_coding import coded

_DETAIL = 256
"""The size at which margins are looked for; their widths are told in parts of it."""
_BLOCK = _DETAIL // SIDE
_ALIKE = 12
"""How many levels a pixel of a plain row may differ from the row's median."""
_SAME = 4
"""How many levels the medians of plain rows may differ from that of the outermost one."""
_PLAIN = 0.75
"""The share of a plain row's pixels that are alike. The others may be letters or icons, as over a
screenshot.
"""
_GAP = 8
"""Plain rows in a run that are a part of the picture if others follow."""
_LEAST_MARGINS = 0.03
"""The share of the picture that margins must take, all together."""
_SAMPLES = 64
"""The rows and columns of pixels that the mean colour is taken of."""
_LEAST_INNER = 0.08
"""The share of the picture that must be left inside of the margins."""


def picture_hash(picture: Image.Image, *, several_pictures: bool = False) -> HashRecord:
    """Return what is kept of a picture, which is upright and in RGB, to find it again in another
    form. `several_pictures` tells whether its file holds more pictures.
    """
    grey = picture.convert("L")
    levels = _resized(grey, (0, 0, *grey.size))
    whole = _sketch(levels, grey.height / grey.width)
    color = mean_color(picture)
    margins = plain_margins(levels)
    if margins is None:
        return HashRecord(whole, None, several_pictures, color)
    left, top, right, bottom = margins
    width, height = grey.width / _DETAIL, grey.height / _DETAIL
    box = (left * width, top * height, (_DETAIL - right) * width, (_DETAIL - bottom) * height)
    shape = (box[3] - box[1]) / (box[2] - box[0])
    inner = _sketch(_resized(grey, box), shape, bytes(margins))
    return HashRecord(whole, inner, several_pictures, color)


def mean_color(picture: Image.Image) -> int:
    """Return the mean colour of a picture in RGB, 0xRRGGBB, from a sample of its pixels."""
    sample = picture.resize((_SAMPLES, _SAMPLES), Image.Resampling.NEAREST)
    red, green, blue = np.rint(np.asarray(sample).mean(axis=(0, 1))).astype(int).tolist()
    return int(red << 16 | green << 8 | blue)


def plain_margins(levels: npt.NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Return the widths of plain margins on the left, at the top, on the right and at the bottom of
    a picture (256, 256). None is returned for a picture that has none, or consists of them.

    A row is plain if nearly all of its pixels are alike. Columns are looked at between the margins
    at the top and bottom, and these once more between those on the left and right.
    """
    edges = np.stack([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    if not _are_plain(edges, _medians(edges)).any():
        return None  # as most photographs, which need no closer look
    top, bottom = _plain_ends(levels)
    left, right = _plain_ends(levels[top : _DETAIL - bottom].T)
    top, bottom = _plain_ends(levels[:, left : _DETAIL - right])
    inner = (_DETAIL - left - right) * (_DETAIL - top - bottom) / _DETAIL**2
    return (left, top, right, bottom) if _LEAST_INNER <= inner <= 1 - _LEAST_MARGINS else None


def _plain_ends(levels: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """Return how many rows there are before and after the picture that lies between plain rows."""
    if not levels.size:
        return 0, 0
    middles = _medians(levels)
    plain = _are_plain(levels, middles)
    # A wall behind a border is a part of the picture. It is rarely of the very same level.
    as_edges = np.abs(middles[:, None] - middles[[0, -1]]) <= _SAME
    others = np.flatnonzero(~(plain & as_edges.any(axis=1)))
    if not len(others):
        return 0, 0
    # Letters in a bar make short runs of other rows. The picture is the longest run.
    breaks = np.flatnonzero(np.diff(others) > _GAP)
    firsts, lasts = others[np.append(0, breaks + 1)], others[np.append(breaks, len(others) - 1)]
    longest = int(np.argmax(lasts - firsts))
    return int(firsts[longest]), int(len(plain) - 1 - lasts[longest])


def _are_plain(
    rows: npt.NDArray[np.uint8], middles: npt.NDArray[np.float32]
) -> npt.NDArray[np.bool_]:
    """Return which of the rows (n, pixels), which have these medians (n,), are plain, (n,)."""
    # Below `lowest` the bytes wrap around. Floats would take five times as long.
    lowest = np.ceil(middles - _ALIKE).clip(0).astype(np.uint8)[:, None]
    highest = np.floor(middles + _ALIKE).clip(None, 255).astype(np.uint8)[:, None]
    alike = rows - lowest <= highest - lowest
    plain: npt.NDArray[np.bool_] = np.count_nonzero(alike, axis=1) >= _PLAIN * rows.shape[1]
    return plain


def _medians(rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the median level (n,) of each of the rows (n, pixels).

    A stable sort of bytes counts them, which takes a fraction of the time of numpy's own median.
    """
    ordered, count = np.sort(rows, axis=1, kind="stable"), rows.shape[1]
    middle = ordered[:, [(count - 1) // 2, count // 2]]
    medians: npt.NDArray[np.float32] = middle.mean(axis=1, dtype=np.float32)
    return medians


def _resized(grey: Image.Image, box: tuple[float, float, float, float]) -> npt.NDArray[np.uint8]:
    """Return the part of the picture in the box as levels (256, 256)."""
    size = (_DETAIL, _DETAIL)
    # A large picture is first reduced in whole steps, which is faster. Stored hashes depend on it.
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=2.0))


def _sketch(levels: npt.NDArray[np.uint8], shape: float, margins: bytes = WHOLE) -> SketchRecord:
    """Return the sketch of a picture (256, 256) from which these margins were cut off."""
    # To add whole rows, and then whole columns, is four times faster than to add up blocks.
    rows = levels.reshape(SIDE, _BLOCK, _DETAIL).sum(axis=1, dtype=np.uint16)
    sums = np.add.reduce([rows[:, start::_BLOCK] for start in range(_BLOCK)])
    sketch = np.rint(sums / np.float32(_BLOCK**2)).astype(np.uint8)
    return sketch_record(sketch, shape, margins)


def sketch_record(
    sketch: npt.NDArray[np.uint8], shape: float, margins: bytes = WHOLE
) -> SketchRecord:
    """Return what is kept of a sketch (64, 64). `shape` is the picture's height as a share of its
    width.
    """
    bits, variants = hash_bits(sketch[None]), variant_bits(sketch[None], shape)
    return SketchRecord(coded(sketch), bits.tobytes(), variants.tobytes(), quality(sketch), margins)
