"""A photo's metadata: when, where and with what it was taken, and what people wrote into it.

Cameras write EXIF; people and their programs write XMP and IPTC. Broken metadata is ignored.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image
from PIL.IptcImagePlugin import getiptcinfo

from sigseek.indexer.decoding.capture import capture_time
from sigseek.indexer.decoding.text import clean
from sigseek.indexer.decoding.xmp import Xmp, read_xmp

SIDES_SWAPPED = (5, 6, 7, 8)
"""Orientations that swap width and height."""

_NAME = 200  # characters of a camera, a lens, a keyword
_DESCRIPTION = 2_000
_KEYWORDS = 200
_RATING = 0x4746
_IPTC_KEYWORDS, _IPTC_CAPTION = (2, 25), (2, 120)
_CAMERAS_OWN = re.compile(
    r"(\w+ )*digital (still ?)?camera|sony dsc|samsung( csc)?|exif_jpeg_picture|dcim\\.*"
    r"|default|untitled",
    re.IGNORECASE,
)
"""Texts that cameras write as a description, which describe nothing."""


@dataclass(frozen=True)
class Metadata:
    """The facts that a file states; None for those it does not.

    `taken_at` is ISO 8601 in the camera's local time, with the offset where it is known; `latitude`
    and `longitude` are in degrees, north and east positive; `orientation` is EXIF's 1 to 8;
    `rating` is 1 to 5, or -1 for a rejected photo. Texts are one line, without control characters;
    `keywords` are in the order of the file, none twice.
    """

    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    orientation: int = 1
    lens: str | None = None
    rating: int | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()


def read_metadata(image: Image.Image) -> Metadata:
    """The metadata of a loaded image."""
    packet = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    try:
        exif = image.getexif()
    except Exception:  # damaged EXIF raises many kinds, even SyntaxError and struct.error
        exif = Image.Exif()
    return read_exif(exif, packet, _iptc(image))


def read_exif(
    exif: Image.Exif,
    packet: bytes | str | None,
    iptc: dict[tuple[int, int], list[str]] | None = None,
) -> Metadata:
    """The metadata that EXIF, the XMP packet and IPTC give together. IPTC's texts come by record
    and dataset.
    """
    try:
        base, detail, gps = (
            dict(exif),
            exif.get_ifd(ExifTags.IFD.Exif),
            exif.get_ifd(ExifTags.IFD.GPSInfo),
        )
    except Exception:
        base, detail, gps = {}, {}, {}
    xmp, iptc = _xmp(packet), iptc or {}
    latitude = _degrees(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, 90)
    longitude = _degrees(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, 180)
    # 0, 0 is in the open sea: devices without a position write it.
    whole = latitude is not None and longitude is not None and (latitude, longitude) != (0, 0)
    orientation = base.get(ExifTags.Base.Orientation)
    descriptions = (
        xmp.description,
        *iptc.get(_IPTC_CAPTION, ()),
        _text(base.get(ExifTags.Base.ImageDescription)),
    )
    return Metadata(
        taken_at=capture_time(base, detail, gps, longitude, xmp.dates),
        camera=_camera(base),
        latitude=latitude if whole else None,
        longitude=longitude if whole else None,
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
        lens=_lens(_text(detail.get(ExifTags.Base.LensModel)), xmp.lens),
        rating=_rating(xmp.rating, base.get(_RATING)),
        description=_description(descriptions),
        keywords=_keywords((*xmp.keywords, *iptc.get(_IPTC_KEYWORDS, ()))),
    )


def _xmp(packet: bytes | str | None) -> Xmp:
    try:
        return read_xmp(packet.encode() if isinstance(packet, str) else packet) if packet else Xmp()
    except Exception:  # whatever is in it
        return Xmp()


def _iptc(image: Image.Image) -> dict[tuple[int, int], list[str]]:
    try:
        found = getiptcinfo(image) or {}  # type: ignore[arg-type]
    except Exception:  # damaged ones raise several kinds
        return {}
    return {
        key: [_decoded(value) for value in (values if isinstance(values, list) else [values])]
        for key, values in found.items()
    }


def _decoded(value: bytes) -> str:
    """The text of bytes that are UTF-8, or else Latin-1, which was usual before."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _text(value: Any) -> str:
    """An EXIF text as one line. Pillow takes all of them for Latin-1, whatever was written."""
    if isinstance(value, str):
        value = value.encode("latin-1", "replace")
    return clean(_decoded(value), _DESCRIPTION) if isinstance(value, bytes) else ""


def _camera(base: dict[int, Any]) -> str | None:
    """The camera's maker and model, without the maker where the model repeats it."""
    maker, model = _text(base.get(ExifTags.Base.Make)), _text(base.get(ExifTags.Base.Model))
    if maker and model.lower().startswith(maker.split()[0].lower()):
        maker = ""
    return clean(f"{maker} {model}", _NAME) or None


def _lens(*candidates: str) -> str | None:
    """The first candidate that names a lens. Cameras write dashes for a lens they do not know."""
    return next((clean(name, _NAME) for name in candidates if any(map(str.isalnum, name))), None)


def _rating(*candidates: Any) -> int | None:
    """The first candidate that is a rating. 0 means that nobody rated the photo."""
    for candidate in candidates:
        try:
            rating = round(float(candidate))
        except (TypeError, ValueError, OverflowError):
            continue
        if rating in (-1, 1, 2, 3, 4, 5):
            return rating
    return None


def _description(candidates: Iterable[str]) -> str | None:
    cleaned = (clean(text, _DESCRIPTION) for text in candidates)
    return next((text for text in cleaned if text and not _CAMERAS_OWN.fullmatch(text)), None)


def _keywords(words: Iterable[str]) -> tuple[str, ...]:
    cleaned = dict.fromkeys(clean(word, _NAME) for word in words)
    return tuple(word for word in cleaned if word)[:_KEYWORDS]


def _degrees(gps: dict[int, Any], key: int, reference_key: int, limit: int) -> float | None:
    """Degrees, minutes and seconds as one number; None when it is not within `limit`."""
    try:
        degrees, minutes, seconds = (float(part) for part in gps[key])
        value = degrees + minutes / 60 + seconds / 3600
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    if not abs(value) <= limit:  # also refuses NaN
        return None
    return round(-value if _text(gps.get(reference_key)).upper() in ("S", "W") else value, 7)
