"""What decides the pixels of HEIF and AVIF, and of JPEG XL: boxes in boxes, of which those with
metadata are left out.
"""

from collections.abc import Iterator
from typing import NamedTuple

from sigseek.indexer.decoding.identity.pieces import (
    Pieces,
    UnknownLayoutError,
    exif_orientation,
    xmp_orientation,
)

_JXL_METADATA = (b"JXL ", b"ftyp", b"Exif", b"xml ", b"jumb", b"free", b"skip")
_CODED = b"coded picture"
_LAST_PART = 1 << 31
_XMP_TYPE = b"application/rdf+xml"
_DESCRIBES = b"cdsc"
"""The kind of reference that binds metadata to a picture."""
_OFFSET_SIZE = 4
"""Bytes before EXIF that tell how many more bytes come before it."""
_IN_FILE, _IN_META = 0, 1
"""Where the data of an item are: in the file, or in a box beside the item's description."""


class Box(NamedTuple):
    """A box: its kind, and where its content begins and ends."""

    kind: bytes
    start: int
    end: int


class Item(NamedTuple):
    """A picture, a part of one, or a piece of metadata."""

    kind: bytes
    description: bytes
    """Its entry in the list of items."""

    @property
    def is_xmp(self) -> bool:
        """Whether it is XMP."""
        return self.kind == b"mime" and _XMP_TYPE in self.description

    @property
    def is_metadata(self) -> bool:
        """Whether it is EXIF or XMP."""
        return self.kind == b"Exif" or self.is_xmp


class Location(NamedTuple):
    """Where the data of an item are."""

    method: int
    extents: list[tuple[int, int]]
    """Offset and length of each part of the data."""


