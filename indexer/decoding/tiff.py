"""TIFF files whose first page is not the photo, or whose form Pillow does not read."""

import struct
from io import BytesIO
from typing import IO, Any, BinaryIO

from PIL import Image, ImageFile

BIG_ENDIAN_BIGTIFF = b"MM\0\x2b"

_SUBFILE_TYPE, _OLD_SUBFILE_TYPE = 254, 255
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _JPEG_TABLES = 259, 262, 274, 347
_STRIP_PLACES, _STRIP_SIZES = 273, 279
_JPEG_COMPRESSION, _RGB, _YCBCR = 7, 2, 6
_JPEG_OF_RGB = b"\xff\xee\0\x0eAdobe\0\x64" + bytes(5)
_JPEG_OF_YCBCR = _JPEG_OF_RGB[:-1] + b"\1"
"""Adobe's segment, which tells a JPEG decoder in which colours the picture is coded."""
_MOST_PAGES = 100
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
          16: 8, 17: 8, 18: 8}  # fmt: skip
"""Bytes of a value, by its type."""
_BIG_ENTRY = 20
"""Bytes of a tag in a directory of BigTIFF."""
_MOST_TAGS = 1_000
_PLACE8 = 18
_LONG = 4
_LONG8 = (16, 17, 18)
_DIRECTORIES = (330, 34665, 34853, 40965)
"""The tags whose values are the places of other directories."""


def find_photo(image: Image.Image) -> int:
    """Return the number of the first page of the TIFF that is neither a smaller copy of another
    page nor a mask; 0 where there is none. The image is left at its first page.
    """
    try:
        for page in range(_MOST_PAGES):
            image.seek(page)
            if not _is_copy_or_mask(image):
                return page
    except Exception:  # EOFError behind the last page; damaged ones raise many kinds
        return 0
    finally:
        image.seek(0)
    return 0


def find_largest(image: Image.Image) -> int:
    """Return the number of the largest page of the TIFF, of those of one size the first, if all are
    called smaller copies: some programs write that of each page. 0 where the first is called none.
    The image is left at its first page.
    """
    pixels: list[int] = []
    try:
        for page in range(_MOST_PAGES if _is_copy_or_mask(image) else 0):
            image.seek(page)
            pixels.append(image.width * image.height)
    except Exception:  # as above
        pass
    finally:
        image.seek(0)
    return pixels.index(max(pixels)) if pixels else 0


def open_below(image: Image.Image, file: BinaryIO) -> ImageFile.ImageFile | None:
    """Return the photo of which the first page of the TIFF is a smaller copy, where it is not
    another page but in a directory below the first one's; None if there is none.
    """
    tags: Any = getattr(image, "tag_v2", {})
    places = tags.get(_DIRECTORIES[0], ())
    if not places or not _is_copy_or_mask(image):
        return None
    file.seek(0)
    content = bytearray(file.read())
    order = "<" if content.startswith(b"II") else ">"
    for place in (places if isinstance(places, tuple) else (places,))[:_MOST_PAGES]:
        try:
            struct.pack_into(f"{order}I", content, 4, place)  # as if that directory were the first
            below = Image.open(BytesIO(bytes(content)), formats=["TIFF"])
        except Exception:  # damaged directories raise many kinds
            continue
        if not _is_copy_or_mask(below):
            return below
    return None


def strip_as_jpeg(image: Image.Image, file: IO[bytes]) -> bytes | None:
    """Return the only strip of the TIFF's current page as a JPEG file; None where there are several
    strips, or they are coded in another way.
    """
    tags: Any = getattr(image, "tag_v2", {})
    places = tags.get(_STRIP_PLACES, ())
    sizes, tables = tags.get(_STRIP_SIZES, ()), tags.get(_JPEG_TABLES, b"")
    if tags.get(_COMPRESSION) != _JPEG_COMPRESSION or not isinstance(tables, bytes):
        return None
    try:
        (place,), (size,) = places, sizes
        file.seek(place)
        strip = file.read(size)
    except (TypeError, ValueError):  # other numbers of strips, and what is no place
        return None
    colors = {_RGB: _JPEG_OF_RGB, _YCBCR: _JPEG_OF_YCBCR}.get(tags.get(_PHOTOMETRIC), b"")
    return strip[:2] + colors + tables[2:-2] + strip[2:]  # without the tables' begin and end


def orientation_of(image: Image.Image) -> int:
    """Return the orientation that the TIFF's current page states; 1 where it states none."""
    tags: Any = getattr(image, "tag_v2", {})
    orientation = tags.get(_ORIENTATION, 1)
    return orientation if isinstance(orientation, int) else 1


