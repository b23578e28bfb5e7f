"""Distances on the earth, taken for a sphere.

Every room may import this module; it imports no room.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Doubles = npt.NDArray[np.float64]

EARTH = 6371.0
"""The earth's radius in kilometres."""


class Box(NamedTuple):
    """All places between two latitudes and two longitudes, in degrees."""

    south: float
    north: float
    west: float | None
    """The western edge, -180 to 180; None for all longitudes. East of the eastern edge if the date
    line lies between them.
    """
    east: float | None


def kilometres(
    latitude: float, longitude: float, latitudes: Doubles, longitudes: Doubles
) -> Doubles:
    """Return the distances (n,) along the surface from a place to others, by the haversine
    formula.
    """
    import numpy as np

    north = np.radians(latitudes - latitude)
    east = np.radians(longitudes - longitude)
    scale = np.cos(np.radians(latitude)) * np.cos(np.radians(latitudes))
    chord = np.sin(north / 2) ** 2 + scale * np.sin(east / 2) ** 2
    distances: Doubles = 2 * EARTH * np.arcsin(np.sqrt(chord.clip(0, 1)))
    return distances


def surrounding_box(latitude: float, longitude: float, distance: float) -> Box:
    """Return a box with everything that is at most `distance` kilometres from a place."""
    angle = math.degrees(distance / EARTH) * (1 + 1e-9) + 1e-9  # rounding must not lose the rim
    south, north = latitude - angle, latitude + angle
    if south <= -90 or north >= 90:  # a pole is inside, and with it all longitudes
        return Box(max(south, -90.0), min(north, 90.0), None, None)
    # The circle is widest in longitude a little nearer to the pole than its centre.
    reach = math.sin(math.radians(angle)) / math.cos(math.radians(latitude))
    width = math.degrees(math.asin(min(reach, 1.0))) + 1e-9
    if width >= 180:
        return Box(south, north, None, None)
    west, east = longitude - width, longitude + width
    return Box(
        south, north, west + 360 if west < -180 else west, east - 360 if east > 180 else east
    )