class _Bytes:
    """Numbers read one after the other from the bytes of a box."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._place = 0

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def take(self, size: int) -> bytes:
        found = self._content[self._place : self._place + size]
        if len(found) != size:
            raise UnknownLayoutError
        self._place += size
        return found


def add_heif(pieces: Pieces, *, is_avif: bool) -> None:
    """Add the pieces of a still HEIF or AVIF picture. Raises UnknownLayoutError for films, for
    damaged files, and for what is rarely met.

    HEIF's own orientation counts and not that of EXIF.
    """
    top = list(read_boxes(pieces, 0, pieces.size))
    meta = [box for box in top if box.kind == b"meta"]
    if len(meta) != 1 or any(box.kind == b"moov" for box in top):
        raise UnknownLayoutError
    inside = boxes_by_kind(read_boxes(pieces, meta[0].start + 4, meta[0].end))
    items = dict(read_items(pieces, inside[b"iinf"]))
    locations = dict(read_locations(pieces, inside[b"iloc"]))
    for id_ in sorted(items):
        if not items[id_].is_metadata:
            pieces.add(b"item", id_.to_bytes(4) + items[id_].description)
            extents = list(data_extents(inside, locations.get(id_)))
            if not all(length for _, length in extents):  # 0 stands for all that follows
                raise UnknownLayoutError
            pieces.add_ranges(b"data", extents)
    for kind in (b"pitm", b"iprp", b"grpl"):
        if box := inside.get(kind):
            pieces.add_range(kind, box.start, box.end - box.start)
    if references := inside.get(b"iref"):
        version = pieces.read(references.start, 1)
        for box in read_boxes(pieces, references.start + 4, references.end):
            if box.kind != _DESCRIBES:
                pieces.add(b"iref", version)
                pieces.add_range(box.kind, box.start, box.end - box.start)
    if is_avif:
        for id_, item in sorted(items.items()):
            if item.is_metadata:
                for start, length in data_extents(inside, locations.get(id_)):
                    _add_avif_metadata(pieces, item, pieces.read(start, length))


def _add_avif_metadata(pieces: Pieces, item: Item, content: bytes) -> None:
    """Add what metadata of an AVIF may say of the pixels, which is nothing as a rule.

    AVIF's own orientation counts and not that of EXIF. But Pillow does not open an AVIF whose EXIF
    is damaged, and asks XMP for the orientation where EXIF states none.
    """
    if item.is_xmp:
        if xmp_orientation(content) != 1:
            raise UnknownLayoutError
        return
    try:
        exif_orientation(content[_OFFSET_SIZE + int.from_bytes(content[:_OFFSET_SIZE]) :])
    except UnknownLayoutError:
        pieces.add(b"exif", content)


def add_bare_jxl(pieces: Pieces) -> None:
    """Add a JPEG XL without boxes. Programs put it into boxes to add metadata."""
    pieces.add_range(_CODED, 0, pieces.size)


def add_jxl(pieces: Pieces) -> None:
    """Add the pieces of a JPEG XL in boxes. The orientation is part of the coded picture.

    Raises UnknownLayoutError for a damaged one, and for a repacked JPEG, whose EXIF decides too.
    """
    coded: list[tuple[int, int]] = []
    for box in read_boxes(pieces, 0, pieces.size):
        kind = pieces.read(box.start, 4) if box.kind == b"brob" else box.kind
        if kind == b"jbrd":
            raise UnknownLayoutError
        if kind == b"jxlc":
            coded.append((box.start, box.end - box.start))
        elif kind == b"jxlp":
            number = int.from_bytes(pieces.read(box.start, 4)) & ~_LAST_PART
            if number != len(coded):
                raise UnknownLayoutError
            coded.append((box.start + 4, box.end - box.start - 4))
        elif kind not in _JXL_METADATA:
            pieces.add_range(kind, box.start, box.end - box.start)
    if not coded:
        raise UnknownLayoutError
    pieces.add_ranges(_CODED, coded)


def read_boxes(pieces: Pieces, start: int, end: int) -> Iterator[Box]:
    """Yield the boxes that lie one behind the other, which must fill the room exactly."""
    while start < end:
        head = pieces.read(start, 8)
        length, content = int.from_bytes(head[:4]), start + 8
        if length == 1:
            length, content = int.from_bytes(pieces.read(content, 8)), start + 16
        stop = end if length == 0 else start + length
        if not content <= stop <= end:
            raise UnknownLayoutError
        yield Box(head[4:], content, stop)
        start = stop


def boxes_by_kind(boxes: Iterator[Box]) -> dict[bytes, Box]:
    """Return the boxes of a description by kind. Raises UnknownLayoutError if a kind occurs twice,
    or if one that every description has is missing.
    """
    found: dict[bytes, Box] = {}
    for box in boxes:
        if box.kind in found:
            raise UnknownLayoutError
        found[box.kind] = box
    if not {b"iinf", b"iloc", b"iprp", b"pitm"} <= found.keys():
        raise UnknownLayoutError
    return found


def read_items(pieces: Pieces, box: Box) -> Iterator[tuple[int, Item]]:
    """Yield the id of each item and what it is."""
    version = pieces.read(box.start, 1)[0]
    for entry in read_boxes(pieces, box.start + (6 if version == 0 else 8), box.end):
        content = _Bytes(pieces.read(entry.start, entry.end - entry.start))
        entry_version = content.number(1)
        content.take(3)
        if entry.kind != b"infe" or entry_version not in (2, 3):
            raise UnknownLayoutError
        id_ = content.number(2 if entry_version == 2 else 4)
        content.take(2)
        kind = content.take(4)
        yield id_, Item(kind, pieces.read(entry.start, entry.end - entry.start))


def read_locations(pieces: Pieces, box: Box) -> Iterator[tuple[int, Location]]:
    """Yield the id of each item and where its data are."""
    content = _Bytes(pieces.read(box.start, box.end - box.start))
    version = content.number(1)
    content.take(3)
    sizes = content.number(2)
    offset_size, length_size, base_size, index_size = (
        sizes >> shift & 15 for shift in (12, 8, 4, 0)
    )
    if version > 2:
        raise UnknownLayoutError
    wide = 4 if version == 2 else 2
    for _ in range(content.number(wide)):
        id_ = content.number(wide)
        method = content.number(2) & 15 if version else _IN_FILE
        if content.number(2) or method not in (_IN_FILE, _IN_META):  # in another file, or an item
            raise UnknownLayoutError
        base = content.number(base_size)
        extents = []
        for _ in range(content.number(2)):
            content.take(index_size if version else 0)
            offset = base + content.number(offset_size)
            extents.append((offset, content.number(length_size)))
        yield id_, Location(method, extents)


def data_extents(inside: dict[bytes, Box], location: Location | None) -> Iterator[tuple[int, int]]:
    """Yield where the parts of an item's data begin in the file, and their lengths."""
    for offset, length in location.extents if location else ():
        if location and location.method == _IN_META:
            box = inside.get(b"idat")
            if box is None or box.start + offset + length > box.end:
                raise UnknownLayoutError
            offset += box.start
        yield offset, length
