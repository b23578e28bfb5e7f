"""What decides the pixels of a TIFF or DNG: the tags and the data of all its pages, and of those
below them.

Most camera RAW is laid out as TIFF too, and there the maker's own notes tell where more data are.
So RAW other than DNG is left alone: its bytes decide. In a DNG, and in a TIFF whose pages are
nested or hold smaller copies, everything counts that a RAW library may look at.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sigseek.indexer.decoding.identity.pieces import Pieces, UnknownLayoutError

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
"""Bytes of a value, by TIFF's number of its type."""
_WIDE_SIZES = {16: 8, 17: 8, 18: 8}
"""Types that only BigTIFF has."""
_MOST_PAGES = 1_000
_DEEPEST = 4
_MOST_SAMPLES = 100
_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES, _JPEG, _JPEG_SIZE = 273, 279, 324, 325, 513, 514
_DATA = {_STRIPS: _STRIP_SIZES, _TILES: _TILE_SIZES, _JPEG: _JPEG_SIZE}
_KIND, _BELOW, _DNG_VERSION, _COLOUR_FILTER = 254, 330, 50706, 33421
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_SAMPLES, _ROWS_IN_STRIP, _PLANES, _TILE_WIDTH, _TILE_HEIGHT = 277, 278, 284, 322, 323
_UNCOMPRESSED, _AS_JPEG, _SEPARATE = 1, (7, 34892), 2
_END_OF_JPEG = b"\xff\xd9"
_ORIENTATION, _XMP, _EXIF, _SOFTWARE = 274, 700, 34665, 305
_METADATA = frozenset(
    {
        269, 270, 282, 283, 285, 296, _SOFTWARE, 306, 315, 316, _XMP, 18246, 18249, 33432, 33723,
        34377, 34853, 36867, 36868, 37724, 40091, 40092, 40093, 40094, 40095, 42016, 59932, 59933,
        _EXIF,
    }
)  # fmt: skip
"""Texts, dates, resolution, rating, XMP, IPTC, Photoshop's resources, EXIF, GPS and padding."""
_EXIF_METADATA = frozenset(
    {
        306, 315, 33432, 34853, 36864, 36867, 36868, 36880, 36881, 36882, 37121, 37510, 37520,
        37521, 37522, 40960, 40961, 40965, 42016, 42032, 42033, 42034, 42035, 42036, 42037, 59932,
        59933,
    }
)  # fmt: skip
"""Versions, texts, dates and names of lenses in EXIF."""
_DOUBTFUL = (_BELOW, _JPEG, _COLOUR_FILTER, _DNG_VERSION)
"""Tags of files that a RAW library may open."""
_NUMBERS_KNOWN = (
    range(254, 348), range(513, 519), range(529, 533), range(33421, 33423), range(33432, 33438),
    range(34850, 34860), range(37377, 37401), range(_DNG_VERSION, 50933), range(50934, 52701),
)  # fmt: skip
_KNOWN = frozenset({34675, 50341}).union(_METADATA, *_NUMBERS_KNOWN)
"""Tags that do not tell where more data are: those of TIFF, TIFF/EP and DNG, except for the old
ways to hold a JPEG and for a DNG's further colour profiles.
"""
_MAKER_NOTE = 37500
_PHOTOMETRIC_MEANINGS = range(9)
_Order = Literal["little", "big"]


class _Tag(NamedTuple):
    number: int
    type: int
    start: int
    """Where the value is in the file."""
    length: int


@dataclass
class _Page:
    tags: dict[int, _Tag]
    exif: dict[int, _Tag] = field(default_factory=dict)
    below: list[list["_Page"]] = field(default_factory=list)


def add_tiff(pieces: Pieces) -> None:
    """Add the pieces of a TIFF or DNG. Raises UnknownLayoutError for damaged ones, and for what may
    be other RAW.
    """
    head = pieces.read(0, 16)
    order: _Order = "little" if head[:2] == b"II" else "big"
    wide = int.from_bytes(head[2:4], order) == 43
    reader = _Reader(pieces, order, wide)
    pages = reader.chain(int.from_bytes(head[8:16] if wide else head[4:8], order))
    if any(map(reader.is_doubtful, pages)):
        _NestedAdder(reader, is_dng=_DNG_VERSION in pages[0].tags).add(pages)
    else:
        for page in pages:
            _add_plain_page(reader, page)


