"""What people wrote into a photo: title, description, keywords, rating, and who is on it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sigseek.indexer.decoding.iptc import decoded
from sigseek.indexer.decoding.text import clean
from sigseek.indexer.decoding.xmp import Xmp

NAME = 200  # characters of a camera, a lens, a keyword, a person, a city
_TITLE = 500
_DESCRIPTION = 2_000
_KEYWORDS = 200
_PEOPLE = 200
_HIERARCHY = "|"
_CAMERAS_OWN = re.compile(
    r"(\w+ )*digital (still ?)?camera|sony dsc|samsung( csc)?|exif_jpeg_picture|dcim\\.*"
    r"|default|untitled|charset=\w+|ascii|hdr(pl|-?tone)?|user ?comments?|binary comment",
    re.IGNORECASE,
)
"""Texts that cameras and programs write as a description, which describe nothing."""
_COMMENT_CODES = {b"ASCII\0\0\0": "ascii", b"UNICODE\0": "utf-16", b"JIS\0\0\0\0\0": "iso2022_jp"}
_CODE = 8  # bytes that tell the encoding of a user comment


def exif_text(value: Any, longest: int = _DESCRIPTION) -> str:
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


def user_comment(value: Any) -> str:
    """Return EXIF's user comment, whose first bytes tell the encoding."""
    raw = _raw(value)
    code = raw[:_CODE]
    encoding = _COMMENT_CODES.get(code)
    if encoding == "utf-16":
        text = _utf16(raw[_CODE:])
    elif encoding and encoding != "ascii":
        text = raw[_CODE:].decode(encoding, "replace")
    else:
        text = decoded(raw[_CODE:] if encoding or not code.strip(b"\0 ") else raw)
    text = clean(text.strip("\0 "), _DESCRIPTION)
    return text if any(map(str.isalnum, text)) else ""


def _first_text(candidates: Iterable[str], longest: int) -> str | None:
    """Return the first candidate that says something, as one line."""
    cleaned = (clean(text, longest) for text in candidates)
    return next((text for text in cleaned if text and not _CAMERAS_OWN.fullmatch(text)), None)


def title(candidates: Iterable[str]) -> str | None:
    """Return the first candidate that is a title."""
    return _first_text(candidates, _TITLE)


def description(candidates: Iterable[str]) -> str | None:
    """Return the first candidate that describes something."""
    return _first_text(candidates, _DESCRIPTION)


def name(candidates: Iterable[str]) -> str | None:
    """Return the first candidate that is a name."""
    cleaned = (clean(text, NAME) for text in candidates)
    return next(filter(None, cleaned), None)


def lens(candidates: Iterable[str]) -> str | None:
    """Return the first candidate that names a lens. Cameras write dashes for a lens they do not
    know.
    """
    return next((clean(text, NAME) for text in candidates if any(map(str.isalnum, text))), None)


def keywords(flat: Iterable[str], hierarchical: Iterable[str] = ()) -> tuple[str, ...]:
    """Return all keywords, each once. What is part of a hierarchical keyword is not said again."""
    deep = _distinct(_levels(text) for text in hierarchical)
    beginnings = {start for word in deep for start in _beginnings(word)}
    deep = [word for word in deep if word not in beginnings]
    levels = {level.casefold() for word in deep for level in word.split(_HIERARCHY)}
    levels |= {word.casefold() for word in deep}
    single = _distinct(flat)
    return tuple(
        _distinct((*deep, *(word for word in single if word.casefold() not in levels)))[:_KEYWORDS]
    )


def xmp_keywords(xmp: Xmp) -> tuple[list[str], list[str]]:
    """Return the flat keywords of XMP, and those of a hierarchy, whose levels "|" joins."""
    hierarchical = [*xmp.texts("lr:hierarchicalSubject", "mediapro:CatalogSets")]
    hierarchical += xmp.keyword_trees()
    hierarchical += [
        text.replace("/", _HIERARCHY)
        for text in xmp.texts("digiKam:TagsList", "MicrosoftPhoto:LastKeywordXMP")
    ]
    flat = [*xmp.texts("dc:subject")]
    # A keyword without a level below or above it is a flat one, wherever it stands.
    flat += [text for text in hierarchical if _HIERARCHY not in text]
    return flat, [text for text in hierarchical if _HIERARCHY in text]


def split_keywords(text: str) -> list[str]:
    """Return the keywords of a text that parts them by semicolons."""
    return text.split(";")


def people(xmp: Xmp) -> tuple[str, ...]:
    """Return the names of the people whom XMP says the photo shows, each once."""
    found = [
        *xmp.texts("Iptc4xmpExt:PersonInImage"),
        *xmp.within("Iptc4xmpExt:PersonInImageWDetails", "Iptc4xmpExt:PersonName"),
        *xmp.within("mwg-rs:Regions", "mwg-rs:Name", unless=("mwg-rs:Type", "Face")),
        *xmp.within("MP:RegionInfo", "MPReg:PersonDisplayName"),
    ]
    return tuple(_distinct(found)[:_PEOPLE])


def names(candidates: Iterable[str]) -> tuple[str, ...]:
    """Return the names, each once, as one line each."""
    return tuple(_distinct(candidates)[:_PEOPLE])


def rating(stars: Sequence[Any], percents: Sequence[Any] = ()) -> int | None:
    """Return the first rating of 1 to 5, or -1 for a rejected photo. 0 means that nobody rated the
    photo.

    Percents are Windows', which writes 1, 25, 50, 75 and 99 for one to five stars.
    """
    for candidate in stars:
        number = _number(candidate)
        if number is not None and round(number) in (-1, 1, 2, 3, 4, 5):
            return round(number)
    for candidate in percents:
        number = _number(candidate)
        if number is not None and 1 <= number <= 100:
            return min(5, 1 + round(number / 25))
    return None


def is_unrated(stars: Sequence[Any]) -> bool:
    """Return whether a value says that nobody rated the photo."""
    return any(_number(candidate) == 0 for candidate in stars)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
        round(number)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return number


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


def _utf16(raw: bytes) -> str:
    """Return text in UTF-16 of either byte order. The order is told by its mark, or else by where
    the zeros of common letters are.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "ignore")
    big = raw[::2].count(0) > raw[1::2].count(0)
    return raw.decode("utf-16-be" if big else "utf-16-le", "ignore")


def _levels(text: str) -> str:
    return _HIERARCHY.join(
        cleaned for level in text.split(_HIERARCHY) if (cleaned := clean(level, NAME))
    )


def _beginnings(word: str) -> Iterator[str]:
    """Return the keywords above a hierarchical one: "Animal" and "Animal|Bird" of
    "Animal|Bird|Gull".
    """
    levels = word.split(_HIERARCHY)
    return (_HIERARCHY.join(levels[:count]) for count in range(1, len(levels)))


def _distinct(texts: Iterable[str]) -> list[str]:
    cleaned = dict.fromkeys(clean(text, NAME) for text in texts)
    return [text for text in cleaned if text]
