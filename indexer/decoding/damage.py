"""Pictures of damaged files, as far as they can be decoded.

A damaged picture is decoded twice, over different grounds. Where the two differ, nothing was
decoded. That part is cut off, for an embedding of half a photo is closer to the photo's than one of
half a photo over grey.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from itertools import product
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from sigseek.indexer.decoding.brands import AVIF, brands
from sigseek.indexer.decoding.formats import DECODED
from sigseek.indexer.decoding.heif_layout import completed_avif
from sigseek.indexer.decoding.jp2 import JP2, completed_jp2, whole_in_less_detail
from sigseek.indexer.decoding.jpeg import first_scan
from sigseek.indexer.decoding.orientation import turned_upright
from sigseek.indexer.decoding.tiff import orientation_of, strip_as_jpeg
from sigseek.indexer.decoding.webp import WEBP, completed_webp
from sigseek.indexer.errors import DecodeError

if TYPE_CHECKING:
    from sigseek.indexer.decoding.opening import OpenedPicture

LEAST_PART = 0.45
"""The share of a picture's rows that must be there. It is a little less than half, because half of
a file need not hold half of the rows.
"""

_HEAD = 64
_JPEG = b"\xff\xd8"
_END_OF_JPEG = b"\xff\xd9"
_LAST_BYTES = 4096
_END_OF_PNG = b"IEND\xaeB`\x82"
_BYTES_AHEAD = b"\xff\0" * 8
"""A JPEG decoder wants to see so many more bytes before it decodes the last blocks. They code less
than one block.
"""
_MADE_UP = (127, 129)
"""The levels from and to which a JPEG decoder fills what is missing."""
_GROUNDS = (b"\0", b"\xff", b"\xaa", b"\x55")
_LEFT_OUT = (0, 32, 64, 128)
_BAND = 256
_NEARLY = 0.05
_STEPS = (1, 2, 4, 8)
"""The distances between the pixels of an interlaced picture's passes, the last pass first."""


def is_disk_error(error: Exception) -> bool:
    """Return whether the disk or the network caused the error, and not the content of the file. A
    place that cannot be sought is what a damaged file points to.
    """
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def load(picture: OpenedPicture, least: tuple[int, int] | None) -> tuple[Image.Image, bool]:
    """Decode the picture. Return the image, or what could be decoded of it, and whether it is
    damaged.

    `least` is the size with which the picture's image was drafted. When too little can be decoded,
    this raises what the decoder raised, or a DecodeError.
    """
    image = picture.image
    try:
        image.load()
    except Exception as error:
        if picture.source is None or isinstance(error, MemoryError) or is_disk_error(error):
            raise
        part = decodable_part(picture.source, least, picture.frame)
        if part is None:
            raise
        _finish(image)
        return part, True
    if picture.source and _may_be_made_up(image):
        part = decodable_part(picture.source, least)
        if part and part.height < image.height:
            return part, True
    return image, picture.damaged or _lacks_its_end(picture)


def decodable_part(
    source: IO[bytes], least: tuple[int, int] | None = None, frame: int = 0
) -> Image.Image | None:
    """Return what can be decoded of the picture in `source`, or None where it is nothing at all.

    Raises DecodeError when it is too little.
    """
    source.seek(0)
    head = source.read(_HEAD)
    source.seek(0)
    if head.startswith(_JPEG):
        return _part_of_jpeg(source.read(), least)
    if WEBP.match(head):
        return _part_of_webp(source.read())
    if brands(head) & AVIF:
        return _part_of_completed("AVIF", completed_avif(source.read()))
    if head.startswith(JP2):
        return _part_of_jp2(source.read())
    black, white = (_decoded_over(level, source, None, frame) for level in (0, 255))
    return common_part(white, black) or _part_of_strip(source, frame)


def _part_of_strip(source: IO[bytes], frame: int) -> Image.Image | None:
    """Return what can be decoded of a TIFF whose page is one strip that is coded as a JPEG, of
    which its own decoder takes nothing; None for other files.
    """
    source.seek(0)
    image = Image.open(source, formats=DECODED)
    image.seek(frame)
    content = strip_as_jpeg(image, source)
    part = _part_of_jpeg(content, None) if content else None
    return turned_upright(part, orientation_of(image)) if part else None


