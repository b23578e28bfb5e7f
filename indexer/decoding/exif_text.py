"""Texts in EXIF, which come in many encodings."""

from typing import Any

from sigseek.indexer.decoding.iptc import decoded
from sigseek.indexer.decoding.text import clean

_LONGEST = 2_000  # characters
_COMMENT_CODES = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}
_CODE = 8  # bytes that tell the encoding of a user comment


def exif_text(value: Any, longest: int = _LONGEST) -> str:
    """Return an EXIF text as one line. Pillow takes all for Latin-1, whatever was written."""
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    if not isinstance(value, bytes):
        return ""
    return clean(decoded(value.rstrip(b"\0 ")), longest)


def windows_text(value: Any) -> str:
    """Return a text that Windows' Explorer wrote into EXIF, which is UTF-16."""
    raw = _raw(value)
    return raw.decode("utf-16-le", "ignore").split("\0")[0].strip() if raw else ""


def user_comment(value: Any, *, big_endian: bool = False) -> str:
    """Return EXIF's user comment, whose first bytes tell the encoding. `big_endian` is the byte
    order of the EXIF that it is in.
    """
    raw = _raw(value)
    code = raw[:_CODE].upper()
    encoding = _COMMENT_CODES.get(code)
    if encoding == "utf-16":
        text = _utf16(raw[_CODE:], big_endian)
    elif encoding and encoding != "ascii":
        text = raw[_CODE:].decode(encoding, "replace")
    else:
        text = decoded(raw[_CODE:] if encoding or not code.strip(b"\0 ") else raw)
    text = clean(text.strip("\0 "), _LONGEST)
    return text if any(map(str.isalnum, text)) else ""


def _raw(value: Any) -> bytes:
    """Return the bytes of an EXIF value, which Pillow may give as numbers or as text."""
    if isinstance(value, str):
        return value.encode("latin-1", "replace")
    if isinstance(value, tuple):
        try:
            return bytes(value)
        except (TypeError, ValueError):
            return b""
    return value if isinstance(value, bytes) else b""


def _utf16(raw: bytes, big_endian: bool) -> str:
    """Return text in UTF-16 of either byte order. The order is told by its mark, or else by the
    higher bytes, which vary less and are zeros more often; where they do not tell, it is that of
    the EXIF.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "ignore")
    first, second = raw[::2], raw[1::2]
    as_high = [(len(set(part)), -part.count(0)) for part in (first, second)]
    big = as_high[0] < as_high[1] if as_high[0] != as_high[1] else big_endian
    return raw.decode("utf-16-be" if big else "utf-16-le", "ignore")
