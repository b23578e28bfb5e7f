"""The metadata of Canon's CR3, whose parts lie in boxes: three directories of EXIF, and XMP."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from sigseek.indexer.decoding.metadata_blocks import MetadataBlocks
from sigseek.indexer.decoding.xmp import MAX_BYTES

_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_NAME = 16
"""The bytes of the name with which a box of the kind "uuid" begins."""
_MOST_BOXES = 1_000


def read_cr3(file: BinaryIO) -> MetadataBlocks:
    """Return the blocks of metadata in the file; empty ones where it has none."""
    parts: dict[bytes, bytes] = {}
    for kind, start, end in _boxes(file, 0, file.seek(0, 2)):
        if kind == b"moov":
            for name, inner, inner_end in _boxes(file, start, end):
                if name == b"uuid" and _read(file, inner, inner + _NAME) == _CANON:
                    for part, first, last in _boxes(file, inner + _NAME, inner_end):
                        parts[part] = _read(file, first, last)
        elif kind == b"uuid" and _read(file, start, start + _NAME) == _XMP:
            parts[_XMP] = _read(file, start + _NAME, end)
    exif = _exif(parts.get(b"CMT1", b""))
    exif.get_ifd(ExifTags.IFD.Exif).update(_tags(parts.get(b"CMT2", b"")))
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(_tags(parts.get(b"CMT4", b"")))
    return MetadataBlocks(exif, parts.get(_XMP, b""))


def _exif(tiff: bytes) -> Image.Exif:
    exif = Image.Exif()
    try:
        if tiff:
            exif.load(b"Exif\0\0" + tiff)
    except Exception:  # damaged EXIF raises many kinds, even SyntaxError and struct.error
        return Image.Exif()
    return exif


def _tags(tiff: bytes) -> dict[int, Any]:
    try:
        return dict(_exif(tiff))
    except Exception:  # as above
        return {}


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start) if end - start <= MAX_BYTES else b""


def _boxes(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box, and where its content begins and ends."""
    for _ in range(_MOST_BOXES):
        head = _read(file, at, min(at + 16, end))
        if len(head) < 8:
            return
        size, used = int.from_bytes(head[:4]), 8
        if size == 1:
            size, used = int.from_bytes(head[8:16]), 16
        last = min(at + size, end) if size else end
        if last < at + used:
            return
        yield head[4:8], at + used, last
        at = last