class _Reader:
    """Reads the directories of a TIFF and the values of their tags."""

    def __init__(self, pieces: Pieces, order: _Order, wide: bool) -> None:
        self.pieces = pieces
        self._order: _Order = order
        self._wide = wide
        self._seen: set[int] = set()

    def chain(self, start: int, depth: int = 0) -> list[_Page]:
        """Return the pages from this place on."""
        pages = []
        while start:
            if start in self._seen or len(self._seen) == _MOST_PAGES or depth > _DEEPEST:
                raise UnknownLayoutError
            self._seen.add(start)
            tags, following = self._directory(start)
            page = _Page(tags)
            if _EXIF in tags:
                page.exif, _ = self._directory(self.number(tags[_EXIF]))
            if _BELOW in tags:
                page.below = [self.chain(place, depth + 1) for place in self.numbers(tags[_BELOW])]
            pages.append(page)
            start = following
        return pages

    def is_doubtful(self, page: _Page) -> bool:
        """Return whether a RAW library may open the file because of this page."""
        if any(number in page.tags for number in _DOUBTFUL):
            return True
        return _KIND in page.tags and self.number(page.tags[_KIND]) not in (0, 2)

    def value(self, tag: _Tag) -> bytes:
        """Return the bytes of the value."""
        return self.pieces.read(tag.start, tag.length)

    def number(self, tag: _Tag) -> int:
        """Return the only number of the tag."""
        numbers = list(self.numbers(tag))
        if len(numbers) != 1:
            raise UnknownLayoutError
        return numbers[0]

    def numbers(self, tag: _Tag) -> Iterator[int]:
        """Yield the whole numbers of a tag."""
        size = {3: 2, 4: 4, 13: 4, 16: 8, 18: 8}.get(tag.type)
        if size is None:
            raise UnknownLayoutError
        value = self.value(tag)
        for place in range(0, len(value), size):
            yield int.from_bytes(value[place : place + size], self._order)

    def extents(self, page: _Page, number: int) -> list[tuple[int, int]]:
        """Return where the data begin that a tag tells of, and their lengths."""
        sizes = page.tags.get(_DATA[number])
        starts = list(self.numbers(page.tags[number]))
        lengths = list(self.numbers(sizes)) if sizes else []
        if len(starts) != len(lengths):
            raise UnknownLayoutError
        return list(zip(starts, lengths, strict=True))

    def _directory(self, start: int) -> tuple[dict[int, _Tag], int]:
        """Return the tags of a directory by number, and where the next one is."""
        count_size, entry_size, link_size = (8, 20, 8) if self._wide else (2, 12, 4)
        count = int.from_bytes(self.pieces.read(start, count_size), self._order)
        start += count_size
        entries = self.pieces.read(start, count * entry_size)
        tags: dict[int, _Tag] = {}
        for place in range(0, len(entries), entry_size):
            tag = self._tag(start + place, entries[place : place + entry_size])
            if tag.number in tags:
                raise UnknownLayoutError
            tags[tag.number] = tag
        link = self.pieces.read(start + len(entries), link_size)
        return tags, int.from_bytes(link, self._order)

    def _tag(self, place: int, entry: bytes) -> _Tag:
        number = int.from_bytes(entry[:2], self._order)
        kind = int.from_bytes(entry[2:4], self._order)
        room = 8 if self._wide else 4
        size = (_SIZES | _WIDE_SIZES if self._wide else _SIZES).get(kind)
        if size is None:
            raise UnknownLayoutError
        length = size * int.from_bytes(entry[4:-room], self._order)
        start = place + len(entry) - room
        if length > room:
            start = int.from_bytes(entry[-room:], self._order)
        return _Tag(number, kind, start, length)


def _add_plain_page(reader: _Reader, page: _Page) -> None:
    _check_is_no_raw(reader, page)
    _add_page(reader, page, _METADATA)


def _check_is_no_raw(reader: _Reader, page: _Page) -> None:
    if _MAKER_NOTE in page.exif or _PHOTOMETRIC not in page.tags:
        raise UnknownLayoutError
    if reader.number(page.tags[_PHOTOMETRIC]) not in _PHOTOMETRIC_MEANINGS:
        raise UnknownLayoutError