def _part_of_jpeg(content: bytes, least: tuple[int, int] | None) -> Image.Image | None:
    scan = first_scan(content)
    if scan is None:
        return None
    whole = _decoded_over(255, BytesIO(content + _END_OF_JPEG), least)
    if scan.is_all:
        ended = BytesIO(content[: scan.end] + _BYTES_AHEAD)
        return common_part(whole, _decoded_over(0, ended, least))
    if scan.is_complete:  # whole, though not in all detail
        return whole
    return _cut(whole, ~_made_up_rows(whole), 0)


def _part_of_webp(content: bytes) -> Image.Image | None:
    # Few grounds suit a lossless picture. It helps to leave out some of its last bytes.
    return _part_of_completed(
        "WEBP",
        (
            completed_webp(content[: len(content) - left_out], ground)
            for left_out, ground in product(_LEFT_OUT, _GROUNDS)
        ),
    )


def _part_of_completed(format_: str, files: Iterable[bytes]) -> Image.Image | None:
    """Return the rows, from the top, in which two of the files show the same; None where fewer than
    two can be decoded. The end of each file is made up in another way.

    Raises DecodeError when the rows are too few.
    """
    images: list[Image.Image] = []
    for completed in files:
        # Pillow's decoder of AVIF raises RuntimeError and ValueError.
        with suppress(OSError, RuntimeError, ValueError):
            image = Image.open(BytesIO(completed), formats=[format_])
            image.load()
            images.append(image)
        if len(images) == 2:
            # What is made up may be equal by chance, so only rows above the first difference count.
            rows = ~_difference(*images).any(axis=1)
            return _cut(images[0], np.logical_and.accumulate(rows), 0)
    return None


def _part_of_jp2(content: bytes) -> Image.Image | None:
    completed = completed_jp2(content, LEAST_PART)
    if completed is None:
        return None
    if len(completed.files) > 1:
        return whole_in_less_detail(completed)
    # There are tiles, each whole or missing.
    tiles = completed.files[0]
    black, white = (_decoded_over(level, BytesIO(tiles), None) for level in (0, 255))
    return common_part(white, black)


def _decoded_over(
    level: int, source: IO[bytes], least: tuple[int, int] | None, frame: int = 0
) -> Image.Image:
    """Return the picture decoded as far as possible, with this level where nothing was decoded."""
    source.seek(0)
    image = Image.open(source, formats=DECODED)
    if frame:
        image.seek(frame)
    image.draft(None, least)
    if not _has_clear_ground(image):
        # Pillow turns a TIFF only after it was decoded.
        size = getattr(image, "_tile_size", image.size)
        bands = len(image.getbands())
        image.im = Image.new(image.mode, size, (level,) * bands if bands > 1 else level).im
    try:
        image.load()
    except Exception as error:
        if isinstance(error, MemoryError) or is_disk_error(error):
            raise
    _finish(image)
    return image


