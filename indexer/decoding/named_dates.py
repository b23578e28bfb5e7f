"""The date in a file's name, as phones, messengers and screenshots put it there."""

import re
from datetime import datetime, timedelta
from pathlib import PurePath

from sigseek.indexer.decoding.dates import LocalDate

_FIRST_YEAR = 1990
_DATE = r"(?P<year>(?:19|20)\d\d)(?P<between>{between})(?P<month>\d\d)(?P=between)(?P<day>\d\d)"
_TIME = (
    r"(?P<hour>\d\d?)(?P<within>{between})(?P<minute>\d\d)(?P=within)(?P<second>\d\d)"
    r"(?:[-_. ]?\d{{3}})?(?:\s?(?P<half>[AaPp])\.?[Mm]\b)?(?!\d)"
)
_BOUNDED = r"(?<![^\W_])(?:[^\W\d_]+)?"
_AT = r",? (?:[^\W\d_]{1,4}\.?\s){1,2}"
"""What stands between date and time in the names that systems give to screenshots: " at ", " um ",
" a las ", " kl. ".
"""
_KNOWN = tuple(
    re.compile(pattern)
    for pattern in (
        # "IMG_20161224_100217", "PXL_20161224_100217123", "Screenshot_20161224-100217_Chrome",
        # "20161224_100217(0)", "BURST20161224100217", "WP_20161224_10_02_17_Pro"
        _BOUNDED + _DATE.format(between="") + r"[-_ T]?" + _TIME.format(between="[-_]?"),
        # "2011-07-19 11.36.39", "signal-2011-07-19-113639", "photo_2011-07-19_11-36-39",
        # "Screenshot 2011-07-19 at 11.36.39 PM", "Bildschirmfoto 2011-07-19 um 11.36.39"
        _BOUNDED
        + _DATE.format(between="[-_.]")
        + rf"(?:[-_ T]|{_AT})"
        + _TIME.format(between="[-_.:h ]?"),
        # "photo_5@19-07-2011_11-36-39", of Telegram on a computer
        r"@(?P<day>\d\d)-(?P<month>\d\d)-(?P<year>(?:19|20)\d\d)_" + _TIME.format(between="-"),
        # "IMG-20161224-WA0014", "WP_20161224_001", "20161224", "2011-07-19 Harbour"
        _BOUNDED + _DATE.format(between="") + r"(?![^\W_])",
        _BOUNDED + _DATE.format(between="[-_.]") + r"(?![^\W_])",
    )
)


def date_in_name(path: PurePath, now: datetime | None = None) -> LocalDate | None:
    """Return the date that the name of the file holds in one of the known patterns, with its time
    if it has one.

    Digits are a date only if they name a day of the calendar, not before 1990 and not after
    tomorrow.
    """
    last = (now or datetime.now()) + timedelta(days=1)
    for pattern in _KNOWN:
        for found in pattern.finditer(path.stem):
            named = _local_date(found.groupdict(), last)
            if named:
                return named
    return None


def _local_date(parts: dict[str, str | None], last: datetime) -> LocalDate | None:
    year, month, day = (int(parts[name] or 0) for name in ("year", "month", "day"))
    hour, minute, second = (int(parts.get(name) or 0) for name in ("hour", "minute", "second"))
    half = (parts.get("half") or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    try:
        moment = datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None
    if year < _FIRST_YEAR or moment.date() > last.date():
        return None
    return LocalDate(moment.isoformat() if parts.get("hour") else moment.date().isoformat())
