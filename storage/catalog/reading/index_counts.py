"""Counts of all photos by what an index has in order, such as dates, cameras and places.

A statement jumps in the index from each value to the next one, and counts the entries of each. This
takes about half as long as to group all entries. The entries of the value that most photos seem to
have are not even counted: it is the value of all photos that have no other one.

Each function returns None where there are so many values that grouping is faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, and_, case, func, select

from sigseek.storage.catalog.reading.counts import count_photos
from sigseek.storage.catalog.tables import PHOTO
from sigseek.storage.facets import FacetValue, place_in_words

Counts: TypeAlias = Counter[FacetValue]

_MOST_VALUES = 20_000
"""The most values that are counted one by one. To jump to one takes as long as to group fifty
entries.
"""
_MOST_NAMESAKES = 1_000
"""The most cities that are counted by region and country too."""
_ASKED = 100
"""The number of photos that are asked for the value that most photos have."""
_BEHIND_HYPHEN = chr(ord("-") + 1)
"""What sorts behind all that follows a whole year or month in a date."""
_BETWEEN_NAMES = "\n"


def count_by_time(connection: Connection, length: int) -> Counts | None:
    """Return how many photos of the catalog have each date, cut to this length."""
    taken = PHOTO.c.taken_at
    first = func.substr(func.min(taken), 1, length)
    value = _values(first, lambda value: taken >= _end(value, length))
    photos = select(func.count()).where(taken >= value, taken < _end(value, length))
    rows = _rows(connection, value, photos.scalar_subquery())
    if rows is None:
        return None
    counts: Counts = Counter(dict(rows))
    counts[None] = count_photos(connection) - counts.total()
    return counts


def count_by_column(connection: Connection, column: Column[Any]) -> Counts | None:
    """Return how many photos of the catalog have each value of the column."""
    usual = _usual(connection, column)
    value = _values(func.min(column), lambda value: column > value)
    rows = _rows(connection, value, _photos_of(value, column, usual))
    if rows is None:
        return None
    counts: Counts = Counter(dict(rows))
    if usual is not None:
        counts[None] = _count_where(connection, column.is_(None))
    counts[usual] = count_photos(connection) - counts.total()
    return counts


def count_by_place(connection: Connection) -> Counts | None:
    """Return how many photos of the catalog have each place.

    The photos of most cities name the same region and country, which the first and the last entry
    of the city tell.
    """
    city, region, country = PHOTO.c.city, PHOTO.c.region, PHOTO.c.country
    usual = _usual(connection, city)
    value = _values(func.min(city), lambda value: city > value)
    more = func.coalesce(region, "") + _BETWEEN_NAMES + func.coalesce(country, "")
    ends = (
        select(more).where(city == value).order_by(*order).limit(1).scalar_subquery()
        for order in ((region, country), (region.desc(), country.desc()))
    )
    rows = _rows(connection, value, _photos_of(value, city, usual), *ends)
    if rows is None:
        return None
    counts: Counts = Counter()
    namesakes: list[str] = []
    usual_place = None
    for name, photos, first, last in rows:
        if first != last or first.count(_BETWEEN_NAMES) > 1:
            namesakes.append(name)
            continue
        place = place_in_words((name, *first.split(_BETWEEN_NAMES)))
        counts[place] += photos
        if name == usual:
            usual_place = place
    if len(namesakes) > _MOST_NAMESAKES:
        return None
    no_city, no_region = city.is_(None), and_(city.is_(None), region.is_(None))
    for grouped in (city.in_(namesakes), no_city & (region >= ""), no_region & (country >= "")):
        chosen = select(city, region, country, func.count()).where(grouped)
        for *names, photos in connection.execute(chosen.group_by(city, region, country)):
            counts[place_in_words(names)] += photos
    if usual is not None:
        counts[None] += _count_where(connection, no_region & country.is_(None))
    counts[usual_place] += count_photos(connection) - counts.total()
    return counts


def _count_where(connection: Connection, where: ColumnElement[bool]) -> int:
    """Return how many photos of the catalog fulfil the condition."""
    return connection.scalar(select(func.count()).select_from(PHOTO).where(where)) or 0


def _values(
    first: ColumnElement[Any], is_behind: Callable[[ColumnElement[Any]], ColumnElement[bool]]
) -> ColumnElement[Any]:
    """Return a column that has each value of an index once, and None at its end.

    `first` is the aggregate that gives the first value of some entries. `is_behind` tells whether
    an entry lies behind all entries of a value.
    """
    values = select(first.label("value")).cte("known", recursive=True)
    following = select(first).where(is_behind(values.c.value)).scalar_subquery()
    return values.union_all(select(following).where(values.c.value.is_not(None))).c.value


def _photos_of(value: ColumnElement[Any], column: Column[Any], usual: object) -> ColumnElement[int]:
    """Return the number of photos that have the value in the column; 0 for the usual one."""
    photos = select(func.count()).where(column == value).scalar_subquery()
    return photos if usual is None else case((value == usual, 0), else_=photos)


def _rows(
    connection: Connection, value: ColumnElement[Any], *columns: ColumnElement[Any]
) -> Sequence[Any] | None:
    """Return a row for each value, with the columns; None where there are too many values."""
    rows = select(value, *columns).where(value.is_not(None)).limit(_MOST_VALUES + 1)
    found = connection.execute(rows).all()
    return None if len(found) > _MOST_VALUES else found


def _usual(connection: Connection, column: Column[Any]) -> Any:
    """Return the value of the column that most of a few photos have."""
    newest = connection.scalar(select(func.max(PHOTO.c.id))) or 0
    ids = range(1, newest + 1, newest // _ASKED + 1)
    values = connection.scalars(select(column).where(PHOTO.c.id.in_(ids)))
    return max(Counter(values).items(), key=lambda found: found[1], default=(None, 0))[0]


def _end(value: ColumnElement[Any], length: int) -> ColumnElement[str]:
    """Return what sorts behind all dates that become this value when they are cut to a length."""
    # A longer date goes on with "-". "1978" is not part of a month, though both begin alike.
    is_whole = func.length(value) == length
    return value.concat(case((is_whole, _BEHIND_HYPHEN), else_="-"))
