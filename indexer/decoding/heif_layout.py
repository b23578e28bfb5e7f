"""How long a HEIF or AVIF file should be, and bytes in the place of those that are missing.

Their description comes first and tells where everything is.
"""

import random
from collections.abc import Iterator
from io import BytesIO
from itertools import product
from typing import NamedTuple

from sigseek.indexer.decoding.identity.boxes import (
    Box,
    boxes_by_kind,
    data_extents,
    read_boxes,
    read_items,
    read_locations,
)
from sigseek.indexer.decoding.identity.pieces import Pieces, UnknownLayoutError
from sigseek.indexer.errors import DecodeError

FILLINGS = 24
"""How many fillings there are. A decoder of AV1 refuses many, depending on the place of the cut."""
_LEFT_OUT = (0, 64, 256)
"""How many of the last bytes are left out of an AVIF until a decoder takes it."""
_LEAST_SHARE = 0.25
"""The share of a file's bytes without which nothing is made up. A hostile file names any length."""
_BOX_HEADER, _VERSION = 8, 4
"""Bytes before the content of a box, and bytes of the version with which some begin."""


class HeifLayout(NamedTuple):
    """What the description of a file says of its coded pictures."""

    end: int
    """Where the file should end."""
    coded: list[tuple[int, int]]
    """Where the coded picture, or its tiles, begin, and their lengths in bytes."""


def missing_bytes(content: bytes) -> int:
    """Return how many bytes are missing at the end of the file; 0 where nothing of the picture is
    missing, or where that cannot be told. Raises DecodeError when most of the file is missing.
    """
    layout = read_layout(content)
    needed = max(map(sum, layout.coded), default=0) if layout else 0
    if layout is None or needed <= len(content):
        return 0
    share = len(content) / needed
    if share < _LEAST_SHARE:
        raise DecodeError(f"damaged: only {share:.0%} of the file is there")
    return layout.end - len(content)


def completed_avif(content: bytes) -> Iterator[bytes]:
    """Yield the AVIF with its end made up in several ways; nothing where no end is missing. Raises
    DecodeError when most of the file is missing.
    """
    missing = missing_bytes(content)
    if missing:
        for left_out, number in product(_LEFT_OUT, range(FILLINGS)):
            yield content[: len(content) - left_out] + filling(number, left_out + missing)


def filling(number: int, length: int) -> bytes:
    """Return bytes to be decoded in the place of missing ones. They are as good as random, because
    several simple ones can decode to the same picture.
    """
    return random.Random(number).randbytes(length)


def read_layout(content: bytes) -> HeifLayout | None:
    """Return what the description says; None where it is not whole, or of another kind."""
    pieces = Pieces(BytesIO(content), len(content), "HEIF")
    end, description = 0, None
    while end + _BOX_HEADER <= len(content):
        start, kind = end, content[end + 4 : end + _BOX_HEADER]
        length = int.from_bytes(content[start : start + 4])
        if length == 1:
            length = int.from_bytes(content[start + 8 : start + 16])
        end = start + length if length else len(content)
        if end < start + _BOX_HEADER:
            return None
        if kind == b"meta":
            description = (start + _BOX_HEADER + _VERSION, end)
    if description is None or description[1] > len(content):
        return None
    try:
        inside = boxes_by_kind(read_boxes(pieces, *description))
        places = {
            id_: list(data_extents(inside, location))
            for id_, location in read_locations(pieces, inside[b"iloc"])
        }
        coded = [place for id_ in _coded_items(pieces, inside) for place in places.get(id_, ())]
    except UnknownLayoutError:
        return None
    ends = [end, *(sum(place) for found in places.values() for place in found)]
    # A damaged description names any places, and only those of the coded picture matter.
    believed = [place for place in ends if place <= len(content) / _LEAST_SHARE]
    return HeifLayout(max([0, *believed, *map(sum, coded)]), coded)


def _coded_items(pieces: Pieces, inside: dict[bytes, Box]) -> list[int]:
    """Return the ids of the tiles of the main picture, or its own where it has none."""
    primary, references = inside[b"pitm"], inside.get(b"iref")
    number = pieces.read(primary.start + _VERSION, primary.end - primary.start - _VERSION)
    main = int.from_bytes(number)
    items = dict(read_items(pieces, inside[b"iinf"]))
    if references is None or main not in items or items[main].kind != b"grid":
        return [main]
    size = 2 if pieces.read(references.start, 1) == b"\0" else 4
    for box in read_boxes(pieces, references.start + _VERSION, references.end):
        content = pieces.read(box.start, box.end - box.start)
        numbers = content[size + 2 :]
        if box.kind == b"dimg" and int.from_bytes(content[:size]) == main:
            return [int.from_bytes(numbers[at : at + size]) for at in range(0, len(numbers), size)]
    return [main]
