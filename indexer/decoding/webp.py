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
"""Bytes that take the place of missing ones. Decoders look a little further than they decode."""


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
            chunks.append((kind, data if len(data) == length else data + ground * _ADDED))
        at += length + length % 2
    return chunks
