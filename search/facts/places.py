"""Places: by the names that photos have, and by the distance from coordinates or from a city."""

import re
from dataclasses import dataclass
from functools import lru_cache

from sigseek.cities import City, cities_called, names_like, plain_letters
from sigseek.search.errors import printable
from sigseek.search.facts.names import pattern, unknown
from sigseek.search.facts.values import FactValueError
from sigseek.storage import CatalogReader
from sigseek.storage.facets import place_in_words
from sigseek.storage.selection import (
    Every,
    Named,
    NamedColumn,
    Near,
    Placed,
    Selection,
    Some,
)

COLUMNS: tuple[NamedColumn, ...] = ("city", "region", "country")
"""The columns of a photo that hold the names of its place."""
_KILOMETRES = 10.0
_DIGITS = 7  # after the point; a degree's seventh is a centimetre
UNIT = "km|m|mi|miles?"
"""The expression of the units of a distance."""
_UNITS = {"": 1.0, "km": 1.0, "m": 0.001} | dict.fromkeys(("mi", "mile", "miles"), 1.609344)
_MOST_KILOMETRES = 20_040.0
"""Half of the way around the earth; nothing is farther away."""
_COORDINATES = re.compile(
    r"\s*([+-]?\d{1,3}(?:\.\d{0,15})?)\s*,\s*([+-]?\d{1,3}(?:\.\d{0,15})?)\s*(?:,(.*))?", re.ASCII
)
_DISTANCE = re.compile(rf"\s*(\d{{1,6}}(?:\.\d{{0,9}})?)\s*({UNIT}|)\s*", re.ASCII | re.IGNORECASE)
_DISTANCE_WITHOUT_COMMA = re.compile(
    rf"(.*[^\s,])\s+([+-]?\d{{1,6}}(?:\.\d{{0,9}})?\s?(?:{UNIT}))\s*", re.ASCII | re.IGNORECASE
)
"""A place and a distance with its unit, as in `Lisbon 50km`. A distance with a sign is refused."""
_NUMBER = re.compile(r"\W*\d")
"""The beginning of what is meant as a number and not as a name."""
_NEAREST = 3
"""The most cities that an error names."""

_plain_letters = lru_cache(100_000)(plain_letters)
"""A library may have photos of many cities, and each search for a place looks at all names."""


@dataclass(frozen=True)
class Place:
    """A place by name: the city, the region or the country. Several names are joined by commas, as
    in "Lisbon, Portugal", and the photo has each of them.
    """

    name: str

    def __str__(self) -> str:
        return self.name

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo was taken there."""
        known = {column: catalog.names(column) for column in COLUMNS}
        conditions: list[Selection] = []
        for name in filter(None, map(str.strip, self.name.split(","))):
            wanted = pattern(name, _plain_letters)
            found: list[Selection] = [
                Named(column, tuple(filter(wanted, names))) for column, names in known.items()
            ]
            if not any(condition.names for condition in found if isinstance(condition, Named)):
                every = sorted({one for names in known.values() for one in names})
                raise unknown("place", name, every, "no photo of this library has a place")
            conditions.append(Some(tuple(found)))
        return Every(tuple(conditions))


@dataclass(frozen=True)
class WholePlace:
    """A place by all names that a photo has of it, letter for letter, as in "=Lisbon, Portugal". A
    name that city and region share is written once.
    """

    name: str

    def __str__(self) -> str:
        return f"={self.name}"

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo was taken there."""
        known = catalog.places()
        found = [names for names in known if place_in_words(names) == self.name]
        if not found:
            every = sorted(filter(None, {place_in_words(names) for names in known}))
            raise unknown("whole place", self.name, every, "no photo of this library has a place")
        return Placed(tuple(found))


