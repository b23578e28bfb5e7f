"""What decides the pixels of PNG, WebP and GIF: every chunk or block that is not known to be
metadata.
"""

import zlib

from sigseek.indexer.decoding.identity.pieces import (
    EXIF,
    Pieces,
    UnknownLayoutError,
    xmp_orientation,
)

_PNG_METADATA = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"pHYs", b"caBX")
_PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_MOST_TEXT, _MOST_TEXTS = 1 << 20, 64 << 20
"""Bytes of one compressed text, and of all texts together, up to which Pillow opens a PNG."""
_PIXEL_SIZE = 9  # bytes of pHYs
_XMP_NAME = b"XML:com.adobe.xmp"
_PLAIN_XMP = _XMP_NAME + b"\0\0"  # the last is "not compressed"
_RAW_PROFILE = b"Raw profile type "
_PROFILES_OF_WORDS = (b"iptc", b"8bim", b"xmp")
"""Profiles that state no orientation, by lower-case name."""
_ANIMATION_FLAG, _XMP_FLAG, _EXIF_FLAG, _ALPHA_FLAG, _PROFILE_FLAG = 0x02, 0x04, 0x08, 0x10, 0x20
_ALL_FLAGS = _ANIMATION_FLAG | _XMP_FLAG | _EXIF_FLAG | _ALPHA_FLAG | _PROFILE_FLAG
_EXTENDED_HEADER = 10
_LOSSY_HEADER, _LOSSY_START, _LOSSY_SIDE = 10, b"\x9d\x01\x2a", 0x3FFF
_LOSSLESS_HEADER, _LOSSLESS_ALPHA = 5, 1 << 28
_LOSSLESS_START, _LOSSLESS_SIDE, _LOSSLESS_SIDE_BITS = b"\x2f", 0x3FFF, 14
_GIF_EXTENSION, _GIF_PICTURE, _GIF_END = 0x21, 0x2C, 0x3B
_GIF_COMMENT, _GIF_APPLICATION = 0xFE, 0xFF
_GIF_XMP, _GIF_XMP_TRAILER = b"\x0bXMP DataXMP", b"\x01\xff\xfe\xfd"


def add_png(pieces: Pieces) -> None:
    """Add the pieces of a PNG. Raises UnknownLayoutError for a truncated or damaged one."""
    exif: bytes | None = None
    xmp: bytes | None = None
    place, kind, texts = 8, b"", 0
    while kind != b"IEND":
        head = pieces.read(place, 8)
        length, kind = int.from_bytes(head[:4]), head[4:]
        start, whole = place + 8, length + 12
        if place + whole > pieces.size:
            raise UnknownLayoutError
        if kind not in _PNG_METADATA:
            pieces.add_range(b"chunk", place, whole)
            place += whole
            continue
        content = pieces.read(start, length)
        if zlib.crc32(kind + content) != int.from_bytes(pieces.read(start + length, 4)):
            raise UnknownLayoutError  # decoders leave it out, and the file counts as damaged
        texts += _text_length(kind, content)
        if texts > _MOST_TEXTS:
            raise UnknownLayoutError
        if kind == b"eXIf" and exif is None:
            exif = EXIF + content
        elif kind == b"iTXt" and content.startswith(_PLAIN_XMP) and xmp is None:
            xmp = _plain_text(content)
        elif _may_decide(kind, content):
            pieces.add_range(b"chunk", place, whole)
        place += whole
    pieces.add_orientation(exif, xmp)


def _text_length(kind: bytes, content: bytes) -> int:
    """Return how many bytes the text of a chunk of metadata has.

    Raises UnknownLayoutError for a compressed text that keeps Pillow from opening the picture.
    """
    _, _, rest = content.partition(b"\0")
    if kind == b"zTXt":
        method, packed = rest[:1], rest[1:]
    elif kind == b"iTXt" and rest[:1] not in (b"", b"\0"):
        method, packed = rest[1:2], rest[2:].split(b"\0", 2)[-1]
    else:
        return len(content) if kind in _PNG_TEXTS else 0
    if method not in (b"", b"\0"):
        raise UnknownLayoutError
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(packed, _MOST_TEXT)
    except zlib.error:
        return 0
    if reader.unconsumed_tail:
        raise UnknownLayoutError
    return len(text)


def _plain_text(content: bytes) -> bytes:
    """Return the text of an international text chunk that is not compressed."""
    parts = content[len(_PLAIN_XMP) + 1 :].split(b"\0", 2)
    if len(parts) != 3:
        raise UnknownLayoutError
    return parts[2]


