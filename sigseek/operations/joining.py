"""Indexing together with other processes that index the same library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from sigseek.errors import Call, ErrorKind, Option, Remedy
from sigseek.indexer import Indexer, IndexReport
from sigseek.operations.location import LibraryLocation
from sigseek.operations.opened import OpenedLibrary
from sigseek.progress import Listener, Stop
from sigseek.storage import LibraryError

_LOOK = 0.3
"""Seconds between two looks at whether another process has begun."""


def check_can_be_shared(location: LibraryLocation, asked_by: str = "join") -> None:
    """Raise LibraryError for a library that only one process at a time can change. `asked_by` is
    the option that asks for more of them.
    """
    if not location.can_be_shared:
        raise LibraryError(
            f"{location.where} is a directory, and processes index together only in a library in a "
            "PostgreSQL database",
            Remedy(
                "leave out {}, or name a database with {}", (Option(asked_by), Option("directory"))
            ),
            ErrorKind.UNSUPPORTED,
        )


class SharedRun:
    """An indexing run of this process together with others.

    The process that gets the lock of those who list lists the files, and the others take in what it
    has listed. When that process ends before the run does, another one takes its place. Processes
    that index other folders alone are not waited for.
    """

    def __init__(
        self,
        library: OpenedLibrary,
        folders: Sequence[Path],
        listener: Listener,
        stop: Stop,
        *,
        may_list: bool,
    ) -> None:
        self._library = library
        self._location = library.directory
        self._folders = folders
        self._listener = listener
        self._stop = stop
        self._may_list = may_list
        self._before = self._ends()

    def run(
        self, indexer: Callable[[], Indexer], index: Callable[[Indexer], IndexReport]
    ) -> IndexReport:
        """List the files and take them in, or help another process, until all are taken in.

        `indexer` makes an indexer, once the library has the checkpoint. `index` has it list.
        """
        told = ""
        while not self._stop.is_set():
            with ExitStack() as held:
                holder = self._hold(held)
                if holder is None:
                    return index(indexer())
            can_help = self._location.exists() and self._library.model.record() is not None
            if not can_help or (self._may_list and not self._location.is_being_listed()):
                self._check_somebody_lists()
                if can_help and told != holder:
                    self._listener.said(f"{holder}; this process waits until it has finished")
                    told = holder
                self._stop.wait(_LOOK)
                continue
            if told != holder:
                self._listener.said(f"{holder}; this process helps it")
                told = holder
            report = indexer().help(self._is_going_on)
            if report.stopped or self._has_ended():
                return report
            if not self._may_list:
                if not report.scanned:
                    self._check_somebody_lists()
                return report
        return IndexReport(stopped=True)

    def _hold(self, held: ExitStack) -> str | None:
        """Get the lock of who lists for as long as `held`. Otherwise return who has it, or that of
        one of the folders.
        """
        if not self._may_list:
            return f"another sigseek lists the files of {self._location.where}"
        try:
            held.enter_context(
                self._location.changing(self._folders, lists=True, create=True, stop=self._stop)
            )
        except LibraryError as error:
            if error.kind is not ErrorKind.BUSY:
                raise
            return error.found
        return None

    def _check_somebody_lists(self) -> None:
        """Raise LibraryError where this process may not list and no other process does."""
        if self._may_list:
            return
        if not self._location.exists() or not self._location.is_being_listed():
            raise LibraryError(
                f"no process lists files for {self._location.where}",
                Remedy(
                    "start one on a machine that has the folder under the path that the library "
                    "knows: {}",
                    (Call("index", ("FOLDER",), (("join", True),)),),
                ),
                ErrorKind.NOT_FOUND,
            )

    def _is_going_on(self) -> bool:
        """Return whether there may be more files to take in."""
        return self._location.is_being_listed() and not self._has_ended()

    def _has_ended(self) -> bool:
        """Return whether another process has gone through all folders since this one began."""
        pairs = list(zip(self._before, self._ends(), strict=False))
        return bool(pairs) and all(before != now for before, now in pairs)

    def _ends(self) -> list[datetime | None]:
        """Return when each folder was last gone through."""
        if not self._location.exists():
            return [None] * len(self._folders)
        catalog = self._location.catalog()
        if not self._folders:
            return [folder.indexed_at for folder in catalog.folders()]
        found = [catalog.find_folder(path) for path in self._folders]
        return [known[0].indexed_at if known else None for known in found]
