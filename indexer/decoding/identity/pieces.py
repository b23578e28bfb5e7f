"""The pieces of a file that decide its pixels, hashed one after the other."""

import hashlib
import re
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import BinaryIO, Literal

_PART = 1 << 18  # bytes hashed at a time
_MOST_METADATA = 16_000_000  # bytes of one piece of metadata that is looked into
EXIF = b"Exif\0\0"
"""What EXIF begins with in most formats."""
_ENTRY = 12  # bytes of a tag in EXIF
_INLINE = 4  # bytes of a value that stands in the tag itself
_ORIENTATION, _SHORT = 0x0112, 3
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
"""Bytes of a value, by TIFF's number of its type."""
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([0-9])')


class UnknownLayoutError(Exception):
    """A file is not laid out as its format asks, or in a way that the reader does not know."""


class Pieces:
    """The digest of the pieces of one file.

    Every piece is hashed with its name and length, so that no two lists of pieces look alike.
    """

    def __init__(
        self, file: BinaryIO, size: int, layout: str, on_part: Callable[[], None] = lambda: None
    ) -> None:
        """Take the file, its size in bytes, and the name of its layout. `on_part` is called
        whenever another part of the file was read.
        """
        self.file = file
        self.size = size
        self._on_part = on_part
        self._memory = file.getbuffer() if isinstance(file, BytesIO) else None
        """The content of a file that is held in memory, of which nothing has to be copied."""
        # A hostile file names the same bytes a million times.
        self._left = 4 * size + _PART
        self._digest = hashlib.sha256(b"sigseek picture 1\0")
        self.add(b"layout", layout.encode())

    def digest(self) -> bytes:
        """Return the SHA-256 of all pieces so far."""
        return self._digest.digest()

    def add(self, name: bytes, value: bytes) -> None:
        """Add a piece that is at hand."""
        self._begin(name, len(value))
        self._digest.update(value)

    def add_range(self, name: bytes, start: int, length: int) -> None:
        """Add a piece of the file. Raises UnknownLayoutError if the file does not hold it all."""
        self.add_ranges(name, [(start, length)])

    def add_ranges(self, name: bytes, ranges: Sequence[tuple[int, int]]) -> None:
        """Add a piece that is in several parts of the file, each a start and a length."""
        whole = sum(length for _, length in ranges)
        if whole > self._left or any(
            start < 0 or length < 0 or start + length > self.size for start, length in ranges
        ):
            raise UnknownLayoutError
        self._left -= whole
        self._begin(name, whole)
        for start, length in ranges:
            self._hash(start, length)

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the file. Raises UnknownLayoutError if it does not hold them all, or if
        they are more than metadata may be.
        """
        return bytes(self.view(start, length))

    def view(self, start: int, length: int) -> bytes | memoryview:
        """Return the bytes that `read` returns, without a copy if the file is held in memory."""
        if start < 0 or not 0 <= length <= _MOST_METADATA or start + length > self.size:
            raise UnknownLayoutError
        self._left -= length
        if self._left < 0:
            raise UnknownLayoutError
        if self._memory is not None:
            return self._memory[start : start + length]
        self.file.seek(start)
        found = self.file.read(length)
        if len(found) != length:
            raise UnknownLayoutError
        self._on_part()
        return found

    def add_orientation(self, exif: bytes | None, xmp: bytes | None) -> None:
        """Add the orientation that EXIF states, or else XMP: 1 to 8, 1 where neither states one.

        EXIF that is damaged decides as a whole, since decoders differ in what they make of it. They
        may find no orientation in it, and then ask XMP.
        """
        orientation = None
        try:
            orientation = exif_orientation(exif) if exif else None
        except UnknownLayoutError:
            self.add(b"exif", exif or b"")
        if orientation is None:
            orientation = xmp_orientation(xmp)
        self.add(b"orientation", bytes([orientation if 1 <= orientation <= 8 else 1]))

    def _hash(self, start: int, length: int) -> None:
        if self._memory is not None:
            self._digest.update(self._memory[start : start + length])
            return
        self.file.seek(start)
        while length:
            part = self.file.read(min(_PART, length))
            if not part:
                raise UnknownLayoutError  # the file has just become shorter
            self._on_part()
            self._digest.update(part)
            length -= len(part)

    def _begin(self, name: bytes, length: int) -> None:
        self._digest.update(len(name).to_bytes(1) + name + length.to_bytes(8))


def exif_orientation(exif: bytes) -> int | None:
    """Return the orientation that a block of EXIF states; None where it states none.

    Raises UnknownLayoutError for a block that is damaged or not laid out as usual.
    """
    for _ in range(2):  # some programs write it twice, and Pillow skips no more
        exif = exif.removeprefix(EXIF)
    if not exif:
        return None
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"
    if exif[:4] not in (b"II*\0", b"MM\0*"):
        raise UnknownLayoutError
    start = int.from_bytes(exif[4:8], order)
    end = start + 2 + _ENTRY * int.from_bytes(exif[start : start + 2], order)
    if start < 8 or end > len(exif) or end == start + 2:
        raise UnknownLayoutError
    tag = _ORIENTATION.to_bytes(2, order)
    entries = [exif[place : place + _ENTRY] for place in range(start + 2, end, _ENTRY)]
    if any(_value_end(entry, order) > len(exif) for entry in entries):
        raise UnknownLayoutError  # Pillow reads no tag behind one whose value is not there
    found = [entry for entry in entries if entry.startswith(tag)]
    if not found:
        return None
    if len(found) > 1 or found[0][2:8] != _SHORT.to_bytes(2, order) + (1).to_bytes(4, order):
        raise UnknownLayoutError
    return int.from_bytes(found[0][8:10], order)


def xmp_orientation(xmp: bytes | None) -> int:
    """Return the orientation that a packet of XMP states; 1 where it states none."""
    found = _XMP_ORIENTATION.search(xmp) if xmp else None
    return int(found[1]) if found else 1


def _value_end(entry: bytes, order: Literal["little", "big"]) -> int:
    """Return where the value of a tag ends in the block; 0 for one that stands in the tag itself,
    or whose type is unknown, so that nobody reads it.
    """
    size = _SIZES.get(int.from_bytes(entry[2:4], order), 0) * int.from_bytes(entry[4:8], order)
    return int.from_bytes(entry[8:12], order) + size if size > _INLINE else 0
