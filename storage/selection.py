"""Which photos a search is about: conditions on what the catalog knows of a photo.

They may be joined by AND, OR and NOT. `Catalog.selected` gives the photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

NamedColumn: TypeAlias = Literal["camera", "lens", "format", "title", "city", "region", "country"]
"""The columns of a photo that hold a name."""
NumberColumn: TypeAlias = Literal["rating", "width", "height"]
"""The columns of a photo that hold a whole number."""
PlaceNames: TypeAlias = tuple[str | None, str | None, str | None]
"""The names of a city, its region and its country. None is a name that is not known."""
WordKind: TypeAlias = Literal["keyword", "person"]
"""The kinds of words of which a photo may have several."""


class State(StrEnum):
    """Something that is true of a photo or not."""

    UNDATED = "undated"
    """Nothing is known of when it was taken."""
    DAMAGED = "damaged"
    """A part of the picture could not be decoded."""
    MISSING = "missing"
    """None of its files was there at the last run."""
    DUPLICATE = "duplicate"
    """Several files held it at the last run, or another photo is a near duplicate of it."""
    TAGGED = "tagged"
    """It has a tag, whoever gave it."""
    PORTRAIT = "portrait"
    """It is higher than wide."""
    LANDSCAPE = "landscape"
    """It is wider than high."""


@dataclass(frozen=True)
class Taken:
    """The photo was taken within a period, by the clock of its camera.

    A date may be imprecise. The whole time that it stands for must be within the period: a photo
    that is dated 1978 may not be from May 1978.
    """

    first: str | None
    """The period begins with this year, month, day, hour, minute or second: "1978-05" for example.
    None means that it has no beginning.
    """
    last: str | None
    """The period ends with the end of this year, month, day, hour, minute or second. None means
    that it has no end.
    """


@dataclass(frozen=True)
class Named:
    """The column has one of these names, letter for letter."""

    column: NamedColumn
    names: tuple[str, ...]


@dataclass(frozen=True)
class Placed:
    """The city, the region and the country are those of one of these places, letter for letter."""

    places: tuple[PlaceNames, ...]


@dataclass(frozen=True)
class Numbered:
    """The column has a number from `least` to `most`. None is no limit."""

    column: NumberColumn
    least: int | None
    most: int | None


@dataclass(frozen=True)
class Worded:
    """The photo has one of these words of a kind, letter for letter."""

    kind: WordKind
    names: tuple[str, ...]


@dataclass(frozen=True)
class Near:
    """The photo was taken at most `kilometres` from a place, along the surface of the earth."""

    latitude: float
    """In degrees, north positive, -90 to 90."""
    longitude: float
    """In degrees, east positive, -180 to 180."""
    kilometres: float


@dataclass(frozen=True)
class Below:
    """A file of the photo is in one of these directories, or below."""

    directories: tuple[tuple[int, str], ...]
    """Each is a folder's id, and the directory's path relative to the folder; "" for the folder
    itself.
    """


@dataclass(frozen=True)
class Tagged:
    """The photo has this tag."""

    name: str


@dataclass(frozen=True)
class Every:
    """All of these are true of the photo. Without parts, every photo is selected."""

    parts: tuple[Selection, ...]


@dataclass(frozen=True)
class Some:
    """At least one of these is true of the photo. Without parts, no photo is selected."""

    parts: tuple[Selection, ...]


@dataclass(frozen=True)
class Except:
    """The part is not true of the photo."""

    part: Selection


Condition: TypeAlias = State | Taken | Named | Placed | Numbered | Worded | Near | Below | Tagged
Selection: TypeAlias = Condition | Every | Some | Except
