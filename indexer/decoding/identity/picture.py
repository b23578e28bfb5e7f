"""The digest of what decides a picture's pixels, read by the file's layout without decoding.

Two files have the same digest if their coded picture, orientation and colour profile are the same:
keywords, ratings, dates and places do not count. Where the layout is not known, or the file is
damaged, all bytes decide. So a file may have another digest than one that shows the same, but files
that show different pictures never have the same digest.
"""

import re
from collections.abc import Callable
from typing import BinaryIO

from sigseek.indexer.decoding.brands import AVIF, HEIF, brands
from sigseek.indexer.decoding.identity.boxes import add_bare_jxl, add_heif, add_jxl
from sigseek.indexer.decoding.identity.chunks import add_gif, add_png, add_webp
from sigseek.indexer.decoding.identity.jpeg import add_jpeg
from sigseek.indexer.decoding.identity.pieces import Pieces, UnknownLayoutError
from sigseek.indexer.decoding.identity.tiff import add_tiff

VERSION = 4
"""The version of this reader. Photos whose digest is of an earlier one get a new digest when one of
their files is read.
"""

_HEAD = 64
_LAYOUTS: tuple[tuple[str, re.Pattern[bytes], Callable[[Pieces], None]], ...] = (
    ("JPEG", re.compile(rb"\xff\xd8\xff"), add_jpeg),
    ("PNG", re.compile(rb"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), add_png),
    ("WebP", re.compile(rb"RIFF....WEBPVP8", re.DOTALL), add_webp),
    ("GIF", re.compile(rb"GIF8[79]a"), add_gif),
    (
        "TIFF",
        re.compile(rb"II\*\0(?!.{4}CR)|MM\0\*|II\+\0\x08\0\0\0|MM\0\+\0\x08\0\0", re.DOTALL),
        add_tiff,
    ),
    ("JPEG XL", re.compile(rb"\0\0\0\x0cJXL \r\n\x87\n"), add_jxl),
    ("JPEG XL", re.compile(rb"\xff\x0a"), add_bare_jxl),
)


def picture_digest(
    file: BinaryIO, size: int, all_bytes: bytes, on_part: Callable[[], None] = lambda: None
) -> bytes:
    """Return the digest of what decides the pixels of the picture in the file of `size` bytes.

    `all_bytes` is the digest of all its bytes, which is returned where nothing better is known.
    Raises OSError when the file cannot be read. `on_part` is called whenever the disk has given
    another part; what it raises ends the reading.
    """
    file.seek(0)
    layout, add = _layout(file.read(_HEAD))
    if add is None:
        return all_bytes
    pieces = Pieces(file, size, layout, on_part)
    try:
        add(pieces)
    except UnknownLayoutError:
        return all_bytes
    return pieces.digest()


def _layout(head: bytes) -> tuple[str, Callable[[Pieces], None] | None]:
    for name, beginning, add in _LAYOUTS:
        if beginning.match(head):
            return name, add
    found = brands(head)
    if found & AVIF:
        return "AVIF", lambda pieces: add_heif(pieces, is_avif=True)
    if found & HEIF:
        return "HEIF", lambda pieces: add_heif(pieces, is_avif=False)
    return "", None
