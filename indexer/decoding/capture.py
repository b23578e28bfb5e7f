"""When a photo was taken, and the UTC offset of the camera's clock."""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from PIL import ExifTags

_OFFSET_LENGTH = len("+00:00")
_QUARTER = 15
_ODD_OFFSETS = {-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765}
_OFFSETS = _ODD_OFFSETS | set(range(-12 * 60, 14 * 60 + 1, 60))
"""Minutes that some country's clocks are ahead of UTC."""
_EARLIEST = 1826
"""The year of the first photograph. Clocks that were never set give year 1, which would also hide
the file's other dates, and which no time zone can convert.
"""


def capture_time(
    base: dict[int, Any],
    detail: dict[int, Any],
    gps: dict[int, Any],
    longitude: float | None,
    dates: Iterable[str],
) -> str | None:
    """The time in ISO 8601 to the second, in the camera's local time. It comes from EXIF's
    directories, or else from the first of XMP's `dates`.

    The offset from UTC is given where EXIF notes it, where XMP notes it for the very same time, or
    where the GPS clock implies it. The GPS time itself is never used: it is UTC, and belongs to the
    last position.
    """
    known = [date for date in map(_iso_date, dates) if date]
    for tags, key, offset_key in (
        (detail, ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (detail, ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
        (base, ExifTags.Base.DateTime, ExifTags.Base.OffsetTime),
    ):
        taken = _exif_date(tags.get(key))
        if taken:
            zone = _noted_zone(detail.get(offset_key)) or _zone_of_same(taken, known)
            if zone is None and tags is detail:
                zone = _satellites_zone(taken, gps, longitude)
            return taken.replace(tzinfo=zone).isoformat()
    return known[0].isoformat() if known else None


def _line(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    return value.strip("\0 ") if isinstance(value, str) else ""


def _exif_date(value: Any) -> datetime | None:
    try:
        return _possible(datetime.strptime(_line(value), "%Y:%m:%d %H:%M:%S"))
    except ValueError:
        return None


def _iso_date(text: str) -> datetime | None:
    """The date and time; None for a date without a time, for which midnight would be invented."""
    try:
        date = datetime.fromisoformat(text.strip()).replace(microsecond=0)
    except ValueError:
        return None
    return _possible(date) if "T" in text else None


def _possible(date: datetime) -> datetime | None:
    """The date, if a photo can have been taken then."""
    return date if date.year >= _EARLIEST else None


def _noted_zone(value: Any) -> tzinfo | None:
    try:
        return datetime.fromisoformat(f"2000-01-01T00:00:00{_line(value)[:_OFFSET_LENGTH]}").tzinfo
    except ValueError:
        return None


def _zone_of_same(taken: datetime, dates: Iterable[datetime]) -> tzinfo | None:
    return next(
        (date.tzinfo for date in dates if date.tzinfo and date.replace(tzinfo=None) == taken), None
    )


def _satellites_zone(
    taken: datetime, gps: dict[int, Any], longitude: float | None
) -> tzinfo | None:
    """The UTC offset from GPS time. It is accepted only if it is a real zone's offset, to the
    minute, near this longitude: the camera's clock may never have been set.
    """
    try:
        hours, minutes, seconds = (float(part) for part in gps[ExifTags.GPS.GPSTimeStamp])
        day = datetime.strptime(_line(gps[ExifTags.GPS.GPSDateStamp]), "%Y:%m:%d")
        ahead = (
            taken - day - timedelta(hours=hours, minutes=minutes, seconds=seconds)
        ).total_seconds() / 60
        offset = _QUARTER * round(ahead / _QUARTER)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    near = longitude is not None and abs(offset - 4 * longitude) <= 4 * 60
    return (
        timezone(timedelta(minutes=offset))
        if near and offset in _OFFSETS and abs(ahead - offset) <= 1
        else None
    )
