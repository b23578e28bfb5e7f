"""The chunks of a PNG file: those that hold metadata, and damaged ones, which are repaired."""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from sigseek.indexer.decoding.iptc import decoded
from sigseek.indexer.decoding.xmp import MAX_BYTES

PNG = b"\x89PNG\r\n\x1a\n"
_HEADER = 8
_CHECKSUM = 4
RAW_PROFILE = "Raw profile type "
"""How the names begin of texts in which ImageMagick keeps metadata."""
_MOST_CHUNKS = 100_000
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT")
"""The chunks without which a picture is not shown as it is."""


def repaired_png(content: bytes) -> bytes:
    """Return the picture of the PNG alone, with the checksums that its chunks should have."""
    repaired, at = [PNG], len(PNG)
    while at + _HEADER <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        data = content[at + _HEADER : at + _HEADER + length]
        if kind in _KEPT:
            repaired.append(struct.pack(">I4s", len(data), kind) + data)
            repaired.append(struct.pack(">I", zlib.crc32(kind + data)))
        at += _HEADER + length + _CHECKSUM
    return b"".join(repaired)


def png_blocks(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Yield the metadata of a PNG, of which a part may be behind the pixels.

    Several raw profiles can have one name, so a line with a number follows the name of each.
    """
    file.seek(8)
    for number in range(_MOST_CHUNKS):
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        size, kind = int.from_bytes(head[:4]), head[4:]
        if kind not in (b"eXIf", b"iTXt", b"tEXt", b"zTXt") or size > MAX_BYTES:
            file.seek(size + 4, 1)
            continue
        content = file.read(size)
        file.seek(4, 1)
        if kind == b"eXIf":
            yield "exif", b"Exif\0\0" + content
        else:
            for name, text in _text_chunk(kind, content):
                yield f"{name}\n{number}" if name.startswith(RAW_PROFILE) else name, text


def _text_chunk(kind: bytes, content: bytes) -> Iterator[tuple[str, Any]]:
    keyword, _, rest = content.partition(b"\0")
    name = keyword.decode("latin-1")
    if kind == b"iTXt":
        compressed, rest = rest[:1] == b"\1", rest[2:]
        text = rest.split(b"\0", 2)[-1]
        text = _inflated(text) if compressed else text
    else:
        text = _inflated(rest[1:]) if kind == b"zTXt" else rest
    if name == "XML:com.adobe.xmp":
        yield "xmp", text
    elif name.startswith(RAW_PROFILE):
        yield name, text.decode("latin-1")
    elif name in ("Title", "Description"):
        yield name, decoded(text)


def _inflated(compressed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(compressed, 2 * MAX_BYTES)
    except zlib.error:
        return b""
