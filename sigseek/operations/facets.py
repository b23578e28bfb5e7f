"""Counts of photos by year, camera, place and so on: of all, or of those that match a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal, overload

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.searching import NamedPhotos, matching_photos
from sigseek.progress import Listener, Stop
from sigseek.search.errors import QueryError
from sigseek.storage.facets import FACET_KINDS, FacetKind, FacetValue

if TYPE_CHECKING:
    from sigseek.search.query import Query
    from sigseek.storage import CatalogReader

OF_EACH = 5
"""The number of values of each kind that are given where no kind is named."""
_BY_TIME: tuple[FacetKind, ...] = ("year", "month")


@dataclass(frozen=True)
class Facet:
    """A value that photos have in common, and how many have it."""

    by: FacetKind
    """The kind of the value."""
    value: str | int | None
    """A year is "1978", a month is "1978-05", or "1978" where the date tells no month. A place is
    "Lisbon, Portugal", a folder is its absolute path, and stars are a number. None stands for
    photos without such a value.
    """
    photos: int


@dataclass(frozen=True)
class Facets(Sequence[Facet]):
    """The values, kind by kind. Of each kind the values that most photos have come first, but the
    newest years and months. None is the last of its kind.
    """

    values: tuple[Facet, ...]
    photos: int
    """The number of photos that were counted."""
    counted: Literal["library", "selection", "matches"]
    """Which photos these are: all, those that facts select, or those that match a text."""
    query: str | None
    """The query with the facts in `within`, as sigseek writes it; None for the whole library."""
    left_out: Mapping[FacetKind, int]
    """How many values of each kind the limit left out."""
    notes: tuple[Remedy | str, ...] = ()
    """What a reader of the counts should know."""
    directly: frozenset[str] = frozenset()
    """The folders that count only the photos directly in them, because the directories below them
    are counted on their own.
    """

    def __repr__(self) -> str:
        return f"<Facets: {len(self.values)} values of {self.photos} photos>"

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> Facet: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Facet, ...]: ...

    def __getitem__(self, place: int | slice) -> Facet | tuple[Facet, ...]:
        return self.values[place]


def count_facets(
    library: OpenedLibrary,
    query: str,
    by: FacetKind | None,
    within: str,
    limit: int | None,
    named_photos: NamedPhotos | None = None,
    listener: Listener | None = None,
    stop: Stop | None = None,
) -> Facets:
    """Count photos as `Library.facets` describes."""
    _check(by, limit)
    catalog = library.directory.catalog()
    kinds: Sequence[FacetKind] = FACET_KINDS if by is None else (by,)
    most = OF_EACH if by is None and limit is None else limit
    counted: Literal["library", "selection", "matches"] = "library"
    asked, ids = None, None
    notes: tuple[Remedy | str, ...] = ()
    if query.strip() or within.strip():
        from sigseek.search.query import is_factual

        asked, ids, notes = matching_photos(library, query, within, named_photos, listener, stop)
        counted = "selection" if is_factual(asked) else "matches"

    if stop:
        stop.check()
    with catalog.moment():
        # The first question begins the moment, and only then kept answers are used.
        photos = catalog.count_all_photos() if ids is None else len(ids)
        counts: dict[FacetKind, dict[FacetValue, int]]
        if by == "folder":
            counts = {by: catalog.count_photos_by_directory(ids, _places(asked, catalog))}
        else:
            counts = catalog.count_photos_by(kinds, ids)
    values: list[Facet] = []
    left_out: dict[FacetKind, int] = {}
    for kind, by_value in counts.items():
        known = _in_order(kind, by_value)
        left_out[kind] = len(known) - len(known[:most])
        values += known[:most]
        if None in by_value:
            values.append(Facet(kind, None, by_value[None]))
    written = str(asked) if asked else None
    directly = _directly(counts["folder"]) if by == "folder" else frozenset[str]()
    return Facets(tuple(values), photos, counted, written, left_out, notes, directly)


def _places(asked: Query | None, catalog: CatalogReader) -> list[tuple[int, str]] | None:
    """Return the places of the directories that every photo must be in by the query; None if it
    names none.
    """
    from sigseek.search.facts.folders import Directory
    from sigseek.search.query import Fact, required

    places: list[tuple[int, str]] = []
    for term in required(asked) if asked else ():
        if isinstance(term, Fact) and isinstance(term.value, Directory):
            places += term.value.known(catalog).places
    return places or None


def _directly(directories: Iterable[FacetValue]) -> frozenset[str]:
    """Return the directories that have others of them right below."""
    paths = {str(path) for path in directories if path is not None}
    above = {str(parent) for path in paths for parent in PurePath(path).parents[:1]}
    return frozenset(paths & above)


def _check(by: FacetKind | None, limit: int | None) -> None:
    if by is not None and by not in FACET_KINDS:
        raise QueryError(
            f"photos cannot be counted by {by!r}",
            f"use one of {', '.join(FACET_KINDS)}",
            ErrorKind.INVALID,
        )
    if limit is not None and limit < 1:
        raise QueryError(
            f"{limit} values cannot be shown",
            Remedy("{} must be at least 1", (Option("limit"),)),
        )


def _in_order(kind: FacetKind, counts: Mapping[FacetValue, int]) -> list[Facet]:
    """Return the values that are known, in the order of `Facets`."""
    known = [Facet(kind, value, photos) for value, photos in counts.items() if value is not None]
    if kind in _BY_TIME:
        return sorted(known, key=lambda facet: str(facet.value), reverse=True)
    known.sort(key=lambda facet: str(facet.value))
    return sorted(known, key=lambda facet: -facet.photos)
