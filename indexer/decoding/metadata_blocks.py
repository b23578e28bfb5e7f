"""The blocks of metadata in a picture's file: EXIF, XMP and IPTC, wherever a format keeps them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import ExifTags, Image

from sigseek.indexer.decoding import iptc
from sigseek.indexer.decoding.bare_jpeg import EXIF_SEGMENT, XMP_SEGMENT
from sigseek.indexer.decoding.extended_xmp import extended_xmp
from sigseek.indexer.decoding.png import RAW_PROFILE, png_blocks
from sigseek.indexer.decoding.tiff import directories_of_bigtiff
from sigseek.indexer.decoding.xmp import MAX_BYTES

_EXIF_HEAD = EXIF_SEGMENT[:-1]
"""Some programs end the head of EXIF with 255, not with 0."""
_PHOTOSHOP_SEGMENT = b"Photoshop 3.0\0"
_XMP_RESOURCE, _EXIF_RESOURCE = 0x0424, 0x0422
_TIFF_XMP, _TIFF_IPTC, _TIFF_RESOURCES = 700, 33723, 34377
_JP2_BOXES = {
    bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): "xmp",
    b"JpgTiffExif->JP2": "exif",
    bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38"): "iptc",
}
"""What boxes of JPEG 2000 with these names hold."""
_MOST_PARTS = 100_000


@dataclass(frozen=True)
class MetadataBlocks:
    """The blocks that a file has; empty ones where it has none."""

    exif: Image.Exif
    xmp: bytes = b""
    iptc: bytes = b""
    more_xmp: bytes = b""
    """A second packet with what the first had no room for."""
    title: str = ""
    """A title that the format itself has a place for, as PNG has."""
    description: str = ""
    """A description of the same kind."""


def read_blocks(image: Image.Image) -> MetadataBlocks:
    """Return the blocks of an opened image. Those of PNG, GIF and JPEG 2000 are where `find_blocks`
    put them, or where Pillow does when it loads the image.
    """
    profiles = _raw_profiles(image)
    found = profiles | {name: block for name, block in _photoshop(image).items() if block}
    exif = _exif(image, profiles.get("exif", b""))
    xmp = _as_bytes(
        image.info.get("xmp")
        or image.info.get("XML:com.adobe.xmp")
        or found.get("xmp")
        or _block_in(exif, _TIFF_XMP)
    )
    segments = (part for name, part in getattr(image, "applist", ()) if name == "APP1")
    return MetadataBlocks(
        exif,
        xmp,
        _as_bytes(image.info.get("iptc")) or found.get("iptc") or _block_in(exif, _TIFF_IPTC),
        extended_xmp(xmp, segments),
        _own_text(image, "Title"),
        _own_text(image, "Description"),
    )


def tiff_blocks(exif: Image.Exif) -> MetadataBlocks:
    """Return the blocks of a file that is laid out as TIFF, by the tags of its first directory."""
    # As written: IPTC may be declared to be numbers.
    data = getattr(getattr(exif, "_info", None), "_tagdata", {})
    found = iptc.resources(_as_bytes(data.get(_TIFF_RESOURCES)))
    return MetadataBlocks(
        exif,
        _as_bytes(data.get(_TIFF_XMP)) or found.get(_XMP_RESOURCE, b""),
        _as_bytes(data.get(_TIFF_IPTC)) or found.get(iptc.RESOURCE, b""),
    )


def find_blocks(file: BinaryIO, image: Image.Image) -> None:
    """Put into `image.info` the blocks that Pillow would find only by decoding the picture, or not
    at all. The file's position is kept.
    """
    if directories_of_bigtiff(image):
        _exif(image, b"")  # as long as the file is open; Pillow may close it after decoding
    find = _FINDERS.get(image.format or "")
    if not find:
        return
    position = file.tell()
    try:
        for name, content in find(file):
            image.info.setdefault(name, content)
    except (OSError, ValueError):
        pass  # the picture may be fine; a disk that fails will fail again when it is decoded
    finally:
        file.seek(position)


def _exif(image: Image.Image, profile: bytes) -> Image.Exif:
    try:
        if profile and not image.info.get("exif"):
            image.info["exif"] = profile
        exif = image.getexif()
        odd = b"" if exif or image.info.get("exif") else _odd_segment(image)
        if odd:
            exif.load(odd)
            exif.pop(ExifTags.Base.Orientation, None)  # no viewer turns the picture by it
    except Exception:  # damaged EXIF raises many kinds, even SyntaxError and struct.error
        return Image.Exif()
    for tag, place in directories_of_bigtiff(image).items():
        if tag not in exif:
            exif[tag] = place
    return exif


def _odd_segment(image: Image.Image) -> bytes:
    """Return the EXIF of a JPEG whose head ends with another byte than 0, with the usual head."""
    for name, content in getattr(image, "applist", ()):
        if name == "APP1" and content.startswith(_EXIF_HEAD):
            return _usual_exif(content)
    return b""


def _usual_exif(content: bytes) -> bytes:
    return EXIF_SEGMENT + content[len(EXIF_SEGMENT) :]


def _block_in(exif: Image.Exif, tag: int) -> bytes:
    """Return a block that a program put among EXIF's tags, where TIFF has it."""
    try:
        return _as_bytes(exif.get(tag))
    except Exception:  # as above
        return b""


