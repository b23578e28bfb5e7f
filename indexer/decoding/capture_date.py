"""When a photo was taken, and the UTC offset of the camera's clock."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from PIL import ExifTags

from sigseek.indexer.decoding import iptc
from sigseek.indexer.decoding.dates import LocalDate, read_date, read_offset
from sigseek.indexer.decoding.exif_text import exif_text
from sigseek.indexer.decoding.xmp import Xmp
from sigseek.storage.records import DateSource

XMP_DATES = ("exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate")
"""XMP's dates, the most likely to be that of the capture first."""

_QUARTER = 15
_ODD_OFFSETS = {-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765}
_OFFSETS = _ODD_OFFSETS | set(range(-12 * 60, 14 * 60 + 1, 60))
"""Minutes that some country's clocks are ahead of UTC."""


class CaptureDate(NamedTuple):
    """When a photo was taken, and what says so."""

    date: LocalDate
    source: DateSource


def capture_date(
    base: Mapping[int, Any],
    detail: Mapping[int, Any],
    gps: Mapping[int, Any],
    longitude: float | None,
    xmp: Xmp,
    fields: Mapping[int, tuple[str, ...]],
) -> CaptureDate | None:
    """Return the first date in EXIF's directories, XMP and IPTC's fields, in the order of
    DateSource.

    The offset from UTC is given where EXIF notes it, where XMP notes it for the very same time, or
    where the GPS clock implies it. The GPS time itself is never used: it is UTC, and belongs to the
    last position.
    """
    written = xmp_dates(xmp)
    tags = ExifTags.Base
    original = _exif_date(detail, tags.DateTimeOriginal, detail.get(tags.OffsetTimeOriginal))
    digitized = _exif_date(detail, tags.DateTimeDigitized, detail.get(tags.OffsetTimeDigitized))
    modified = _exif_date(base, tags.DateTime, detail.get(tags.OffsetTime))
    candidates = (
        (_with_zone(original, written, gps, longitude), DateSource.EXIF_ORIGINAL),
        (_with_zone(digitized, written, gps, longitude), DateSource.EXIF_DIGITIZED),
        (next(iter(written), None), DateSource.XMP),
        (_iptc_date(fields), DateSource.IPTC),
        (_with_zone(modified, written, {}, None), DateSource.EXIF_MODIFIED),
    )
    return next((CaptureDate(date, source) for date, source in candidates if date), None)


def xmp_dates(xmp: Xmp) -> list[LocalDate]:
    """Return the dates that XMP gives, the most likely to be that of the capture first."""
    return [date for name in XMP_DATES if (date := read_date(xmp.first(name)))]


def refined(date: LocalDate, known: LocalDate | None) -> LocalDate:
    """Return the date, or the known one if that says the same more precisely."""
    if known and known.text.startswith(date.text) and (date.offset in (None, known.offset)):
        return known
    return date


def _exif_date(directory: Mapping[int, Any], key: int, offset: Any) -> LocalDate | None:
    date = read_date(_text(directory.get(key)))
    if not date or date.offset is not None or "T" not in date.text:
        return date
    return replace(date, offset=read_offset(_text(offset)))


def _text(value: Any) -> str:
    return exif_text(value) if isinstance(value, bytes) else value if isinstance(value, str) else ""


def _iptc_date(fields: Mapping[int, tuple[str, ...]]) -> LocalDate | None:
    """Return the date of IPTC, "19850704" with zeros for what is not known, and its time
    "101530+0100".
    """
    day = next(iter(fields.get(iptc.DATE_CREATED, ())), "").replace("-", "").replace(":", "")
    time = next(iter(fields.get(iptc.TIME_CREATED, ())), "").replace(":", "")
    if len(day) < 4 or not day.isdigit():
        return None
    spelled = ":".join(part for part in (day[:4], day[4:6], day[6:8]) if part)
    if len(day) == 8 and time[:6].isdigit() and len(time) >= 6:
        spelled += f" {time[:2]}:{time[2:4]}:{time[4:6]}{time[6:]}"
    return read_date(spelled)


def _with_zone(
    taken: LocalDate | None,
    written: Iterable[LocalDate],
    gps: Mapping[int, Any],
    longitude: float | None,
) -> LocalDate | None:
    """Return the date with its offset, if that can be known."""
    if not taken or taken.offset is not None or "T" not in taken.text:
        return taken
    same = (date.offset for date in written if date.text == taken.text and date.offset is not None)
    offset = next(same, None)
    if offset is None:
        offset = _satellites_offset(taken, gps, longitude)
    return replace(taken, offset=offset)


def _satellites_offset(
    taken: LocalDate, gps: Mapping[int, Any], longitude: float | None
) -> int | None:
    """Return the UTC offset from GPS time. It is accepted only if it is a real zone's offset, to
    the minute, near this longitude: the camera's clock may never have been set.
    """
    moment = taken.moment
    if moment is None:
        return None
    try:
        hours, minutes, seconds = (float(part) for part in gps[ExifTags.GPS.GPSTimeStamp])
        day = datetime.strptime(_text(gps[ExifTags.GPS.GPSDateStamp]).strip("\0 "), "%Y:%m:%d")
        ahead = (
            moment - day - timedelta(hours=hours, minutes=minutes, seconds=seconds)
        ).total_seconds() / 60
        offset = _QUARTER * round(ahead / _QUARTER)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    near = longitude is not None and abs(offset - 4 * longitude) <= 4 * 60
    return offset if near and offset in _OFFSETS and abs(ahead - offset) <= 1 else None
