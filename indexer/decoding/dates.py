"""Dates in all the spellings that cameras and programs write."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_SPELLING = re.compile(
    r"(?P<year>\d{4})"
    r"(?:[-:/.](?P<month>\d{1,2}| \d| {1,2})"
    r"(?:[-:/.](?P<day>\d{1,2}| \d| {1,2})"
    r"(?:[T:_,\s]+(?P<hour>\d{1,2}| {1,2})[-:.](?P<minute>\d{1,2}| \d| {1,2})"
    r"(?:[-:.](?P<second>\d{1,2}| \d| {1,2})(?:[.,]\d*)?)?"
    r"(?: *(?P<half>[AaPp])\.?[Mm])?(?P<zone> *[-+Z][\d:]*)?)?)?)?"
    r"(?!\d)"
)
_WITHOUT_MARKS = re.compile(
    r"(\d{4})(\d\d)(\d\d)(?:([T_ ]?)(\d\d)(\d\d)(\d\d)(?:[.,]\d*)?(Z|[-+][\d:]+)?)?$"
)
"""ISO 8601's short form, "20210703T180509"."""
_ENGLISH = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) (\d{4})$")
"""What C's `asctime` makes of a time, "Sat Jul  3 18:05:09 2021"."""
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_ZONE = re.compile(r"(?P<sign>[-+])(?P<hours>\d{1,2}):?(?P<minutes>\d\d)?(?::?\d\d)?$")
_EARLIEST = 1826
"""The year of the first photograph. Clocks that were never set give year 1, which would also hide
the file's other dates, and which no time zone can convert.
"""
_FARTHEST_ZONE = 15 * 60  # minutes; Samoa's is 14 hours


@dataclass(frozen=True)
class LocalDate:
    """A date, as precise as its source gives it."""

    text: str
    """ISO 8601 without an offset: "1978", "1978-05", "1978-05-02", "1978-05-02T14:30" or with
    seconds.
    """
    offset: int | None = None
    """Minutes ahead of UTC."""

    def __str__(self) -> str:
        if self.offset is None or "T" not in self.text:
            return self.text
        hours, minutes = divmod(abs(self.offset), 60)
        return f"{self.text}{'-' if self.offset < 0 else '+'}{hours:02}:{minutes:02}"

    @property
    def moment(self) -> datetime | None:
        """The local time, if it is known to the second."""
        if len(self.text) != len("1978-05-02T14:30:00"):
            return None
        return datetime.fromisoformat(self.text)


def read_date(text: str) -> LocalDate | None:
    """Return the date that the text begins with; None if it is not one on which a photo can be
    taken.

    Zeros and blanks stand for what is not known: "1985:07:00 00:00:00" is July 1985. A time that no
    clock shows is left out. Some phones write 24 for the hour after midnight, on the new day.
    """
    found = _SPELLING.match(_with_marks(text.strip("\0\t\r\n ").split("\0")[0]))
    if not found or int(found["year"]) < _EARLIEST:
        return None
    year, month, day = found["year"], _number(found["month"]), _number(found["day"])
    if not month:
        return LocalDate(year)
    if not day:
        return LocalDate(f"{year}-{month:02}") if month <= 12 else None
    try:
        spelled = date(int(year), month, day).isoformat()
    except ValueError:
        return None
    time = _time(found)
    return (
        LocalDate(f"{spelled}T{time}", read_offset(found["zone"])) if time else LocalDate(spelled)
    )


def read_offset(text: str | None) -> int | None:
    """Return the minutes ahead of UTC that "+02:00", "+0200", "+2" or "Z" stands for; None for
    other texts.
    """
    text = (text or "").strip("\0 ")
    if text in ("Z", "z"):
        return 0
    found = _ZONE.match(text)
    if not found:
        return None
    minutes = int(found["hours"]) * 60 + int(found["minutes"] or 0)
    if int(found["minutes"] or 0) >= 60 or minutes > _FARTHEST_ZONE:
        return None
    return -minutes if found["sign"] == "-" else minutes


def utc_date(seconds: float) -> LocalDate | None:
    """Return the date in UTC of so many seconds since 1970."""
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
    except (OverflowError, ValueError):
        return None
    if moment.year < _EARLIEST:
        return None
    return LocalDate(moment.replace(tzinfo=None).isoformat(), 0)


def _with_marks(text: str) -> str:
    """Return the date as cameras spell it, where it is spelled in one of the rarer ways."""
    if found := _WITHOUT_MARKS.match(text):
        year, month, day, _, hour, minute, second, zone = found.groups()
        return f"{year}:{month}:{day}" + (f" {hour}:{minute}:{second}{zone or ''}" if hour else "")
    if (found := _ENGLISH.match(text)) and found[1] in _MONTHS:
        return f"{found[4]}:{_MONTHS.index(found[1]) + 1:02}:{found[2]} {found[3]}"
    return text


def _time(found: re.Match[str]) -> str | None:
    """Return the time of day, without seconds where they are not given; None if it is not one."""
    hour, minute, second = (_number(found[name]) for name in ("hour", "minute", "second"))
    if hour is None or minute is None:
        return None
    half = (found["half"] or "").lower()
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half == "p" else 0)
    hour = 0 if hour == 24 else hour
    if hour > 23 or minute > 59 or (second or 0) > 59:
        return None
    return f"{hour:02}:{minute:02}" + ("" if second is None else f":{second:02}")


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and digits.strip() else None
