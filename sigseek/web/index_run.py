"""The indexing runs of a server: one at a time, in a thread, while searches go on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sigseek.errors import Remedy, SigseekError, Step
from sigseek.indexer import FolderError, IndexReport
from sigseek.library import Library
from sigseek.progress import Phase, Problem, Progress, Stop
from sigseek.results import record_fields, report_in_words
from sigseek.web.events import Events
from sigseek.web.problems import RequestError
from sigseek.web.remedies import spelled

_APART = 0.2
"""Seconds between two events of one phase. People see no more, and pages need not be told more."""
_LOG = logging.getLogger("sigseek.web")


class IndexRun:
    """The indexing run of a server. Several threads may use it; one run goes on at a time."""

    def __init__(self, library: Library, events: Events, spell: Callable[[Step], str]) -> None:
        self._library = library
        self._events = events
        self._spell = spell
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = Stop()
        self._listener = _Telling(events, spell)
        self._folders: list[str] = []
        self._chosen: list[Path] = []
        """Folders that were added and have not been indexed yet."""
        self._last: dict[str, Any] | None = None
        self._closed = False

    @property
    def is_running(self) -> bool:
        """Whether a run goes on."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def add(self, folder: Path) -> None:
        """Have the next run index the folder, too."""
        with self._lock:
            if folder not in self._chosen:
                self._chosen.append(folder)

    def is_added(self, folder: Path) -> bool:
        """Return whether the folder was added and has not been indexed yet."""
        return folder in self._chosen

    def start(self, folders: Sequence[Path]) -> None:
        """Begin a run over the folders, or without any over all that the library knows or that were
        added.

        Raises RequestError while another run goes on, and LibraryError while another process
        changes the library.
        """
        with self._lock:
            if self._closed:
                raise RequestError(
                    503, "the server is ending", "ask again once it has started again"
                )
            self.check_idle()
            self._library.check_not_busy()
            # Without a name the library's own folders are indexed, so they have to be named beside
            # those that were added.
            named = list(folders) or self._with_known(self._chosen)
            added = [folder for folder in self._chosen if folder in named]
            self._chosen = [folder for folder in self._chosen if folder not in named]
            self._folders = list(map(str, named))
            self._listener = _Telling(self._events, self._spell)
            self._stop = Stop()
            self._thread = threading.Thread(target=self._run, args=(named, added), name="indexing")
            self._thread.start()

    def check_idle(self) -> None:
        """Raise RequestError while a run goes on."""
        if self.is_running:
            raise RequestError(
                409,
                "the library is being indexed",
                "wait for the end of the run, or stop it",
                headers={"Retry-After": "5"},
            )

    def stop(self) -> bool:
        """Ask the run to stop soon, and return whether there is one. What is done by then is
        kept.
        """
        self._stop.set()
        return self.is_running

    def close(self) -> None:
        """Stop the run and wait until it has kept what is done. No other can begin."""
        with self._lock:
            self._closed = True
            self._stop.set()
            thread = self._thread
        if thread:
            thread.join()

    def state(self) -> dict[str, Any]:
        """Return whether a run goes on, over which folders, how far it is, and how the last one
        ended.
        """
        running = self.is_running
        return {
            "running": running,
            "folders": self._folders if running else [],
            "progress": self._listener.progress if running else None,
            "added": list(map(str, self._chosen)),
            "last": self._last,
        }

    def _with_known(self, added: Sequence[Path]) -> list[Path]:
        return [*map(Path, self._library.folders()), *added] if added else []

    def _keep_unknown(self, added: Sequence[Path]) -> None:
        """Have the next run take the folders that this one, stopped or failed, has not come to."""
        try:
            known = self._library.folders()
        except SigseekError:  # the library's disk is away; a known folder may be named once more
            known = []
        for folder in added:
            if str(folder) not in known:
                self.add(folder)

    def _run(self, folders: Sequence[Path], added: Sequence[Path]) -> None:
        """Index the folders, of which some were `added`."""
        try:
            report = self._library.index(*folders, listener=self._listener, stop=self._stop)
            if report.stopped:
                self._keep_unknown(added)
            ended = record_fields(report) | {"error": None} | _in_words(report)
        except SigseekError as error:
            if not isinstance(error, FolderError):  # such a folder would fail each run
                self._keep_unknown(added)
            ended = {"error": error.spelled(self._spell), "kind": error.kind.value}
        except Exception as error:  # a thread's exception would reach nobody
            _LOG.exception("an indexing run failed")
            ended = {"error": f"indexing failed: {error}", "kind": "damaged"}
        self._last = ended
        self._thread = None  # before others are told, so that whoever asks then sees no run
        self._events.tell("finished", ended)


def _in_words(report: IndexReport) -> dict[str, str]:
    headline = "Indexing was stopped; what was done is kept" if report.stopped else "Indexed"
    return {"headline": headline, "text": report_in_words(report)}


class _Telling:
    """The listener of a run, which tells events."""

    def __init__(self, events: Events, spell: Callable[[Step], str]) -> None:
        self._events = events
        self._spell = spell
        self._phase: Phase | None = None
        self._told_at = 0.0
        self.progress: dict[str, Any] | None = None
        """The last progress."""

    def advanced(self, progress: Progress) -> None:
        """Tell of the progress, unless the last one of this phase was told a moment ago."""
        self.progress = record_fields(progress)
        now = time.monotonic()
        is_last = progress.done == progress.total
        if progress.phase != self._phase or is_last or now - self._told_at >= _APART:
            self._phase, self._told_at = progress.phase, now
            self._events.tell("progress", self.progress)

    def said(self, line: str | Remedy) -> None:
        """Tell the line."""
        self._events.tell("said", {"text": spelled(line, self._spell)})

    def met(self, problem: Problem) -> None:
        """Tell of the problem."""
        self._events.tell("problem", record_fields(problem))
