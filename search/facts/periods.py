"""Periods of time, as people type them: `2024`, `2023..2024-03`, `last month`, `7d`."""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sigseek.search.errors import printable
from sigseek.search.facts.values import FactValueError
from sigseek.storage import CatalogReader
from sigseek.storage.selection import Selection, Taken

_DATE = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d\d?)(-(?P<day>\d\d?)"
    r"([T ](?P<hour>\d\d?)(:(?P<minute>\d\d)(:(?P<second>\d\d))?)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)
_BACK = re.compile(r"(\d{1,5}) ?(d|days?|w|weeks?|m|months?|y|years?)", re.ASCII)
_NAMED = re.compile(r"(this|last) (week|month|year)")
_UNITS = {"d": "days", "w": "weeks", "m": "months", "y": "years"}
_SPACES = re.compile(r"[\s_]+")
_EXPECTED = (
    "write a date such as 2024, 2024-05, 2024-05-17 or 2024-05-17T10, two of them as in "
    "2023..2024-03, or today, yesterday, last month, 7d"
)


@dataclass(frozen=True)
class Period:
    """A period of local time. Dates are ISO 8601 of any precision, from the year to the second."""

    first: str | None
    """The period begins when this date begins. None means that it has no beginning."""
    last: str | None
    """The period ends when this date ends. None means that it has no end."""

    def __str__(self) -> str:
        if self.first == self.last and self.first is not None:
            return self.first
        return f"{self.first or ''}..{self.last or ''}"

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo was taken in the period."""
        return Taken(self.first, self.last)


def parse_period(typed: str) -> Period:
    """Return the period that a date, a name such as `last month`, or two joined by `..` mean."""
    first, dots, last = typed.partition("..")
    if not dots:
        return _period(typed)
    if not first.strip() and not last.strip():
        raise _no_date(typed)
    period = Period(
        _period(first).first if first.strip() else None,
        _period(last).last if last.strip() else None,
    )
    if period.first and period.last and _begins_after(period.first, period.last):
        raise FactValueError(
            f"{period.first} is later than {period.last}", "write the earlier date first"
        )
    return period


def parse_since(typed: str) -> Period:
    """Return the period that begins when a date begins, and has no end."""
    return Period(_single_period(typed).first, None)


def parse_until(typed: str) -> Period:
    """Return the period that ends when a date ends, and has no beginning."""
    return Period(None, _single_period(typed).last)


def is_period(typed: str) -> bool:
    """Return whether this is a date, a name such as `last month`, or two joined by `..`."""
    try:
        parse_period(typed)
    except FactValueError:
        return False
    return True


def _single_period(typed: str) -> Period:
    if ".." in typed:
        raise FactValueError(
            f"{printable(typed)} is two dates", "give one, or both as the value of date:"
        )
    return _period(typed)


def _period(typed: str) -> Period:
    """Return the period that one date or name means today."""
    words = _SPACES.sub(" ", typed.strip().lower())
    today = date.today()
    if words in ("today", "yesterday"):
        day = today - timedelta(words == "yesterday")
        return Period(day.isoformat(), day.isoformat())
    if found := _NAMED.fullmatch(words):
        return _named_period(found[2], today, back=found[1] == "last")
    if found := _BACK.fullmatch(words):
        return Period(_first_day(today, int(found[1]), found[2][0]), today.isoformat())
    written = _iso_date(typed.strip())
    return Period(written, written)


def _named_period(unit: str, today: date, *, back: bool) -> Period:
    """Return this week, month or year, or with `back` the last one. Weeks begin with Monday."""
    if unit == "week":
        monday = today - timedelta(today.weekday() + 7 * back)
        return Period(monday.isoformat(), (monday + timedelta(6)).isoformat())
    if unit == "year":
        year = f"{today.year - back:04}"
        return Period(year, year)
    day = today.replace(day=1) - timedelta(int(back))
    month = day.isoformat()[:7]
    return Period(month, month)


def _first_day(today: date, count: int, unit: str) -> str:
    """Return the first of the last days, weeks, months or years, of which today is the last day."""
    if not count:
        raise FactValueError(f"the last 0 {_UNITS[unit]} have no day", _EXPECTED)
    return (_ago(today, count, unit) + timedelta(1)).isoformat()


def _ago(today: date, count: int, unit: str) -> date:
    """Return the day that many days, weeks, months or years ago."""
    try:
        if unit in "dw":
            return today - timedelta(count * (7 if unit == "w" else 1))
        months = today.year * 12 + today.month - 1 - count * (12 if unit == "y" else 1)
        first = date(months // 12, months % 12 + 1, 1)
        after = (first + timedelta(31)).replace(day=1)
        # A month ago on 31 March is the last day of February.
        return min(first + timedelta(today.day - 1), after - timedelta(1))
    except (OverflowError, ValueError):
        before_all = f"{count:,} {_UNITS[unit]} ago is before all dates"
        raise FactValueError(before_all, _EXPECTED) from None


def _iso_date(typed: str) -> str:
    """Return a date that was written in digits, in ISO 8601."""
    found = _DATE.fullmatch(typed)
    if not found:
        raise _no_date(typed)
    texts = [
        text for text in found.group("year", "month", "day", "hour", "minute", "second") if text
    ]
    year, *others = map(int, texts)
    month, day, hour, minute, second = others + [1, 1, 0, 0, 0][len(others) :]
    try:
        datetime(year, month, day, hour, minute, second)
    except ValueError as error:
        raise FactValueError(f"there is no date {typed} ({error})", _EXPECTED) from None
    separators = ["", "-", "-", "T", ":", ":"]
    parts = [f"{year:04}", *(f"{number:02}" for number in others)]
    return "".join(sign + part for sign, part in zip(separators, parts, strict=False))


def _begins_after(first: str, last: str) -> bool:
    """Return whether the first date begins after the last one has ended."""
    begin = first + "0000-01-01T00:00:00"[len(first) :]
    # 2024-05 begins before 2024 has ended, so only the precision of the last date counts.
    return begin[: len(last)] > last


def _no_date(typed: str) -> FactValueError:
    return FactValueError(f"'{printable(typed)}' is not a date", _EXPECTED)
