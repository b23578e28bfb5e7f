"""What decides the pixels of a TIFF: the tags and the data of all its pages.

Camera RAW is laid out as TIFF too, and there the maker's own notes decide as well. So whatever
looks like RAW is left alone: its bytes decide.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from sigseek.indexer.decoding.identity.pieces import Pieces, UnknownLayoutError

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value, by TIFF's number of its type."""
_WIDE_SIZES = {16: 8, 17: 8, 18: 8}
"""Types that only BigTIFF has."""
_MOST_PAGES = 1_000
_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES = 273, 279, 324, 325
_DATA = {_STRIPS: _STRIP_SIZES, _TILES: _TILE_SIZES}
_ORIENTATION, _XMP, _EXIF = 274, 700, 34665
_METADATA = frozenset(
    {
        269, 270, 282, 283, 285, 296, 305, 306, 315, 316, _XMP, 18246, 18249, 33432, 33723, 34377,
        34853, 36867, 36868, 37724, 40091, 40092, 40093, 40094, 40095, 42016, _EXIF,
    }
)  # fmt: skip
"""Texts, dates, resolution, rating, XMP, IPTC, Photoshop's resources, EXIF and GPS."""
_REFUSED = {
    254: "a page is a smaller copy of another one, as in RAW",
    330: "pages in a page",
    513: "the old way to hold a JPEG",
    33421: "a colour filter before the sensor",
    50706: "DNG",
}
"""Tags of files whose bytes decide, and why."""
_MAKER_NOTE = 37500
_PHOTOMETRIC = 262
_PHOTOMETRIC_MEANINGS = range(9)
_Order = Literal["little", "big"]


class _Tag(NamedTuple):
    number: int
    type: int
    value: bytes
    start: int
    """Where the value is in the file."""


def add_tiff(pieces: Pieces) -> None:
    """Add the pieces of a TIFF. Raises UnknownLayoutError for damaged ones, and for what may be
    RAW.
    """
    head = pieces.read(0, 16)
    order: _Order = "little" if head[:2] == b"II" else "big"
    wide = int.from_bytes(head[2:4], order) == 43
    page = int.from_bytes(head[8:16] if wide else head[4:8], order)
    seen: set[int] = set()
    while page:
        if page in seen or len(seen) == _MOST_PAGES:
            raise UnknownLayoutError
        seen.add(page)
        tags, page = _page(pieces, page, order, wide)
        _add_page(pieces, tags, order, wide)


def _page(pieces: Pieces, start: int, order: _Order, wide: bool) -> tuple[dict[int, _Tag], int]:
    """Return the tags of a page by number, and where the next page is."""
    count_size, entry_size, link_size = (8, 20, 8) if wide else (2, 12, 4)
    count = int.from_bytes(pieces.read(start, count_size), order)
    start += count_size
    entries = pieces.read(start, count * entry_size)
    tags: dict[int, _Tag] = {}
    for place in range(0, len(entries), entry_size):
        tag = _tag(pieces, start + place, entries[place : place + entry_size], order, wide)
        if tag.number in tags:
            raise UnknownLayoutError
        tags[tag.number] = tag
    link = pieces.read(start + len(entries), link_size)
    return tags, int.from_bytes(link, order)


def _tag(pieces: Pieces, place: int, entry: bytes, order: _Order, wide: bool) -> _Tag:
    number, kind = int.from_bytes(entry[:2], order), int.from_bytes(entry[2:4], order)
    room = 8 if wide else 4
    size = (_SIZES | _WIDE_SIZES if wide else _SIZES).get(kind)
    if size is None:
        raise UnknownLayoutError
    length = size * int.from_bytes(entry[4:-room], order)
    start = place + len(entry) - room
    if length > room:
        start = int.from_bytes(entry[-room:], order)
    if number in _METADATA and number not in (_EXIF, _XMP):
        return _Tag(number, kind, b"", start)
    return _Tag(number, kind, pieces.read(start, length), start)


def _add_page(pieces: Pieces, tags: dict[int, _Tag], order: _Order, wide: bool) -> None:
    if tags.keys() & _REFUSED.keys() and not _is_plain(tags, order):
        raise UnknownLayoutError
    if _PHOTOMETRIC not in tags or _number(tags[_PHOTOMETRIC], order) not in _PHOTOMETRIC_MEANINGS:
        raise UnknownLayoutError
    if _EXIF in tags:
        exif, _ = _page(pieces, _number(tags[_EXIF], order), order, wide)
        if _MAKER_NOTE in exif:
            raise UnknownLayoutError
    pieces.add(b"page", b"")
    if _ORIENTATION in tags:
        stated = _number(tags[_ORIENTATION], order)
        pieces.add(b"orientation", bytes([stated if 1 <= stated <= 8 else 1]))
    else:
        pieces.add_orientation(None, tags[_XMP].value if _XMP in tags else None)
    for number, tag in sorted(tags.items()):
        if number in _DATA:
            sizes = tags.get(_DATA[number])
            starts = list(_numbers(tag, order))
            lengths = list(_numbers(sizes, order)) if sizes else []
            if len(starts) != len(lengths):
                raise UnknownLayoutError
            pieces.add_ranges(b"data", list(zip(starts, lengths, strict=True)))
        elif number not in _METADATA and number != _ORIENTATION:
            pieces.add(b"tag", number.to_bytes(2) + tag.type.to_bytes(2) + tag.value)


def _is_plain(tags: dict[int, _Tag], order: _Order) -> bool:
    """Return whether the only tag that gives cause for doubt says that the page is a picture of its
    own, or one of several pages.
    """
    doubtful = tags.keys() & _REFUSED.keys()
    return doubtful == {254} and _number(tags[254], order) in (0, 2)


def _number(tag: _Tag, order: _Order) -> int:
    numbers = list(_numbers(tag, order))
    if len(numbers) != 1:
        raise UnknownLayoutError
    return numbers[0]


def _numbers(tag: _Tag, order: _Order) -> Iterator[int]:
    """Yield the whole numbers of a tag."""
    size = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}.get(tag.type)
    if size is None:
        raise UnknownLayoutError
    for place in range(0, len(tag.value), size):
        yield int.from_bytes(tag.value[place : place + size], order)