def _finish(image: Image.Image) -> None:
    """Have Pillow take the image for one that is decoded."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:
        return
    image.tile = []
    if image.format == "TIFF":
        with suppress(Exception):  # damaged EXIF raises many kinds
            image.load_end()  # turns it


def common_part(image: Image.Image, other: Image.Image) -> Image.Image | None:
    """Return the part of the image in which it equals the other; None where they are equal
    nowhere. Raises DecodeError when the part is too small.
    """
    if image.size != other.size:
        return None
    missing = _difference(image, other)
    if _has_clear_ground(image):
        missing |= (np.asarray(image) == image.info["transparency"]).all(axis=1)[:, None]
    if image.info.get("interlace") or image.format == "GIF":
        # The first pass has every eighth pixel, or row, of the whole picture.
        image, missing = _coarser(image, missing)
    rows: npt.NDArray[np.bool_] = ~np.any(missing, axis=1)
    columns: npt.NDArray[np.bool_] = ~np.any(missing, axis=0)
    if columns.mean() > rows.mean():  # a TIFF that was turned
        return _cut(image, columns, 1)
    return _cut(image, rows, 0)


def _has_clear_ground(image: Image.Image) -> bool:
    """Return whether Pillow decodes the image over a ground of its own, which is transparent."""
    return image.format == "GIF" and "transparency" in image.info


def _difference(image: Image.Image, other: Image.Image) -> npt.NDArray[np.bool_]:
    """Return for each pixel, as (height, width), whether the two images differ there."""
    differs = np.zeros((image.height, image.width), bool)
    for top in range(0, image.height, _BAND):  # as arrays, both whole pictures take much memory
        box = (0, top, image.width, min(top + _BAND, image.height))
        different = np.asarray(image.crop(box)) != np.asarray(other.crop(box))
        different = different.reshape(*differs[top : box[3]].shape, -1)
        differs[top : box[3]] = different.any(axis=2)
    return differs


def _coarser(
    image: Image.Image, missing: npt.NDArray[np.bool_]
) -> tuple[Image.Image, npt.NDArray[np.bool_]]:
    """Return the image with as many of its pixels as were decoded over nearly all of its rows."""
    shares = {step: 1 - missing[::step, ::step].any(axis=1).mean() for step in _STEPS}
    step = next(step for step in _STEPS if shares[step] > max(shares.values()) - _NEARLY)
    missing = missing[::step, ::step]
    if step > 1:
        offset = 0.5 - step / 2  # to the pixel's own middle
        image = image.transform(
            missing.shape[::-1],
            Image.Transform.AFFINE,
            (step, 0, offset, 0, step, offset),
            Image.Resampling.NEAREST,
        )
    return image, missing


def _cut(image: Image.Image, there: npt.NDArray[np.bool_], axis: int) -> Image.Image | None:
    """Return the longest part of the image whose rows (axis 0) or columns (axis 1) are all there;
    None where none is. Raises DecodeError when the part is too small.
    """
    edges = np.flatnonzero(np.diff(there.astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    if not len(edges):
        return None
    begin, end = max(edges.tolist(), key=lambda run: run[1] - run[0])
    share = (end - begin) / len(there)
    if share < LEAST_PART:
        raise DecodeError(f"damaged: only {share:.0%} of the picture can be decoded")
    if share == 1:
        return image
    return image.crop((0, begin, image.width, end) if axis == 0 else (begin, 0, end, image.height))


def _made_up_rows(image: Image.Image) -> npt.NDArray[np.bool_]:
    """Return for each row whether a JPEG decoder has made it up."""
    levels = np.asarray(image)
    low, high = _MADE_UP
    like_made_up = ((levels >= low) & (levels <= high)).reshape(image.height, -1)
    made_up: npt.NDArray[np.bool_] = np.all(like_made_up, axis=1)
    last = np.flatnonzero(~made_up)
    made_up[: last[-1] + 1 if len(last) else 0] = False  # only at the end does it mean anything
    return made_up


def _may_be_made_up(image: Image.Image) -> bool:
    """Return whether the last row of a JPEG looks like what a decoder makes up."""
    if image.format not in ("JPEG", "MPO"):
        return False
    last_row = image.crop((0, image.height - 1, image.width, image.height))
    return bool(_made_up_rows(last_row).all())


def _lacks_its_end(picture: OpenedPicture) -> bool:
    """Return whether the last chunk of a PNG that was decoded wholly is missing."""
    if picture.source is None or picture.image.format != "PNG":
        return False
    if getattr(picture.image, "is_animated", False):  # its other frames have not been read
        return False
    place = picture.source.tell()
    picture.source.seek(max(0, place - 4))
    if picture.source.read(8) == _END_OF_PNG:
        return False
    # Pillow also stops at metadata that it does not understand.
    picture.source.seek(max(0, picture.source.seek(0, 2) - _LAST_BYTES))
    return _END_OF_PNG not in picture.source.read()
