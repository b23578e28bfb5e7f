"""What photos may be counted by. `Catalog.count_photos_by` counts them."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

FacetKind: TypeAlias = Literal[
    "year", "month", "camera", "place", "folder", "format", "rating", "tag"
]
FACET_KINDS: tuple[FacetKind, ...] = (
    "year", "month", "camera", "place", "folder", "format", "rating", "tag",
)  # fmt: skip
FacetValue: TypeAlias = str | int | None
"""A year is "1978", a month is "1978-05", a place is "Lisbon, Portugal", and stars are a number. A
folder is its absolute path. None stands for photos of which the value is not known.
"""


def place_in_words(names: Iterable[str | None]) -> str | None:
    """Return the names of a city, its region and its country as one, each name once: "Lisbon,
    Portugal". Without any name it is None.
    """
    return ", ".join(dict.fromkeys(filter(None, names))) or None
