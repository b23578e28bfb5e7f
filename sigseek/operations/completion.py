"""What may stand at the caret of a query that somebody types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sigseek.operations.opened import OpenedLibrary
from sigseek.search.facts.kinds import KINDS
from sigseek.search.facts.names import folded
from sigseek.search.facts.states import STATES
from sigseek.search.query import quoted
from sigseek.storage import Catalog
from sigseek.storage.facets import FacetKind
from sigseek.storage.selection import NamedColumn, WordKind

MOST = 12
"""The most suggestions."""
_OPERATORS = ("AND", "OR", "NOT")
_FACETS: dict[str, FacetKind] = {
    "camera": "camera", "place": "place", "in": "folder", "format": "format", "tag": "tag",
    "date": "year", "since": "year", "until": "year",
}  # fmt: skip
"""The kinds of facts whose values photos are counted by."""
_COLUMNS: dict[str, NamedColumn] = {"lens": "lens"}
_WORDS: dict[str, WordKind] = {"keyword": "keyword", "person": "person"}
_BY_VALUE = ("place", "tag", "person", "camera", "keyword")
"""The kinds of facts whose values are suggested for a word without a name before it."""
_AT_CARET = re.compile(r'(?:(?P<name>[A-Za-z]+):)?(?P<typed>"[^"]*|[^\s()"]*)$')
_REST = re.compile(r'[^\s()"]*"?')
_Values: TypeAlias = dict[str, int | None]


@dataclass(frozen=True)
class Suggestion:
    """What may stand at the caret."""

    text: str
    """The text, as a query has it."""
    label: str
    """The text for people."""
    photos: int | None
    """How many photos of the library have the value; None where that is not known."""


@dataclass(frozen=True)
class Completion:
    """What may stand in the place of a part of a query."""

    start: int
    """The part begins after so many characters."""
    end: int
    """The part ends after so many characters."""
    suggestions: tuple[Suggestion, ...]


def complete(library: OpenedLibrary, query: str, at: int) -> Completion:
    """Return the completion as `Library.complete` describes."""
    at = max(0, min(at, len(query)))
    found = _AT_CARET.search(query, 0, at)
    assert found, "the expression also matches nothing"
    rest = _REST.match(query, at)
    end = rest.end() if rest else at
    name = (found["name"] or "").lower()
    typed = found["typed"].lstrip('"')
    if name in KINDS or name == "tag":
        suggestions = _values_like(library, name, typed)
    elif name:
        suggestions = []
    else:
        suggestions = [*_words_like(typed)]
        if len(typed) > 1:
            for kind in _BY_VALUE:
                suggestions += _values_like(library, kind, typed, only_beginnings=True)
    return Completion(found.start(), end, tuple(suggestions[:MOST]))


def _words_like(typed: str) -> Iterator[Suggestion]:
    """Yield the names of facts, and the operators, that begin with what was typed."""
    for name in (*KINDS, "tag", "photo"):
        if name.startswith(typed.lower()):
            yield Suggestion(f"{name}:", f"{name}:", None)
    for operator in _OPERATORS:
        if typed and operator.startswith(typed):
            yield Suggestion(operator, operator, None)


def _values_like(
    library: OpenedLibrary, name: str, typed: str, *, only_beginnings: bool = False
) -> list[Suggestion]:
    """Return values of the fact: those that begin with what was typed, and then those that have it
    inside, each with those that most photos have first.
    """
    catalog = library.directory.catalog()
    values = catalog.once(("values", name), lambda: _values(catalog, name))
    wanted = folded(typed)
    beginning = [value for value in values if folded(value).startswith(wanted)]
    inside = [] if only_beginnings else _inside(values, wanted, beginning)
    ranked = sorted(beginning, key=lambda value: -(values[value] or 0)) + sorted(
        inside, key=lambda value: -(values[value] or 0)
    )
    return [
        Suggestion(f"{name}:{quoted(_plain(name, value))}", value, values[value])
        for value in ranked[:MOST]
    ]


def _inside(values: _Values, wanted: str, beginning: Sequence[str]) -> list[str]:
    known = set(beginning)
    return [value for value in values if value not in known and wanted in folded(value)]


def _values(catalog: Catalog, name: str) -> _Values:
    """Return the values that photos of the library have, with their number of photos."""
    if name == "rating":
        return {str(stars): None for stars in range(5, 0, -1)}
    if name == "is":
        return dict.fromkeys(STATES)
    if name in _FACETS:
        counts = catalog.count_photos_by(_FACETS[name])
        if name == "in":  # directories within the folders, as the counts by folder have them
            counts = catalog.count_photos_by_directory() | counts
        return {str(value): photos for value, photos in counts.items() if value is not None}
    if name in _COLUMNS:
        return dict.fromkeys(catalog.names(_COLUMNS[name]))
    if name in _WORDS:
        return dict.fromkeys(catalog.words(_WORDS[name]))
    return {}


def _plain(name: str, value: str) -> str:
    """Return the value with its stars written so that each stands for itself."""
    return value.replace("*", r"\*") if name not in ("in", "tag", "date") else value
