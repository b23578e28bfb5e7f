"""What a photo's EXIF says: when, with what, where. Broken metadata says nothing and costs nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

_OFFSET_LENGTH = len("+00:00")


@dataclass(frozen=True)
class Metadata:
    """EXIF facts; None where the photo does not say.

    `taken_at` is ISO 8601 in the camera's local time, with the offset where noted; `latitude` and `longitude` are in
    degrees, north and east positive; `orientation` is EXIF's 1 to 8.
    """

    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    orientation: int = 1


def read_metadata(image: Image.Image) -> Metadata:
    """The metadata of a loaded image."""
    try:
        exif = image.getexif()
        base, detail, gps = dict(exif), exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)
    except Exception:  # Pillow raises many kinds for damaged EXIF, SyntaxError and struct.error among them
        return Metadata()
    latitude = _degrees(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, 90)
    longitude = _degrees(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, 180)
    whole = latitude is not None and longitude is not None
    orientation = base.get(ExifTags.Base.Orientation)
    return Metadata(
        taken_at=_taken_at(base, detail),
        camera=_camera(base),
        latitude=latitude if whole else None,
        longitude=longitude if whole else None,
        orientation=orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1,
    )


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value.replace("\0", " ").strip() if isinstance(value, str) else ""


def _taken_at(base: dict[int, Any], detail: dict[int, Any]) -> str | None:
    for tags, key, offset_key in (
        (detail, ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (detail, ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
        (base, ExifTags.Base.DateTime, ExifTags.Base.OffsetTime),
    ):
        try:
            taken = datetime.strptime(_text(tags.get(key)), "%Y:%m:%d %H:%M:%S")
        except ValueError:
            continue
        offset = _text(detail.get(offset_key))
        try:
            return datetime.fromisoformat(f"{taken.isoformat()}{offset[:_OFFSET_LENGTH]}").isoformat()
        except ValueError:
            return taken.isoformat()
    return None


def _camera(base: dict[int, Any]) -> str | None:
    """Maker and model, the maker once where the model repeats it."""
    maker, model = _text(base.get(ExifTags.Base.Make)), _text(base.get(ExifTags.Base.Model))
    if maker and model.lower().startswith(maker.split()[0].lower()):
        maker = ""
    return " ".join(part for part in (maker, model) if part) or None


def _degrees(gps: dict[int, Any], key: int, reference_key: int, limit: int) -> float | None:
    """Degrees, minutes and seconds as one number; None unless it lies within `limit`."""
    try:
        degrees, minutes, seconds = (float(part) for part in gps[key])
        value = degrees + minutes / 60 + seconds / 3600
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not abs(value) <= limit:  # also refuses NaN
        return None
    return round(-value if _text(gps.get(reference_key)).upper() in ("S", "W") else value, 7)
