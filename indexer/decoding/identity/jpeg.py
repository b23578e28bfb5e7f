"""What decides the pixels of a JPEG: its tables, frames and scans, and how colours are to be read.

EXIF (but for the orientation), XMP, IPTC, comments, thumbnails and whatever follows the picture,
such as a second picture or a film, do not.
"""

import re

from sigseek.indexer.decoding.identity.pieces import EXIF, Pieces, UnknownLayoutError

_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A marker that ends coded data. 0xFF in the data itself is followed by 0, and restarts go on."""
_WINDOW = 1 << 20
_XMP, _PROFILE = b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_PHOTOSHOP, _EXIF_RESOURCE = b"Photoshop 3.0\0", b"8BIM\x04\x22"
_SCAN, _END, _COMMENT = 0xDA, 0xD9, 0xFE
_APPLICATION = range(0xE0, 0xF0)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)
_JFIF_MARKER, _METADATA_MARKER, _PROFILE_MARKER, _ADOBE_MARKER = 0xE0, 0xE1, 0xE2, 0xEE
_PHOTOSHOP_MARKER = 0xED
_LEAST_JFIF, _LEAST_ADOBE = 14, 12
_LEAST_OPENED = 7
"""Bytes of JFIF's or Adobe's segment without which Pillow opens no JPEG."""


def add_jpeg(pieces: Pieces) -> None:
    """Add the pieces of a JPEG. Raises UnknownLayoutError for a truncated or damaged one."""
    exif, xmp, photoshop = b"", b"", b""
    profile: list[bytes] = []
    jfif, adobe = False, b""
    frame, lossless = b"", False
    place = 2
    while True:
        marker, place = _next_marker(pieces, place)
        if marker == _END:
            raise UnknownLayoutError  # there was no picture before it
        length = int.from_bytes(pieces.read(place, 2))
        if marker in _APPLICATION:
            content = pieces.read(place + 2, length - 2)
            if _is_cut(marker, content):
                raise UnknownLayoutError
            if marker == _METADATA_MARKER and content.startswith(EXIF):
                exif += content if not exif else content[len(EXIF) :]
            elif marker == _METADATA_MARKER and content.startswith(_XMP):
                xmp = content[len(_XMP) :]
            elif marker == _PROFILE_MARKER and content.startswith(_PROFILE):
                profile.append(content[len(_PROFILE) :])
            elif marker == _PHOTOSHOP_MARKER and content.startswith(_PHOTOSHOP):
                photoshop += content[len(_PHOTOSHOP) :]
            elif marker == _JFIF_MARKER and content.startswith(b"JFIF\0"):
                jfif = jfif or len(content) >= _LEAST_JFIF
            elif marker == _ADOBE_MARKER and content.startswith(b"Adobe"):
                adobe = content[11:12] if len(content) >= _LEAST_ADOBE else adobe
        elif marker == _SCAN:
            break
        elif marker != _COMMENT:
            pieces.add_range(bytes([marker]), place, length)
            if marker in _FRAMES:
                lossless, frame = marker in _LOSSLESS, pieces.read(place, length)
        place += length
    pieces.add_range(b"scans", place, _end_of_picture(pieces, place + length) - place)
    pieces.add(b"colours", _colours(frame, lossless, jfif, adobe))
    pieces.add(b"profile", _joined(profile))
    if _EXIF_RESOURCE in photoshop and not exif:
        pieces.add(b"photoshop", photoshop)  # it may state an orientation
    pieces.add_orientation(exif, xmp)


def _is_cut(marker: int, content: bytes) -> bool:
    """Return whether a segment ends so early that Pillow does not open the JPEG with it. It is then
    opened without its metadata, and so without a colour profile.
    """
    if marker == _PHOTOSHOP_MARKER:
        return content.startswith(_PHOTOSHOP) and content[-6:-2] == b"8BIM"
    begins = {_JFIF_MARKER: b"JFIF", _ADOBE_MARKER: b"Adobe"}.get(marker)
    return begins is not None and content.startswith(begins) and len(content) < _LEAST_OPENED


def _next_marker(pieces: Pieces, place: int) -> tuple[int, int]:
    """Return the marker at this place and the place behind it. Fill bytes may stand before it."""
    while True:
        first, marker = pieces.read(place, 2)
        if first != 0xFF or marker == 0:
            raise UnknownLayoutError
        if marker != 0xFF:
            return marker, place + 2
        place += 1


def _end_of_picture(pieces: Pieces, place: int) -> int:
    """Return where the end marker of the picture is whose first coded data begin at `place`."""
    while True:
        window = pieces.view(place, min(_WINDOW, pieces.size - place))
        found = _MARKER_IN_SCAN.search(window)
        if found is None:
            if len(window) < 2:
                raise UnknownLayoutError  # the picture is truncated
            place += len(window) - 1  # a marker may lie across the border of two windows
            continue
        place += found.start()
        if found[0][1] == _END:
            return place
        place += 2 + int.from_bytes(pieces.read(place + 2, 2))


def _colours(frame: bytes, lossless: bool, jfif: bool, adobe: bytes) -> bytes:
    """Return how decoders take the colours of the frame, whose header is given from its length on.

    Programs add and drop JFIF's marker with the metadata, so what counts is what libjpeg makes of
    the markers together: JFIF before Adobe's, and without both the names of the components.
    """
    components = frame[8::3]
    if lossless or len(components) not in (3, 4):
        return bytes([jfif]) + adobe
    if len(components) == 4:
        return b"CMYK" if adobe in (b"", b"\0") else b"YCCK"
    if not jfif and (adobe == b"\0" or (not adobe and components == b"RGB")):
        return b"RGB"
    return b"YCbCr"


def _joined(profile: list[bytes]) -> bytes:
    """Return the colour profile, which is cut into numbered parts; nothing where parts are missing,
    because decoders then go without it.
    """
    ordered = sorted(profile)
    complete = bool(ordered) and len(ordered[0]) > 1 and ordered[0][1] == len(ordered)
    return b"".join(part[2:] for part in ordered) if complete else b""