def _is_copy_or_mask(image: Image.Image) -> bool:
    tags: Any = getattr(image, "tag_v2", {})
    kind, old_kind = tags.get(_SUBFILE_TYPE, 0), tags.get(_OLD_SUBFILE_TYPE)
    return bool(kind & (_REDUCED | _MASK)) or old_kind == _OLD_REDUCED


def directories_of_bigtiff(image: Image.Image) -> dict[int, int]:
    """Return the places of the directories below the current one of a BigTIFF that Pillow has
    opened, by their tags. Pillow passes over those that are written as BigTIFF's own type of place.
    """
    tags: Any = getattr(image, "tag_v2", None)
    file: BinaryIO | None = getattr(image, "fp", None)
    if not getattr(tags, "_bigtiff", False) or file is None:
        return {}
    order = tags._endian
    try:
        position = file.tell()
        file.seek(tags._offset)
        (count,) = struct.unpack(f"{order}Q", file.read(8))
        entries = file.read(_BIG_ENTRY * min(count, _MOST_TAGS))
        file.seek(position)
        return {
            tag: place
            for tag, kind, _, place in struct.iter_unpack(f"{order}HHQQ", entries)
            if tag in _DIRECTORIES and kind == _PLACE8
        }
    except (OSError, ValueError, OverflowError, struct.error):  # a damaged or closed file
        return {}


def smaller_bigtiff(content: bytes) -> bytes:
    """Return the big-endian BigTIFF as a TIFF of the usual form, which has places of 32 bits.

    The pixels stay where they are, and new directories are put behind them. Pages behind the photo
    whose directories are cut off are left out. Raises ValueError or struct.error for a damaged
    file, or one that is too large for that form.
    """
    return _Rewriter(content).rewritten()


class _Rewriter:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._out = bytearray(content)
        self._directories = 0

    def rewritten(self) -> bytes:
        (first,) = struct.unpack_from(">Q", self._content, 8)
        self._out[:8] = struct.pack(">2sHI", b"MM", 42, 0)
        self._chain(first, 4)
        return bytes(self._out)

    def _chain(self, place: int, link: int) -> None:
        """Write the directory at this place of the content and those that follow, and their new
        places where `link` and its successors are.
        """
        has_photo = False
        while place:
            try:
                copy = self._is_copy(place)
                new, after, place = self._directory(place)
            except struct.error:  # cut off
                if not has_photo:
                    raise
                return
            has_photo = has_photo or not copy
            struct.pack_into(">I", self._out, link, new)
            link = after

    def _is_copy(self, place: int) -> bool:
        """Return whether the directory is of a smaller copy of another page, or of a mask."""
        (count,) = struct.unpack_from(">Q", self._content, place)
        for number in range(min(count, _MOST_TAGS)):
            tag, _, _, kind = struct.unpack_from(">HHQI", self._content, place + 8 + 20 * number)
            if tag == _SUBFILE_TYPE:
                return bool(kind & (_REDUCED | _MASK))
        return False

    def _directory(self, place: int) -> tuple[int, int, int]:
        """Write a directory. Return its new place, the place of its link to the next one, and the
        place of that one in the content.
        """
        self._directories += 1
        if self._directories > _MOST_PAGES:
            raise ValueError("too many directories")
        (count,) = struct.unpack_from(">Q", self._content, place)
        entries = [
            self._entry(*struct.unpack_from(">HHQ8s", self._content, place + 8 + 20 * number))
            for number in range(count)
        ]
        entries = [entry for entry in entries if entry]
        (following,) = struct.unpack_from(">Q", self._content, place + 8 + 20 * count)
        new = self._put(struct.pack(">H", len(entries)) + b"".join(entries) + bytes(4))
        return new, len(self._out) - 4, following

    def _entry(self, tag: int, kind: int, number: int, value: bytes) -> bytes:
        """Return the entry of a directory; b"" where it leads to a directory that is cut off."""
        size = _SIZES.get(kind, 1) * number
        if size > len(value):
            (at,) = struct.unpack(">Q", value)
            value = self._content[at : at + size]
        if kind in _LONG8:
            numbers = struct.unpack(f">{number}Q", value[:size])
            value, kind = struct.pack(f">{number}I", *numbers), _LONG
        if tag in _DIRECTORIES:
            places = struct.unpack(f">{number}I", value[: 4 * number])
            try:
                value = struct.pack(f">{number}I", *(self._directory(place)[0] for place in places))
            except struct.error:  # cut off
                return b""
        value = value[: _SIZES.get(kind, 1) * number]
        if len(value) > 4:
            value = struct.pack(">I", self._put(value))
        return struct.pack(">HHI", tag, kind, number) + value.ljust(4, b"\0")

    def _put(self, value: bytes) -> int:
        self._out.extend(b"\0" * (len(self._out) % 2))
        self._out.extend(value)
        return len(self._out) - len(value)
