"""A JPEG 2000 file whose end is missing, made complete so that a decoder takes it."""

from typing import NamedTuple

JP2 = (b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  \r\n\x87\n")
"""What a bare codestream begins with, and a codestream in boxes."""
_START, _END = b"\xff\x4f\xff\x51", b"\xff\xd9"
_SIZE, _CODING, _TILE_PART = 0xFF51, 0xFF52, 0xFF90
_PROGRESSION = 5
"""The place in the segment of coding styles that tells in which order the picture is coded."""
_COARSE_FIRST = (0, 1, 2)
"""The orders in which the whole picture comes first in little detail: LRCP, RLCP and RPCL."""
_TILE_PART_HEADER = 12


class _Codestream(NamedTuple):
    """What the headers of a codestream tell."""

    start: int
    tiles: int
    coarse_first: bool
    parts: list[tuple[int, int]]
    """The parts of the tiles, each with the place where it begins and the one where it should
    end.
    """


def completed_jp2(content: bytes, least: float) -> bytes | None:
    """Return the file with the end of its codestream; None where too little is there to show the
    whole picture, or a part of its tiles.

    A picture of one tile must be coded from coarse to fine, and at least the share `least` of its
    bytes must be there. The missing bytes become zeros, which a decoder takes for detail that is
    left out. Of a picture of many tiles the last one is dropped if it is not whole.
    """
    try:
        found = _read(content)
    except IndexError:
        return None
    if found is None or not found.parts:
        return None
    start, end = found.parts[-1]
    if found.tiles == 1:
        last = end if end > start else len(content)
        there = (min(len(content), last) - found.start) / (last - found.start)
        if not found.coarse_first or there < least:
            return None
        return content[:last].ljust(last, b"\0") + _END
    if end > len(content) or end <= start:
        end = start
    return content[:end] + _END


def _read(content: bytes) -> _Codestream | None:
    start = content.find(_START)
    if start < 0:
        return None
    at, tiles, coarse_first = start + 2, 0, False
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
        at += 2 + length
    return _Codestream(start, tiles, coarse_first, parts) if tiles else None


def _tiles(content: bytes, at: int) -> int:
    """Return the number of tiles, from the segment with the sizes; 0 where it is damaged."""
    sides = [_number(content, at + 6 + 4 * number, 4) for number in range(8)]
    width, height, _, _, tile_width, tile_height, left, top = sides
    if not tile_width or not tile_height or left >= width or top >= height:
        return 0
    return -(-(width - left) // tile_width) * -(-(height - top) // tile_height)


def _number(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size])