@dataclass(frozen=True)
class Around:
    """A place, and how far from it a photo may have been taken."""

    place: str
    """Coordinates in degrees, as in "38.72,-9.14", or the name of a city. The region or the country
    may follow it, as in "Paris,Texas".
    """
    kilometres: float

    def __str__(self) -> str:
        return f"{self.place},{_decimal(self.kilometres)}km"

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the photo was taken there. A name means the largest city that
        has it.
        """
        if found := _COORDINATES.fullmatch(self.place):
            return Near(float(found[1]), float(found[2]), self.kilometres)
        city = _city(self.place.split(","))
        return Near(city.latitude, city.longitude, self.kilometres)


def parse_place(typed: str) -> Place | WholePlace:
    """Return the place of this name, or behind `=` the one of which this is the whole name."""
    if not typed.strip("=, "):
        raise FactValueError("there is no name", "write the name of a city, a region or a country")
    return WholePlace(typed[1:]) if typed.startswith("=") else Place(typed)


def parse_near(typed: str) -> Around:
    """Return the surroundings of coordinates or of a city: `38.72,-9.14`, `Lisbon,50km`. The city
    may be quoted as in a query, `"Lisbon",50km`, because an option's value is taken as typed.
    """
    typed = re.sub(r'^\s*"(.*)"', r"\1", typed)
    if without_comma := _DISTANCE_WITHOUT_COMMA.fullmatch(typed):
        typed = ",".join(without_comma.groups())
    if found := _COORDINATES.fullmatch(typed):
        latitude, longitude = float(found[1]), float(found[2])
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise FactValueError(
                f"there is no place {found[1]},{found[2]}",
                "write the latitude, -90 to 90, and the longitude, -180 to 180, as in 38.72,-9.14",
            )
        distance = _KILOMETRES if found[3] is None else _distance(found[3])
        place = f"{_decimal(latitude)},{_decimal(longitude)}"
        return Around(place, distance)
    names = [name.strip() for name in typed.split(",")]
    distance = _KILOMETRES
    may_be_distance = _DISTANCE.fullmatch(names[-1]) or (
        _NUMBER.match(names[-1]) and not _NUMBER.match(names[0])  # which begins coordinates
    )
    if len(names) > 1 and may_be_distance:
        distance = _distance(names.pop())
    if not all(names):
        raise FactValueError(
            f"'{printable(typed)}' is not a place", "write a city, or coordinates as in 38.72,-9.14"
        )
    return Around(",".join(names), distance)


def is_near_somewhere(typed: str) -> bool:
    """Return whether `near:` may have this value: coordinates, or a city of the list."""
    if _COORDINATES.match(typed) and not (
        _COORDINATES.fullmatch(typed) or _DISTANCE_WITHOUT_COMMA.fullmatch(typed)
    ):
        return False
    try:
        around = parse_near(typed)
        if not _COORDINATES.fullmatch(around.place):
            return bool(_cities(around.place.split(",")))
    except FactValueError:
        return False
    return True


def _distance(typed: str) -> float:
    found = _DISTANCE.fullmatch(typed)
    kilometres = float(found[1]) * _UNITS[found[2].lower()] if found else 0.0
    kilometres = round(kilometres, _DIGITS)
    if not 0 < kilometres <= _MOST_KILOMETRES:
        raise FactValueError(
            f"'{printable(typed.strip())}' is not a distance",
            "write a number and km, m or mi, as in 50km",
        )
    return kilometres


def _decimal(number: float) -> str:
    """Return a number as short as possible, never with an exponent."""
    text = f"{number:.{_DIGITS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _city(names: list[str]) -> City:
    """Return the largest city of the first name, in the region or country of the others."""
    if found := _cities(names):
        return max(found, key=_population)
    remedy = "write its latitude and longitude, as in 38.72,-9.14"
    if namesakes := cities_called(names[0]):
        largest = sorted(namesakes, key=_population, reverse=True)[:_NEAREST]
        listed = "; ".join(", ".join(filter(None, city.names)) for city in largest)
        remedy = f"those of this name: {listed}; or {remedy}"
    elif near := names_like(names[0].replace("*", ""), _NEAREST):
        remedy = f"the nearest names there: {', '.join(near)}; or {remedy}"
    raise FactValueError(
        f"there is no city '{printable(', '.join(names))}' in the list of cities", remedy
    )


def _cities(names: list[str]) -> list[City]:
    """Return the cities of the first name, in the region or country of the others."""
    wanted = [pattern(name, plain_letters) for name in names[1:]]
    return [
        city
        for city in cities_called(names[0])
        if all(any(map(test, filter(None, city.names))) for test in wanted)
    ]


def _population(city: City) -> int:
    return city.population
