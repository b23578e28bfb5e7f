"""What may stand at the caret of a query that somebody types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import index

from sigseek.operations.opened import OpenedLibrary
from sigseek.search.errors import QueryError
from sigseek.search.facts.kinds import KINDS
from sigseek.search.query import quoted

MOST = 12
"""The most suggestions, unless these are the names of facts."""
_OPERATORS = ("AND", "OR", "NOT")
_BY_VALUE = ("place", "tag", "person", "camera", "keyword")
"""The kinds of facts whose values are suggested for a word without a name before it."""
_AT_CARET = re.compile(r'(?:(?P<name>[A-Za-z]+):)?(?P<typed>"[^"]*|[^\s()"]*)$')
_REST = re.compile(r'[^\s()"]*"?')


@dataclass(frozen=True)
class Suggestion:
    """What may stand at the caret."""

    text: str
    """The text, as a query has it."""
    label: str
    """The text for people."""
    photos: int | None
    """How many photos of the library have the value, or had it when a large library was last
    counted; None where that is not known.
    """


@dataclass(frozen=True)
class Completion:
    """What may stand in the place of a part of a query."""

    start: int
    """The part begins after so many characters."""
    end: int
    """The part ends after so many characters."""
    suggestions: tuple[Suggestion, ...]


def complete(library: OpenedLibrary, query: str, at: int | None) -> Completion:
    """Return the completion as `Library.complete` describes."""
    at = len(query) if at is None else at
    if at < 0:
        raise QueryError(
            f"{at} characters cannot be before the caret",
            "at must be at least 0",
        )
    at = min(index(at), len(query))
    found = _AT_CARET.search(query, 0, at)
    assert found, "the expression also matches nothing"
    rest = _REST.match(query, at)
    end = rest.end() if rest else at
    name = (found["name"] or "").lower()
    typed = found["typed"].lstrip('"')
    most = MOST
    if name in KINDS or name == "tag":
        suggestions = _values_like(library, name, typed)
    elif name:
        suggestions = []
    else:
        suggestions = [*_words_like(typed)]
        most = max(MOST, len(suggestions))
        if len(typed) > 1:
            for kind in _BY_VALUE:
                suggestions += _values_like(library, kind, typed, only_beginnings=True)
        _prepare(library, typed)
    return Completion(found.start(), end, tuple(suggestions[:most]))


def _prepare(library: OpenedLibrary, typed: str) -> None:
    """Begin to read the values of the facts whose names seem to be typed: they come next."""
    for name in (*KINDS, "tag"):
        if typed.lower() == name or (len(typed) > 2 and name.startswith(typed.lower())):
            library.completion_values.prepare(name)


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
    inside.
    """
    values = library.completion_values.get(name)
    return [
        Suggestion(f"{name}:{quoted(_plain(name, value))}", value, photos)
        for value, photos in values.like(typed, MOST, only_beginnings=only_beginnings)
    ]


def _plain(name: str, value: str) -> str:
    """Return the value with its stars written so that each stands for itself."""
    return value.replace("*", r"\*") if name not in ("in", "tag", "date") else value
