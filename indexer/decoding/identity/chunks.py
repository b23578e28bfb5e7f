"""What decides the pixels of PNG, WebP and GIF: every chunk or block that is not known to be
metadata.
"""

from sigseek.indexer.decoding.identity.pieces import Pieces, UnknownLayoutError

_PNG_METADATA = (b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"pHYs", b"caBX")
_XMP_TEXT = b"XML:com.adobe.xmp\0\0"  # the last is "not compressed"
_RAW_PROFILES = (b"Raw profile type exif\0", b"Raw profile type APP1\0", _XMP_TEXT[:-1])
"""Texts that may hold an orientation, packed in ways that are not looked into."""
_ANIMATION_FLAG, _XMP_FLAG, _EXIF_FLAG, _ALPHA_FLAG = 0x02, 0x04, 0x08, 0x10
_LOSSLESS_HEADER, _LOSSLESS_ALPHA = 5, 1 << 28
_GIF_EXTENSION, _GIF_PICTURE, _GIF_END = 0x21, 0x2C, 0x3B
_GIF_COMMENT, _GIF_APPLICATION = 0xFE, 0xFF


def add_png(pieces: Pieces) -> None:
    """Add the pieces of a PNG. Raises UnknownLayoutError for a truncated one."""
    exif: bytes | None = None
    xmp: bytes | None = None
    place, kind = 8, b""
    while kind != b"IEND":
        head = pieces.read(place, 8)
        length, kind = int.from_bytes(head[:4]), head[4:]
        start, whole = place + 8, length + 12
        if place + whole > pieces.size:
            raise UnknownLayoutError
        if kind == b"eXIf":
            exif = pieces.read(start, length)
        elif kind == b"iTXt" and _begins_with(pieces, start, length, (_XMP_TEXT,)):
            xmp = pieces.read(start, length)
        elif kind not in _PNG_METADATA or (
            kind.endswith(b"Xt") and _begins_with(pieces, start, length, _RAW_PROFILES)
        ):
            pieces.add_range(b"chunk", place, whole)
        place += whole
    pieces.add_orientation(exif, xmp)


def add_webp(pieces: Pieces) -> None:
    """Add the pieces of a WebP. Raises UnknownLayoutError for a truncated one."""
    end = 8 + int.from_bytes(pieces.read(4, 4), "little")
    if end > pieces.size:
        raise UnknownLayoutError
    flags, canvas, alpha = 0, b"", False
    metadata: dict[bytes, bytes] = {}
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
            extended = pieces.read(start, length)
            flags, canvas = extended[0], extended[4:]
            alpha = bool(flags & _ALPHA_FLAG)
        else:
            if kind == b"VP8L" and not canvas:
                header = pieces.read(start, _LOSSLESS_HEADER)
                alpha = bool(int.from_bytes(header[1:], "little") & _LOSSLESS_ALPHA)
            pieces.add_range(kind, start, length)
        place = start + length + length % 2
    told = (bool(flags & _EXIF_FLAG), bool(flags & _XMP_FLAG))
    if told != (b"EXIF" in metadata, b"XMP " in metadata):
        raise UnknownLayoutError  # decoders may go by the flags or by the chunks
    pieces.add(b"alpha", bytes([alpha]))
    # A still picture fills its canvas, which only metadata make necessary.
    pieces.add(b"canvas", canvas if flags & _ANIMATION_FLAG else b"")
    pieces.add_orientation(metadata.get(b"EXIF"), metadata.get(b"XMP "))


def add_gif(pieces: Pieces) -> None:
    """Add the pieces of a GIF. Raises UnknownLayoutError for a truncated one."""
    place = 13 + _palette_size(pieces.read(10, 1)[0])
    pieces.add_range(b"header", 6, place - 6)  # without the version, which comments make newer
    while (kind := pieces.read(place, 1)[0]) != _GIF_END:
        start = place
        if kind == _GIF_EXTENSION:
            label = pieces.read(place + 1, 1)[0]
            place = _after_blocks(pieces, place + 2)
            is_xmp = label == _GIF_APPLICATION and pieces.read(start + 3, 8) == b"XMP Data"
            if label == _GIF_COMMENT or is_xmp:
                continue
        elif kind == _GIF_PICTURE:
            place += 10 + _palette_size(pieces.read(place + 9, 1)[0])
            place = _after_blocks(pieces, place + 1)
        else:
            raise UnknownLayoutError
        pieces.add_range(b"block", start, place - start)


def _begins_with(pieces: Pieces, start: int, length: int, beginnings: tuple[bytes, ...]) -> bool:
    return pieces.read(start, min(length, 32)).startswith(beginnings)


def _palette_size(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(pieces: Pieces, place: int) -> int:
    """Return the place behind the blocks that begin here, the last of which is empty."""
    while length := pieces.read(place, 1)[0]:
        place += 1 + length
    return place + 1