def _may_decide(kind: bytes, content: bytes) -> bool:
    """Return whether a chunk of metadata may state an orientation in a way that is not looked into,
    or may keep a decoder from the picture.
    """
    if kind in _PNG_TEXTS:
        name = content.partition(b"\0")[0]
        if name.startswith(_RAW_PROFILE):
            return name.removeprefix(_RAW_PROFILE).lower() not in _PROFILES_OF_WORDS
        return name == _XMP_NAME
    return kind == b"eXIf" or (kind == b"pHYs" and len(content) != _PIXEL_SIZE)


def add_webp(pieces: Pieces) -> None:
    """Add the pieces of a WebP. Raises UnknownLayoutError for a truncated or damaged one."""
    end = 8 + int.from_bytes(pieces.read(4, 4), "little")
    if end > pieces.size:
        raise UnknownLayoutError
    flags, canvas, alpha = 0, b"", False
    size = b""
    metadata: dict[bytes, bytes] = {}
    kinds: set[bytes] = set()
    place = 12
    while place < end:
        head = pieces.read(place, 8)
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        start = place + 8
        if start + length > end:
            raise UnknownLayoutError
        if kind in (b"EXIF", b"XMP "):
            metadata.setdefault(kind, pieces.read(start, length))
        elif kind == b"VP8X":
            if canvas or length != _EXTENDED_HEADER:
                raise UnknownLayoutError
            extended = pieces.read(start, length)
            flags, canvas = extended[0], extended[4:]
            alpha = bool(flags & _ALPHA_FLAG)
        else:
            if kind == b"VP8L" and not canvas:
                header = pieces.read(start, _LOSSLESS_HEADER)
                alpha = bool(int.from_bytes(header[1:], "little") & _LOSSLESS_ALPHA)
            if kind in (b"VP8 ", b"VP8L"):
                size = _webp_size(pieces, kind, start)
            pieces.add_range(kind, start, length)
        kinds.add(kind)
        place = start + length + length % 2
    told = {_PROFILE_FLAG: b"ICCP", _EXIF_FLAG: b"EXIF", _XMP_FLAG: b"XMP "}
    if flags & ~_ALL_FLAGS or any(bool(flags & flag) != (told[flag] in kinds) for flag in told):
        raise UnknownLayoutError  # decoders go by the flags
    if canvas and not flags & _ANIMATION_FLAG and canvas != size:
        raise UnknownLayoutError  # decoders refuse a still picture that does not fill its canvas
    pieces.add(b"alpha", bytes([alpha]))
    # Only metadata make the canvas of a still picture necessary.
    pieces.add(b"canvas", canvas if flags & _ANIMATION_FLAG else b"")
    pieces.add_orientation(metadata.get(b"EXIF"), metadata.get(b"XMP "))


def _webp_size(pieces: Pieces, kind: bytes, start: int) -> bytes:
    """Return the size of a coded picture as it is written for a canvas."""
    if kind == b"VP8 ":
        header = pieces.read(start, _LOSSY_HEADER)
        sides = [int.from_bytes(header[at : at + 2], "little") & _LOSSY_SIDE for at in (6, 8)]
        is_known = header[3:6] == _LOSSY_START
    else:
        header = pieces.read(start, _LOSSLESS_HEADER)
        bits = int.from_bytes(header[1:], "little")
        sides = [(bits >> at & _LOSSLESS_SIDE) + 1 for at in (0, _LOSSLESS_SIDE_BITS)]
        is_known = header[:1] == _LOSSLESS_START
    if not is_known or not all(sides):
        raise UnknownLayoutError
    return b"".join((side - 1).to_bytes(3, "little") for side in sides)


def add_gif(pieces: Pieces) -> None:
    """Add the pieces of a GIF. Raises UnknownLayoutError for a truncated one."""
    xmp: bytes | None = None
    place = 13 + _palette_size(pieces.read(10, 1)[0])
    pieces.add_range(b"header", 6, place - 6)  # without the version, which comments make newer
    while (kind := pieces.read(place, 1)[0]) != _GIF_END:
        start = place
        if kind == _GIF_EXTENSION:
            label = pieces.read(place + 1, 1)[0]
            place = _after_blocks(pieces, place + 2)
            if label == _GIF_COMMENT:
                continue
            content = pieces.read(start + 2, place - start - 2)
            if label == _GIF_APPLICATION and content.startswith(_GIF_XMP) and xmp is None:
                xmp, trailer, _ = content.partition(_GIF_XMP_TRAILER)
                if trailer:
                    continue
        elif kind == _GIF_PICTURE:
            place += 10 + _palette_size(pieces.read(place + 9, 1)[0])
            place = _after_blocks(pieces, place + 1)
        else:
            raise UnknownLayoutError
        pieces.add_range(b"block", start, place - start)
    if xmp_orientation(xmp) != 1:
        pieces.add_orientation(None, xmp)


def _palette_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(pieces: Pieces, place: int) -> int:
    """Return the place behind the blocks that begin here, the last of which is empty."""
    while length := pieces.read(place, 1)[0]:
        place += 1 + length
    return place + 1
