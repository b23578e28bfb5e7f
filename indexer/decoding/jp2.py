"""A JPEG 2000 file whose end is missing, made complete so that a decoder takes it."""

import random
from io import BytesIO
from typing import Any, NamedTuple, cast

from PIL import Image

from sigseek.indexer.decoding.limits import LEAST_PREVIEW
from sigseek.indexer.errors import DecodeError

JP2 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")
"""What a bare codestream begins with, and a codestream in boxes."""
_START, _END = b"\xff\x4f\xff\x51", b"\xff\xd9"
_SIZE, _CODING, _TILE_PART = 0xFF51, 0xFF52, 0xFF90
_PROGRESSION, _LAYERS = 5, 6
"""The places in the segment of coding styles that tell in which order the picture is coded, and in
how many layers of quality.
"""
_COARSE_FIRST = (0, 1, 2)
"""The orders in which the whole picture comes first in little detail: LRCP, RLCP and RPCL."""
_TILE_PART_HEADER = 12
_HALVINGS = range(4)
"""How often the sides of a picture are halved, to leave out the detail that is missing."""


class _Codestream(NamedTuple):
    """What the headers of a codestream tell."""

    start: int
    tiles: int
    coarse_first: bool
    layers: int
    parts: list[tuple[int, int]]
    """The parts of the tiles, each with the place where it begins and the one where it should
    end.
    """


class CompletedJp2(NamedTuple):
    """A JPEG 2000 file with the end of its codestream."""

    files: list[bytes]
    """One file of whole tiles, or two of a picture of one tile. What is missing in its detail is
    made up in each in another way.
    """
    layers: int
    """How many layers of quality the picture is coded in."""


def completed_jp2(content: bytes, least: float) -> CompletedJp2 | None:
    """Return the file with the end of its codestream; None where no end is missing, or where that
    cannot be told.

    A picture of one tile must be coded from coarse to fine, and at least the share `least` of its
    bytes must be there. Otherwise this raises DecodeError. Of a picture of many tiles the last one
    is dropped if it is not whole.
    """
    try:
        found = _read(content)
    except IndexError:
        return None
    if found is None or not found.parts:
        return None
    start, end = found.parts[-1]
    if found.tiles > 1:
        whole = end if start < end <= len(content) else start
        return CompletedJp2([content[:whole] + _END], found.layers)
    last = end if end > start else len(content)
    missing = max(0, last - len(content))
    if not missing and content.endswith(_END):
        return None
    if not found.coarse_first or (len(content) - found.start) / (last - found.start) < least:
        raise DecodeError("damaged: too little of the picture can be decoded")
    # A decoder takes a byte below 128 for a piece of detail that is left out, where it expects the
    # head of a piece.
    other = bytes(byte >> 1 for byte in random.Random(0).randbytes(missing))
    files = [content[:last] + made_up + _END for made_up in (bytes(missing), other)]
    return CompletedJp2(files, found.layers)


def whole_in_less_detail(completed: CompletedJp2) -> Image.Image | None:
    """Return the picture with as much of its detail as shows the same in both files; None where
    that is too little.
    """
    fewer = [completed.layers >> halved for halved in range(1, 5)]
    for halvings in _HALVINGS:
        for layers in (0, *filter(None, fewer)) if halvings else (0,):
            one, other = (_decoded(file, halvings, layers) for file in completed.files)
            if one and other and one.tobytes() == other.tobytes():
                return one
    return None


def _decoded(file: bytes, halvings: int, layers: int) -> Image.Image | None:
    """Return the picture with its sides halved `halvings` times, made of the first `layers` layers
    of quality (0 means all). None if it cannot be decoded in this way, or gets too small.
    """
    image: Any = Image.open(BytesIO(file), formats=["JPEG2000"])
    least = min(LEAST_PREVIEW, min(image.size) // 2)  # small pictures may be halved once
    if halvings and min(image.size) >> halvings < least:
        return None
    image.reduce, image.layers = halvings, layers
    try:
        image.load()
    except OSError:
        return None
    return cast("Image.Image", image)


def _read(content: bytes) -> _Codestream | None:
    start = content.find(_START)
    if start < 0:
        return None
    at, tiles, coarse_first, layers = start + 2, 0, False, 1
    parts: list[tuple[int, int]] = []
    while at + _TILE_PART_HEADER <= len(content):
        marker, length = _number(content, at, 2), _number(content, at + 2, 2)
        if marker == _TILE_PART:
            size = _number(content, at + 6, 4)  # 0 stands for all that follows
            parts.append((at, at + size))
            if not size:
                break
            at += size
            continue
        if parts or marker < 0xFF00:
            break
        if marker == _SIZE:
            tiles = _tiles(content, at)
        elif marker == _CODING:
            coarse_first = content[at + _PROGRESSION] in _COARSE_FIRST
            layers = _number(content, at + _LAYERS, 2)
        at += 2 + length
    return _Codestream(start, tiles, coarse_first, layers, parts) if tiles else None


def _tiles(content: bytes, at: int) -> int:
    """Return the number of tiles, from the segment with the sizes; 0 where it is damaged."""
    sides = [_number(content, at + 6 + 4 * number, 4) for number in range(8)]
    width, height, _, _, tile_width, tile_height, left, top = sides
    if not tile_width or not tile_height or left >= width or top >= height:
        return 0
    return -(-(width - left) // tile_width) * -(-(height - top) // tile_height)


def _number(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size])
