"""The values of facts that a query is completed with, kept in memory.

In a large library it takes longer to count the photos of each value than people wait for a
completion. While photos are being added, such counts are therefore renewed in the background, now
and then. Until then those of before are shown.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from sigseek.cities import city_names
from sigseek.operations.location import LibraryLocation
from sigseek.search.facts.names import folded
from sigseek.search.facts.states import STATES
from sigseek.storage import Catalog
from sigseek.storage.facets import FacetKind
from sigseek.storage.selection import NamedColumn, WordKind

_FACETS: dict[str, FacetKind] = {
    "camera": "camera", "place": "place", "format": "format", "tag": "tag",
    "date": "year", "since": "year", "until": "year",
}  # fmt: skip
"""The kinds of facts whose values photos are counted by."""
_COLUMNS: dict[str, NamedColumn] = {"lens": "lens"}
_WORDS: dict[str, WordKind] = {"keyword": "keyword", "person": "person"}
_THREADS = 4
"""Kinds of facts whose values are read at a time: quick ones need not wait for slow ones."""
_SLOW = 0.05
"""Seconds of processor time. Values that take longer are renewed in the background."""
_SHARE = 20
"""Values are not renewed in the background for so many times as long as it takes."""


class Values(Protocol):
    """The values that a fact may have."""

    def like(self, typed: str, most: int, *, only_beginnings: bool) -> list[tuple[str, int | None]]:
        """Return at most so many values, each with its number of photos where that is known: those
        that begin with what was typed, and then those that have it inside.
        """
        ...


class CompletionValues:
    """The values of each kind of fact in a library. Several threads may use it."""

    def __init__(self, directory: LibraryLocation) -> None:
        self._directory = directory
        self._pool = ThreadPoolExecutor(_THREADS, "completion")
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._running: dict[str, Future[_Kept]] = {}

    def get(self, name: str) -> Values:
        """Return the values of the fact of this name, as they are now or were a little while ago.
        The first call waits until they are counted.
        """
        changes = self._directory.catalog().changes()
        with self._lock:
            kept = self._kept.get(name)
            if kept and (kept.changes == changes or time.monotonic() < kept.fresh_until):
                return kept.values
            running = self._running.get(name) or self._begin(name)
        if kept and kept.seconds > _SLOW:
            return kept.values
        return running.result().values

    def prepare(self, name: str) -> None:
        """Begin to count the values in the background, unless that was done before."""
        with self._lock:
            if name not in self._kept and name not in self._running:
                self._begin(name)

    def close(self) -> None:
        """Wait until nothing is counted any more."""
        self._pool.shutdown(cancel_futures=True)

    def _begin(self, name: str) -> Future[_Kept]:
        self._running[name] = running = self._pool.submit(self._count, name)
        return running

    def _count(self, name: str) -> _Kept:
        try:
            catalog = self._directory.catalog()
            changes = catalog.changes()  # asked first, so that no later change is missed
            began, worked = time.monotonic(), time.thread_time()
            values = _values(catalog, name)
            seconds = time.thread_time() - worked
            now = time.monotonic()
            fresh = _SHARE * (now - began) if seconds > _SLOW else 0.0
            kept = _Kept(values, changes, seconds, now + fresh)
            with self._lock:
                self._kept[name] = kept
            return kept
        finally:
            with self._lock:
                del self._running[name]


@dataclass(frozen=True)
class _Kept:
    """Values and what is known about them."""

    values: Values
    changes: int
    """The number of the catalog's changes before they were counted."""
    seconds: float
    """The processor time that this took."""
    fresh_until: float
    """The time of the monotonic clock until which they are not counted again."""


class _Known:
    """Values that the library's photos have."""

    def __init__(
        self, counts: Mapping[str, int | None], begins: Callable[[str, str], bool] = str.startswith
    ) -> None:
        """Take the values with their numbers of photos. `begins` tells whether a folded value
        begins with what was typed.
        """
        ranked = sorted(counts.items(), key=lambda value: -(value[1] or 0))
        self._ranked = [(folded(value), value, photos) for value, photos in ranked]
        self._begins = begins

    def like(self, typed: str, most: int, *, only_beginnings: bool) -> list[tuple[str, int | None]]:
        """Return the values, those that most photos have first."""
        wanted = folded(typed)
        found = list(islice(self._all_like(wanted, begins=True), most))
        if not only_beginnings:
            found += islice(self._all_like(wanted, begins=False), most - len(found))
        return found

    def _all_like(self, wanted: str, *, begins: bool) -> Iterator[tuple[str, int | None]]:
        for value, label, photos in self._ranked:
            if wanted in value and self._begins(value, wanted) == begins:
                yield label, photos


class _Cities:
    """All cities of the world, for a fact that needs no photo."""

    def like(self, typed: str, most: int, *, only_beginnings: bool) -> list[tuple[str, int | None]]:
        """Return cities whose names begin so, the largest first."""
        return [(name, None) for name in city_names().beginning_with(typed, most)]


def _values(catalog: Catalog, name: str) -> Values:
    if name == "near":
        city_names()  # reads them
        return _Cities()
    if name == "in":
        return _Known(catalog.count_photos_in_all_directories(), _last_parts_begin)
    return _Known(_counts(catalog, name))


def _counts(catalog: Catalog, name: str) -> Mapping[str, int | None]:
    """Return the values that photos of the library have, with their number of photos."""
    if name == "rating":
        return {str(stars): None for stars in range(5, 0, -1)}
    if name == "is":
        return dict.fromkeys(STATES)
    if name in _FACETS:
        kind = _FACETS[name]
        counts = catalog.count_photos_by([kind])[kind]
        return {str(value): photos for value, photos in counts.items() if value is not None}
    if name in _COLUMNS:
        return dict.fromkeys(catalog.names(_COLUMNS[name]))
    if name in _WORDS:
        return dict.fromkeys(catalog.words(_WORDS[name]))
    return {}


def _last_parts_begin(path: str, typed: str) -> bool:
    """Return whether a path, or its last parts, begin with a path: as many parts as that has."""
    if path.startswith(typed):
        return True
    last = path
    for _ in range(typed.count(os.sep) + 1):
        path, _, _ = path.rpartition(os.sep)
    return last[len(path) + 1 :].startswith(typed)
