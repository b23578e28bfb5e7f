"""Where a photo was taken, as its file says."""

import re
from typing import Any

from PIL import ExifTags

from sigseek.indexer.decoding.exif_text import exif_text
from sigseek.indexer.decoding.xmp import Xmp

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:/\d+|e-?\d+)?")
_DIRECTION = re.compile(r"(?<![a-z])[NSEW]", re.IGNORECASE)
"""A direction, which may be spelled out. The letter within "deg" is none."""
_PARTS = (1, 60, 3600)
"""What degrees, minutes and seconds are divided by."""

Position = tuple[float, float]
"""Latitude and longitude in degrees, north and east positive."""


def exif_position(gps: dict[int, Any]) -> Position | None:
    """Return the position in EXIF's GPS directory."""
    tags = ExifTags.GPS
    return _position(
        _signed(_degrees(gps.get(tags.GPSLatitude)), exif_text(gps.get(tags.GPSLatitudeRef))),
        _signed(_degrees(gps.get(tags.GPSLongitude)), exif_text(gps.get(tags.GPSLongitudeRef))),
    )


def xmp_position(xmp: Xmp) -> Position | None:
    """Return the position in XMP: "48,53,19.32N" or "48,53.322N", or degrees with a fraction. Where
    the photo itself has none, it is the one in IPTC's description of where the photo was taken.
    """
    return _position(
        _written(xmp.first("exif:GPSLatitude"), xmp.first("exif:GPSLatitudeRef")),
        _written(xmp.first("exif:GPSLongitude"), xmp.first("exif:GPSLongitudeRef")),
    ) or _position(
        _written(_where_taken(xmp, "exif:GPSLatitude"), _where_taken(xmp, "exif:GPSLatitudeRef")),
        _written(_where_taken(xmp, "exif:GPSLongitude"), _where_taken(xmp, "exif:GPSLongitudeRef")),
    )


def _where_taken(xmp: Xmp, name: str) -> str:
    return next(iter(xmp.within("Iptc4xmpExt:LocationCreated", name)), "")


def position(latitude: Any, longitude: Any) -> Position | None:
    """Return the position that two numbers give."""
    return _position(_degrees((latitude,)), _degrees((longitude,)))


def _position(latitude: float | None, longitude: float | None) -> Position | None:
    if latitude is None or longitude is None:
        return None
    # 0, 0 is in the open sea: devices without a position write it. NaN is within no limits.
    if (latitude, longitude) == (0, 0) or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        return None
    return round(latitude, 7), round(longitude, 7)


def _degrees(parts: Any) -> float | None:
    """Return degrees, and minutes and seconds if there are any, as one number."""
    if not isinstance(parts, (tuple, list)):
        parts = (parts,)
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    if not 1 <= len(numbers) <= len(_PARTS):
        return None
    # A part that is not known, 0/0, is not a number; Pillow calls it NaN.
    known = [number if number == number else 0.0 for number in numbers[1:]]
    return sum(number / share for number, share in zip((numbers[0], *known), _PARTS, strict=False))


def _written(text: str, reference: str) -> float | None:
    try:
        numbers = [_fraction(number) for number in _NUMBER.findall(text)]
    except (ZeroDivisionError, OverflowError):
        return None
    direction = _DIRECTION.search(_NUMBER.sub(" ", text))
    degrees = _degrees([abs(number) for number in numbers])
    if degrees is not None and text.strip().startswith("-"):
        degrees = -degrees  # with its minutes
    return _signed(degrees, direction[0] if direction else reference)


def _fraction(text: str) -> float:
    above, _, below = text.partition("/")
    return float(above) / float(below) if below else float(above)


def _signed(degrees: float | None, direction: str) -> float | None:
    """Return the degrees, negative for south and west."""
    if degrees is None:
        return None
    return -abs(degrees) if direction.strip().upper()[:1] in ("S", "W") else degrees
