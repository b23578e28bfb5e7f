"""A WebP file whose end is missing, made complete so that a decoder takes it."""

import re
import struct

WEBP = re.compile(rb"RIFF.{4}WEBP", re.DOTALL)
_HEADER = 12
_CHUNK_HEADER = 8
_FRAME_HEADER = 16
_SIZE_AND_ALPHA, _FRAME = b"VP8X", b"ANMF"
_OF_PICTURE = (b"ALPH", b"VP8 ", b"VP8L")
_HAS_ALPHA = 0x10
_ADDED = 1 << 16
"""Bytes that are added to those that are missing. Decoders look a little further than they decode.
"""
_MOST_MISSING = 2
"""The most bytes that are made up for one that is there, whatever length the file states."""
_LOSSLESS = b"VP8L"
_LOSSLESS_HEADER = 5
_BYTES_OF_PIXEL = 8
"""The most bytes that a pixel of a lossless picture takes: four codes of up to 15 bits."""
_MOST_ADDED = 64_000_000


def completed_webp(content: bytes, ground: bytes) -> bytes:
    """Return the first picture of the WebP, with the byte `ground` in the place of what is
    missing.
    """
    chunks = _picture_chunks(content, _HEADER, ground)
    body = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _picture_chunks(content: bytes, at: int, ground: bytes) -> list[tuple[bytes, bytes]]:
    """Return the kind and the content of the chunks that make up a picture."""
    chunks = []
    while at + _CHUNK_HEADER <= len(content):
        kind, length = struct.unpack_from("<4sI", content, at)
        at += _CHUNK_HEADER
        data = content[at : at + length]
        if kind == _SIZE_AND_ALPHA and len(data) == length and data:
            # The flags promise metadata and frames, which may be lost.
            chunks.append((kind, bytes([data[0] & _HAS_ALPHA]) + data[1:]))
        elif kind == _FRAME:  # the first of an animation
            return chunks + _picture_chunks(data, _FRAME_HEADER, ground)
        elif kind in _OF_PICTURE:
            missing = length - len(data)
            chunks.append(
                (kind, data + ground * _made_up(kind, data, missing) if missing else data)
            )
        at += length + length % 2
    return chunks


def _made_up(kind: bytes, data: bytes, missing: int) -> int:
    """Return how many bytes are put behind what is there of a picture.

    The decoder of lossless pictures gives nothing unless there are bytes for each pixel, and those
    that are made up mostly stand for fewer pixels than those that are missing.
    """
    if kind == _LOSSLESS and len(data) >= _LOSSLESS_HEADER:
        sides = int.from_bytes(data[1:_LOSSLESS_HEADER], "little")
        pixels = ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1)
        return min(pixels * _BYTES_OF_PIXEL, _MOST_ADDED)
    return min(missing, _MOST_MISSING * len(data)) + _ADDED
