"""The rest of a JPEG's XMP, for which one segment is too small."""

import re
from collections.abc import Iterable

from sigseek.indexer.decoding.xmp import MAX_BYTES

SEGMENT = b"http://ns.adobe.com/xmp/extension/\0"
_DIGEST, _NUMBER = 32, 4
_HEADER = len(SEGMENT) + _DIGEST + 2 * _NUMBER
_NAMED = re.compile(rb"HasExtendedXMP\s*(?:=\s*[\"']|>)\s*([0-9A-Fa-f]{32})")


def extended_xmp(packet: bytes, segments: Iterable[bytes]) -> bytes:
    """Return the packet that continues `packet`, put together from the file's segments; an empty
    one where there is none, a part of it is missing, or it is too large.

    Each part tells the digest of the whole, which `packet` names, its length, and the place of the
    part. A file may also hold parts of another one, which an editor left behind.
    """
    named = _NAMED.search(packet)
    if not named:
        return b""
    wanted = named[1].upper()
    parts: dict[int, bytes] = {}
    length = 0
    for segment in segments:
        if not segment.startswith(SEGMENT) or len(segment) < _HEADER:
            continue
        digest, rest = segment[len(SEGMENT) :][:_DIGEST], segment[len(SEGMENT) + _DIGEST :]
        if digest.upper() == wanted:
            length = int.from_bytes(rest[:_NUMBER])
            parts[int.from_bytes(rest[_NUMBER : 2 * _NUMBER])] = rest[2 * _NUMBER :]
    if length > MAX_BYTES or sum(map(len, parts.values())) != length:
        return b""
    whole = b""
    for place in sorted(parts):
        if place != len(whole):
            return b""
        whole += parts[place]
    return whole
