"""HEIF files whose end is missing.

The missing bytes are made up in two ways. Where the two pictures differ, nothing was decoded.
"""

from collections.abc import Iterator
from io import BytesIO
from typing import Any

from PIL import Image

from sigseek.indexer.decoding.damage import common_part
from sigseek.indexer.decoding.heif_layout import FILLINGS, HeifLayout, filling, read_layout
from sigseek.indexer.decoding.limits import LEAST_PREVIEW
from sigseek.indexer.errors import DecodeError

_NAL_LENGTH = 4
"""Bytes before a piece of HEVC that tell its length."""
_SAME_SHAPE = 0.02
"""How much the shape of a preview may differ from the picture's, because of rounded sides."""


def part_of_heif(content: bytes) -> Image.Image:
    """Return what can be decoded of a HEIF whose end is missing: the whole picture, a preview of it
    that is whole, or some of its rows.

    Raises DecodeError when there is too little of all of these.
    """
    layout = read_layout(content)
    shown = list(_decoded(layout, content)) if layout else []
    if len(shown) < 2:
        raise DecodeError("damaged: nothing of the picture can be decoded")
    (image, preview), (other, other_preview) = shown
    preview = _whole_preview(preview, other_preview, image.size)
    try:
        part = common_part(image, other)
    except DecodeError:
        if preview is None:
            raise
        return preview
    if part is not None and (preview is None or part.size == image.size):
        return part
    if preview is None:
        raise DecodeError("damaged: nothing of the picture can be decoded")
    return preview


def _decoded(
    layout: HeifLayout, content: bytes
) -> Iterator[tuple[Image.Image, Image.Image | None]]:
    """Yield two versions of the picture and of its largest preview, the missing end made up in two
    ways.
    """
    from pillow_heif import HeifImageFile

    made = 0
    for number in range(FILLINGS):
        filled = content + filling(number, layout.end - len(content))
        if made:
            filled = _with_other_tiles(layout, filled, len(content))
        try:
            image: Image.Image = HeifImageFile(BytesIO(filled))  # type: ignore[no-untyped-call]
            preview = _preview(filled)
            image.load()
        except MemoryError:
            raise
        except Exception:  # whatever the decoder makes of bytes that are made up
            continue
        yield image, preview
        made += 1
        if made == 2:
            return


def _with_other_tiles(layout: HeifLayout, filled: bytes, cut: int) -> bytes:
    """Return the file with the largest whole tile in the place of those that are missing wholly,
    which libheif leaves black whatever their bytes are.
    """
    whole = [extent for extent in layout.coded if sum(extent) <= cut]
    if not whole:
        return filled
    start, length = max(whole, key=lambda extent: extent[1])
    donor = filled[start + _NAL_LENGTH : start + length]
    changed = bytearray(filled)
    for place, size in layout.coded:
        if place >= cut and size > _NAL_LENGTH:
            inner = size - _NAL_LENGTH
            tile = inner.to_bytes(_NAL_LENGTH) + donor[:inner].ljust(inner, b"\0")
            changed[place : place + size] = tile
    return bytes(changed)


def _preview(filled: bytes) -> Image.Image | None:
    """Return the largest preview in the file, or None."""
    from pillow_heif import HeifFile

    heif = HeifFile(BytesIO(filled))  # type: ignore[no-untyped-call]
    first = heif[heif.primary_index]
    thumbnails: Any = first.info.get("thumbnails", [])
    found = []
    for number in range(len(thumbnails)):
        try:
            found.append(first.get_thumbnail(number).to_pillow())
        except (OSError, ValueError, RuntimeError, EOFError):  # it is among what is missing
            continue
    return max(found, key=lambda image: image.width, default=None)


def _whole_preview(
    one: Image.Image | None, other: Image.Image | None, size: tuple[int, int]
) -> Image.Image | None:
    """Return the preview if it is the same however the end is made up, large enough, and of the
    picture's shape.
    """
    if one is None or other is None or min(one.size) < LEAST_PREVIEW:
        return None
    shape, wanted = one.width / one.height, size[0] / size[1]
    if abs(shape / wanted - 1) > _SAME_SHAPE or one.tobytes() != other.tobytes():
        return None
    return one
