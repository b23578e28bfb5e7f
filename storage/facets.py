"""What photos may be counted by. `Catalog.facet_questions` leads to the counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
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
KindCounts: TypeAlias = Mapping[FacetKind, Mapping[FacetValue, int]]
"""How many photos have each value of each kind."""


def added_up(answers: Iterable[KindCounts]) -> dict[FacetKind, dict[FacetValue, int]]:
    """Return how many photos have each value of each kind in all answers together. Values that no
    photo has are left out.
    """
    counts: dict[FacetKind, Counter[FacetValue]] = {}
    for answer in answers:
        for kind, of_kind in answer.items():
            counts.setdefault(kind, Counter()).update(of_kind)
    return {
        kind: {value: photos for value, photos in of_kind.items() if photos}
        for kind, of_kind in counts.items()
    }


def place_in_words(names: Iterable[str | None]) -> str | None:
    """Return the names of a city, its region and its country as one, each name once: "Lisbon,
    Portugal". Without any name it is None.
    """
    return ", ".join(dict.fromkeys(filter(None, names))) or None
