"""How many words behind a fact belong to its value, as in `place:New York at night`.

A value without quotation marks ends at a space unless the library has a longer name there. The
longest name counts.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import PurePath
from typing import TypeAlias

from sigseek.cities import plain_letters
from sigseek.search.facts.names import folded, names_of_camera
from sigseek.search.facts.periods import is_period
from sigseek.search.facts.places import COLUMNS, is_near_somewhere
from sigseek.storage import CatalogReader

_Test: TypeAlias = Callable[[str], bool]
_MOST_WORDS = 8
"""The most words behind a fact that may belong to its value."""
_END_OF_WORD = re.compile(r"(?<=\S)(?=\s|$)")
_DATES = ("date", "since", "until")
_MORE_OF_DATE = re.compile(r"\s+(\.\.|\d\d?:\d\d)")
"""What makes a date longer: `.. 2024` behind the year 2023, or `10:30` behind a day."""


class KnownNames:
    """The names of several words that a value without quotation marks may be.

    `catalog` gives the catalog when names of photos are needed. Without it, only dates and places
    of the list of cities are known.
    """

    def __init__(self, catalog: Callable[[], CatalogReader] | None = None) -> None:
        self._catalog = catalog
        self._tests: dict[str, _Test] = {}

    def length(self, fact: str, value: str, more: str) -> int:
        """Return how many characters of `more` belong to the value of a fact, 0 if none do.

        The value is the first word, and `more` is what follows it, up to the next term.
        """
        goes_on = value.endswith("..") or _MORE_OF_DATE.match(more)
        if fact in _DATES and is_period(value) and not goes_on:
            return 0
        value = value.removeprefix("=")
        ends = [end.start() for end in _END_OF_WORD.finditer(more)][:_MOST_WORDS]
        is_known = self._test(fact)
        return next((end for end in reversed(ends) if is_known(value + more[:end])), 0)

    def _test(self, fact: str) -> _Test:
        """Return what tells whether a value of several words is known for the fact."""
        if fact not in self._tests:
            self._tests[fact] = self._make_test(fact)
        return self._tests[fact]

    def _make_test(self, fact: str) -> _Test:
        if fact in _DATES:
            return is_period
        if fact == "near":
            return is_near_somewhere
        if self._catalog is None:
            return lambda value: False
        catalog = self._catalog()
        match fact:
            case "tag":
                return _is_among(catalog.tag_names())
            case "in":
                return partial(_is_directory, catalog)
            case "place":
                places = {plain_letters(name) for one in COLUMNS for name in catalog.names(one)}
                return lambda value: places.issuperset(map(plain_letters, _parts(value, ",")))
            case "keyword":
                words = catalog.words(fact)
                levels = {folded(level) for name in words for level in name.split("|")}
                return lambda value: levels.issuperset(map(folded, _parts(value, "|")))
            case "camera":
                known = catalog.names(fact)
                return _is_among(name for camera in known for name in names_of_camera(camera))
            case "lens":
                return _is_among(catalog.names(fact))
            case "person":
                return _is_among(catalog.words(fact))
            case "title":
                titles = [folded(title) for title in catalog.names(fact)]
                return lambda value: any(folded(value) in title for title in titles)
        return lambda value: False


def _is_among(names: Iterable[str]) -> _Test:
    known = {folded(name) for name in names}
    return lambda value: folded(value) in known


def _is_directory(catalog: CatalogReader, value: str) -> bool:
    path = PurePath(value)
    if path.is_absolute():
        return catalog.directory(path) is not None
    return bool(catalog.directories_called(path)[0])


def _parts(value: str, separator: str) -> list[str]:
    """Return the names in a value; none of them is empty."""
    return [part for part in map(str.strip, value.split(separator)) if part]
