"""What people wrote into a photo: title, description, names of things, and who is on it."""

import re
from collections.abc import Iterable

from sigseek.indexer.decoding.text import NAME, clean, distinct
from sigseek.indexer.decoding.xmp import Xmp

_TITLE = 500
_DESCRIPTION = 2_000
_PEOPLE = 200
_CAMERAS_OWN = re.compile(
    r"(\w+ )*digital (still ?)?camera|sony dsc|samsung( csc)?|exif_jpeg_picture|dcim\\.*"
    r"|default|untitled|charset=\w+|ascii|hdr(pl|-?tone)?|user ?comments?|binary comment",
    re.IGNORECASE,
)
"""Texts that cameras and programs write as a description, which describe nothing."""


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


def people(xmp: Xmp) -> tuple[str, ...]:
    """Return the names of the people whom XMP says the photo shows, each once."""
    found = [
        *xmp.texts("Iptc4xmpExt:PersonInImage"),
        *xmp.within("Iptc4xmpExt:PersonInImageWDetails", "Iptc4xmpExt:PersonName"),
        *xmp.within("mwg-rs:Regions", "mwg-rs:Name", unless=("mwg-rs:Type", "Face")),
        *xmp.within("MP:RegionInfo", "MPReg:PersonDisplayName"),
    ]
    return tuple(distinct(found)[:_PEOPLE])


def names(candidates: Iterable[str]) -> tuple[str, ...]:
    """Return the names, each once, as one line each."""
    return tuple(distinct(candidates)[:_PEOPLE])