def _photoshop(image: Image.Image) -> dict[str, bytes]:
    """Return IPTC and XMP in Photoshop's resources, or in a TIFF's own tags."""
    try:
        blocks = b"".join(
            content[len(_PHOTOSHOP_SEGMENT) :]
            for marker, content in getattr(image, "applist", ())
            if marker == "APP13" and content.startswith(_PHOTOSHOP_SEGMENT)
        )
        tags: Any = getattr(image, "tag_v2", None)
        data = getattr(tags, "_tagdata", {})  # as written: IPTC may be declared to be numbers
        found = iptc.resources(blocks or _as_bytes(data.get(_TIFF_RESOURCES)))
        for number, _, content in getattr(image, "resources", ()):  # Photoshop's own files
            found.setdefault(number, content)
    except Exception:  # whatever damaged files make of Pillow's attributes
        return {}
    if found.get(_EXIF_RESOURCE):
        image.info.setdefault("exif", found[_EXIF_RESOURCE])
    return {
        "iptc": _as_bytes(data.get(_TIFF_IPTC)) or found.get(iptc.RESOURCE, b""),
        "xmp": found.get(_XMP_RESOURCE, b""),
    }


def _raw_profiles(image: Image.Image) -> dict[str, bytes]:
    """Return what ImageMagick puts into a PNG's texts, as hexadecimal digits behind a title and a
    size.
    """
    found = {}
    for name, text in image.info.items():
        if not isinstance(name, str) or not name.startswith(RAW_PROFILE):
            continue
        kind = name.removeprefix(RAW_PROFILE).partition("\n")[0].lower()
        digits = re.sub(r"\s", "", "".join(str(text).strip().split("\n")[2:]))
        try:
            content = bytes.fromhex(digits)
        except ValueError:
            continue
        if content.startswith(XMP_SEGMENT):
            kind, content = "xmp", content[len(XMP_SEGMENT) :]
        elif content.startswith(_EXIF_HEAD):
            kind, content = "exif", _usual_exif(content)
        elif kind in ("iptc", "8bim") or content.startswith(_PHOTOSHOP_SEGMENT):
            content = content.removeprefix(_PHOTOSHOP_SEGMENT)
            kind, content = "iptc", iptc.resources(content).get(iptc.RESOURCE, content)
        found[kind] = content
    return found


def _own_text(image: Image.Image, name: str) -> str:
    text = image.info.get(name)
    return text if isinstance(text, str) else ""


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    return value if isinstance(value, bytes) else b""


def _gif_blocks(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Yield the XMP of a GIF. Its extension is not parted into blocks, as others are."""
    file.seek(0)
    head = file.read(13)
    file.seek(3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0, 1) if len(head) == 13 else None
    for _ in range(_MOST_PARTS):
        kind = file.read(1)
        if kind == b"!":
            file.seek(1, 1)
            name = _sub_block(file)
            if name == b"XMP DataXMP":
                packet = file.read(MAX_BYTES)
                yield "xmp", packet[: packet.rfind(b">", 0, _trailer(packet)) + 1]
                return
        elif kind == b",":
            described = file.read(9)
            if len(described) < 9:
                return
            if described[8] & 0x80:
                file.seek(3 << (described[8] & 7) + 1, 1)
            file.seek(1, 1)
        else:
            return
        while _sub_block(file):
            pass


def _trailer(packet: bytes) -> int:
    """Return where the bytes begin that end the extension: 1, and all numbers from 255 down."""
    at = packet.find(b"\1\xff\xfe\xfd")
    return len(packet) if at < 0 else at


def _sub_block(file: BinaryIO) -> bytes:
    size = file.read(1)
    return file.read(size[0]) if size else b""


def _jp2_boxes(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    end = file.seek(0, 2)
    at = 0
    for _ in range(_MOST_PARTS):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind, used = int.from_bytes(head[:4]), head[4:8], 8
        if size == 1:
            size, used = int.from_bytes(head[8:16]), 16
        size = size or end - at
        if size < used:
            return
        if kind in (b"uuid", b"xml ") and size <= MAX_BYTES:
            file.seek(at + used)
            content = file.read(size - used)
            name = _JP2_BOXES.get(content[:16])
            if name and kind == b"uuid":
                yield name, content[16:]
            elif kind == b"xml " and b"<x:xmpmeta" in content:  # as some programs write XMP
                yield "xmp", content
        at += size


_FINDERS: dict[str, Callable[[BinaryIO], Iterator[tuple[str, Any]]]] = {
    "PNG": png_blocks,
    "GIF": _gif_blocks,
    "JPEG2000": _jp2_boxes,
}