def _add_page(reader: _Reader, page: _Page, metadata: frozenset[int]) -> None:
    """Add a page without those below it."""
    pieces, tags = reader.pieces, page.tags
    pieces.add(b"page", b"")
    if _ORIENTATION in tags:
        stated = reader.number(tags[_ORIENTATION])
        pieces.add(b"orientation", bytes([stated if 1 <= stated <= 8 else 1]))
    else:
        pieces.add_orientation(None, reader.value(tags[_XMP]) if _XMP in tags else None)
    for number, tag in sorted(tags.items()):
        if number in _DATA:
            extents = reader.extents(page, number)
            _check_extents(reader, page, number, extents)
            pieces.add_ranges(b"data", extents)
        elif number not in metadata and number not in (_ORIENTATION, _BELOW):
            _add_tag(reader, b"tag", tag)


def _add_tag(reader: _Reader, name: bytes, tag: _Tag) -> None:
    start = tag.number.to_bytes(2) + tag.type.to_bytes(2)
    reader.pieces.add(name, start + reader.value(tag))


class _NestedAdder:
    """Adds the pages of a file that a RAW library may open."""

    def __init__(self, reader: _Reader, *, is_dng: bool) -> None:
        self._reader = reader
        self._is_dng = is_dng

    def add(self, pages: Sequence[_Page]) -> None:
        """Add the pages and those below them."""
        for page in pages:
            if not page.tags.keys() <= _KNOWN:
                raise UnknownLayoutError
            if not self._is_dng:
                _check_is_no_raw(self._reader, page)
                if _COLOUR_FILTER in page.tags:
                    raise UnknownLayoutError
            # By the software LibRaw tells RAW from what was developed.
            _add_page(self._reader, page, _METADATA - {_SOFTWARE})
            for number, tag in sorted(page.exif.items()):
                if number not in _EXIF_METADATA:
                    _add_tag(self._reader, b"exif", tag)
            for below in page.below:
                self._reader.pieces.add(b"below", b"")
                self.add(below)
                self._reader.pieces.add(b"above", b"")


def _check_extents(
    reader: _Reader, page: _Page, number: int, extents: Sequence[tuple[int, int]]
) -> None:
    """Raise UnknownLayoutError if a decoder reads more than these extents, whatever lengths they
    state: pixels that are not compressed, or a JPEG without its end.
    """
    tags = page.tags
    if number == _JPEG:
        return
    compression = reader.number(tags[_COMPRESSION]) if _COMPRESSION in tags else _UNCOMPRESSED
    if compression in _AS_JPEG:
        for start, length in extents:
            last = min(length, 4)
            if _END_OF_JPEG not in reader.pieces.read(start + length - last, last):
                raise UnknownLayoutError
    if compression != _UNCOMPRESSED:
        return
    needed = _plain_lengths(reader, page, len(extents), in_tiles=number == _TILES)
    if any(length < least for (_, length), least in zip(extents, needed, strict=True)):
        raise UnknownLayoutError


def _plain_lengths(reader: _Reader, page: _Page, count: int, *, in_tiles: bool) -> Iterator[int]:
    """Yield how many bytes each strip or tile has that is not compressed."""

    def stated(number: int, otherwise: int | None = None) -> int:
        if number in page.tags:
            return reader.number(page.tags[number])
        if otherwise is None:
            raise UnknownLayoutError
        return otherwise

    samples = stated(_SAMPLES, 1)
    if not 1 <= samples <= _MOST_SAMPLES:
        raise UnknownLayoutError
    bits = list(reader.numbers(page.tags[_BITS])) if _BITS in page.tags else [1]
    bits = bits * samples if len(bits) == 1 else bits
    height = stated(_HEIGHT)
    rows = stated(_TILE_HEIGHT) if in_tiles else min(stated(_ROWS_IN_STRIP, height), height)
    width = stated(_TILE_WIDTH if in_tiles else _WIDTH)
    if not rows or len(bits) != samples:
        raise UnknownLayoutError
    separate = stated(_PLANES, 1) == _SEPARATE
    in_plane = count // samples if separate else count
    for index in range(count):
        depth = bits[min(index // max(1, in_plane), samples - 1)] if separate else sum(bits)
        there = rows if in_tiles else min(rows, height - index % max(1, in_plane) * rows)
        yield max(0, there) * -(-width * depth // 8)
