"""Keeping a library current: changes in its folders are indexed once it is quiet there.

Files are asked for by os.path, to which a file that cannot be looked at does not exist: pathlib
raises when a drive fails. No question to a folder's disk waits for ever.
"""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sigseek.disk import ask
from sigseek.errors import ErrorKind, SigseekError
from sigseek.indexer import FolderError, IndexReport
from sigseek.operations.folder_events import FolderEvents
from sigseek.operations.watched_folders import Identity, WatchedFolders
from sigseek.progress import Stop
from sigseek.siglip import CheckpointError
from sigseek.storage import Catalog, LibraryError

_LONGEST = 15
"""How many times the debounce a burst of changes may last. A steady stream of changes must not keep
the library from being brought up to date.
"""
_LONGEST_PAUSE = 60.0
"""Seconds after which a failure is tried again at the latest."""
_IDLE = 60.0
"""Seconds without changes after which what runs with new photos left of the yardstick is made."""


@dataclass(frozen=True)
class WatchEvent:
    """A run over what changed, or the error that kept it from being one."""

    path: str
    """The folder that was looked through, or a directory in it; the library where all folders are
    concerned.
    """
    report: IndexReport | None
    error: SigseekError | None = None

    @property
    def problem(self) -> str | None:
        """Return the error in one line, with calls as in Python."""
        return str(self.error) if self.error else None


@dataclass
class _Pending:
    """Changes in a folder that wait to be indexed. Times are on the monotonic clock."""

    place: Path
    """The directory that holds all of the changes."""
    since: float
    due: float
    pause: float = 0.0
    """Seconds to wait before trying again after a failure; 0 where nothing failed."""


class Watch:
    """Watches folders of a library: the `named` ones, or all that it knows.

    `index` brings one directory up to date. Changes are indexed once it was quiet for `debounce`
    seconds. Everything is looked through every `rescan` seconds, whether changes were noticed or
    not.
    """

    def __init__(
        self,
        catalog: Catalog,
        library: Path,
        index: Callable[[Path], IndexReport],
        named: Iterable[Path],
        *,
        debounce: float,
        rescan: float,
        stop: Stop,
    ) -> None:
        self._catalog = catalog
        self._library = library
        self._index = index
        self._folders = WatchedFolders(catalog, library, named)
        self._events = FolderEvents(catalog, library, rescan, stop)
        self._debounce = debounce
        self._rescan = rescan
        self._stop = stop
        self._next_rescan = 0.0
        self._finish_at = math.inf
        """When to look through everything once more, which makes the rest of the yardstick."""
        self._pending: dict[Path, _Pending] = {}
        self._told: dict[Path, str] = {}
        """The problem of each folder that was reported last, so that it is not reported again."""

    def rounds(self) -> Iterator[WatchEvent]:
        """Index everything, then whatever changes, until `stop` is set."""
        folders: dict[Path, Identity] = {}
        wait = 0.0
        while not self._stop.is_set():
            before, folders = folders, self._folders.now()
            self._pending = {
                folder: pending for folder, pending in self._pending.items() if folders.get(folder)
            }
            yield from _tell_gone(before, folders)
            self._note_all(folders, wait)  # what changed while nobody watched
            wait = self._debounce
            there = [path for path, identity in folders.items() if identity]
            for changed in self._events.changes(there):
                if isinstance(changed, SigseekError):
                    yield WatchEvent(str(self._library), None, changed)
                    continue
                self._note(changed, folders)
                if self._stop.is_set() or self._folders.now() != folders:
                    break
                if time.monotonic() >= min(self._next_rescan, self._finish_at):
                    self._note_all(folders, 0)
                yield from self._index_what_is_due()

    def _note(self, changed: set[Path], folders: Iterable[Path]) -> None:
        for path in changed:
            folder = next((folder for folder in folders if path.is_relative_to(folder)), None)
            place = self._events.directory_of(path, folder) if folder else None
            if folder and place:
                self._wait_for(folder, place, self._debounce)

    def _note_all(self, folders: dict[Path, Identity], wait: float) -> None:
        self._next_rescan, self._finish_at = time.monotonic() + self._rescan, math.inf
        for folder, identity in folders.items():
            if identity:
                self._wait_for(folder, folder, wait)

    def _wait_for(self, folder: Path, place: Path, wait: float) -> None:
        now = time.monotonic()
        pending = self._pending.setdefault(folder, _Pending(place, now, now + wait))
        pending.place = Path(
            os.path.commonpath([pending.place, place])
        )  # a moved file is known by both its places
        pending.due = max(
            pending.since + pending.pause,
            min(now + wait, pending.since + _LONGEST * self._debounce),
        )

    def _index_what_is_due(self) -> Iterator[WatchEvent]:
        for folder, pending in [*self._pending.items()]:
            if self._stop.is_set():
                return
            if time.monotonic() >= pending.due:
                found = self._look_through(folder, pending)
                if found:
                    yield found

    def _look_through(self, folder: Path, pending: _Pending) -> WatchEvent | None:
        """Index a directory. A problem is reported once, and what may pass, such as a busy library,
        is tried again less and less often.

        Raises LibraryError when the library cannot be written, which does not pass.
        """
        place = _existing(pending.place, folder)
        try:
            report = self._index(place)
        except FolderError as error:
            # until the folder changes, or the next rescan, it would only be refused again
            del self._pending[folder]
            return self._tell(folder, place, error)
        except (LibraryError, CheckpointError, OSError) as error:
            if isinstance(error, LibraryError) and not self._may_write():
                raise
            pending.since = time.monotonic()
            pending.pause = min(max(2 * pending.pause, self._debounce), _LONGEST_PAUSE)
            pending.due = pending.since + pending.pause
            return self._tell(folder, place, error)
        if report.stopped:
            return None
        del self._pending[folder]
        self._told.pop(folder, None)
        self._folders.note_indexed(folder)
        self._finish_at = time.monotonic() + _IDLE if report.provisional else math.inf
        return WatchEvent(str(place), report)

    def _may_write(self) -> bool:
        """Return whether this process may change the library's files."""
        as_now = os.access in os.supports_effective_ids
        return all(
            os.access(path, os.W_OK, effective_ids=as_now) for path in self._catalog.local_paths
        )

    def _tell(self, folder: Path, place: Path, error: SigseekError | OSError) -> WatchEvent | None:
        if isinstance(error, OSError):
            error = SigseekError(
                str(error), "check the disk and its permissions", ErrorKind.UNAVAILABLE
            )
        if str(error) == self._told.get(folder):
            return None
        self._told[folder] = str(error)
        return WatchEvent(str(place), None, error)


def _tell_gone(before: dict[Path, Identity], now: dict[Path, Identity]) -> Iterator[WatchEvent]:
    for path, identity in now.items():
        if identity is None and before.get(path, (0, 0)) is not None:
            gone = FolderError(
                f"the folder {path} is not there",
                "its photos stay, and it is watched again once it is back",
                ErrorKind.NOT_FOUND,
            )
            yield WatchEvent(str(path), None, gone)


def _existing(place: Path, folder: Path) -> Path:
    """Return the place, or the nearest directory above it that exists, up to the folder."""
    while place != folder and not ask(folder, partial(os.path.isdir, place), False):
        place = place.parent
    return place
