"""Periods of local time as conditions on the text of dates.

A date is text in ISO 8601 that is as long as it is precise, such as "1978" or
"2016-12-24T10:02:17". It stands for a period itself: the year, the day or the second.
"""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, false

_LOWEST = ("", "-01", "-01", "T00", ":00", ":00")
"""What a date may end with and mean the same moment as without, by place."""


def is_within(column: Any, first: str | None, last: str | None) -> ColumnElement[bool]:
    """Return whether the period that the date in the column stands for lies within the one from the
    beginning of `first` to the end of `last`, which are dates of any precision.
    """
    conditions = [column.is_not(None)]
    if first is not None:
        conditions.append(column >= _shortest(first))
    after = _following(last) if last is not None else None
    if after is not None:
        conditions.append(column < after)
        if longer := _longer(first, after):
            conditions.append(column.not_in(longer))
    return and_(*conditions)


def is_not_within(column: Any, first: str | None, last: str | None) -> list[ColumnElement[bool]]:
    """Return conditions of which one is true where `is_within` is not. An index finds the dates of
    each.
    """
    conditions = [column.is_(None)]
    if first is not None:
        conditions.append(column < _shortest(first))
    after = _following(last) if last is not None else None
    if after is not None:
        conditions.append(column >= after)
        if longer := _longer(first, after):
            conditions.append(column.in_(longer))
    return conditions


def is_after(column: Any, last: str) -> ColumnElement[bool]:
    """Return whether the period that the date in the column stands for begins at the end of `last`,
    a date of any precision, or later.
    """
    after = _following(last)
    return false() if after is None else column >= after


def _parts(date: str) -> list[str]:
    """Return the parts of a date with their separators: "1978", "-05", "-02", "T14"."""
    parts = [date[:4]]
    rest = date[4:]
    while rest:
        parts.append(rest[:3])
        rest = rest[3:]
    return parts


def _shortest(date: str) -> str:
    """Return the shortest date that begins at the same moment: "1978" for "1978-01-01T00"."""
    parts = _parts(date)
    while len(parts) > 1 and parts[-1] == _LOWEST[len(parts) - 1]:
        parts.pop()
    return "".join(parts)


def _longer(first: str | None, after: str) -> list[str]:
    """Return the dates that begin in a period which ends before `after`, and end later: the year
    1978 for a period that ends in May.
    """
    return [date for date in _enclosing(after) if first is None or date >= _shortest(first)]


def _enclosing(date: str) -> list[str]:
    """Return the less precise dates that the date lies in: "1978" for "1978-05"."""
    parts = _parts(date)
    return ["".join(parts[:count]) for count in range(1, len(parts))]


def _following(date: str) -> str | None:
    """Return the shortest date of the moment at which the date's period ends; None where that is
    after the last year that dates have.
    """
    count = len(_parts(date))
    begin = datetime.fromisoformat(_whole(date))
    try:
        if count == 1:
            end = begin.replace(year=begin.year + 1)
        elif count == 2:
            end = (begin + timedelta(days=31)).replace(day=1)
        else:
            units = {3: "days", 4: "hours", 5: "minutes", 6: "seconds"}
            end = begin + timedelta(**{units[count]: 1})
    except (OverflowError, ValueError):
        return None
    return _shortest(end.isoformat())


def _whole(date: str) -> str:
    """Return the first second of a date."""
    return date + "".join(_LOWEST[len(_parts(date)) :])
