"""What a run has done so far, counted in one place and told to whoever listens."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto

from sigseek.errors import Remedy
from sigseek.indexer.comparison import Comparison
from sigseek.indexer.speed_notes import SpeedNotes
from sigseek.progress import Listener, Phase, Problem, Progress

_ENOUGH = 1.0
"""Seconds of a phase after which its rate means something."""


@dataclass
class IndexReport:
    """What a run did. `scanned` is the sum of `added`, `changed`, `moved`, `unchanged`, `failed`
    and `by_others`, unless the run was stopped.
    """

    scanned: int = 0
    """Files with a picture's extension that are there."""
    added: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    by_others: int = 0
    """Files that other processes took in, which indexed together with this one. Each tells in its
    own report what became of them.
    """
    missing: int = 0
    """Files known from before that are not there now; their photos stay in the library."""
    offline: int = 0
    """Files of folders that are not there at all, an unplugged drive for example."""
    excluded: int = 0
    """Known files that are left out from now on; they are no longer in the library."""
    excluded_photos: int = 0
    """Photos that no other file holds. They left the library with these files, and with them their
    embeddings and tags.
    """
    excluded_tagged: int = 0
    """How many of `excluded_photos` had tags."""
    skipped: int = 0
    """Files that seem to hold photos and are passed over: links to directories, and pictures
    without a picture's extension. `Library.skipped_files` lists them.
    """
    emptied: tuple[str, ...] = ()
    """Folders of which everything is left out. Nothing of them was changed."""
    failed: int = 0
    """Files that could not be used, including those of earlier runs; `Library.failures` lists
    them.
    """
    unreadable_directories: int = 0
    """Directories, and links, that could not be looked into. What is below them is not indexed, and
    `Library.failures` lists them.
    """
    seconds: float = 0.0
    images_per_second: float = 0.0
    """Photos embedded over the time from the first file read to the last commit. The time in which
    the run only waited for the checkpoint to load does not count.
    """
    device: str | None = None
    """The image tower's device. It is None when nothing had to be embedded, and so are `runtime`,
    `precision`, `batch` and `threads`.
    """
    runtime: str | None = None
    """ "openvino" or "torch"."""
    precision: str | None = None
    """The arithmetic of the embeddings: "fp32", "bf16" or "int8"."""
    batch: int | None = None
    """Photos that the image tower takes at a time."""
    threads: int | None = None
    """Threads that decode, each with a process of its own."""
    model: str = ""
    metadata_read: int = 0
    """Photos whose metadata was read again, because a sidecar changed or this version reads
    more.
    """
    hashed: int = 0
    """Photos of an earlier version's library that were decoded once more for their perceptual
    hashes.
    """
    untagged: int = 0
    """Tagged photos whose only file now holds another picture: their tags are gone."""
    provisional: bool = False
    """Whether hits are judged provisionally, by the first reference captions. The next run that
    finds no new photo embeds the others.
    """
    stopped: bool = False
    """Whether somebody asked the run to stop before it was done."""


class Outcome(Enum):
    """What became of a file that is there."""

    ADDED = auto()
    CHANGED = auto()
    MOVED = auto()
    UNCHANGED = auto()
    FAILED = auto()


class Ledger:
    """Counts the events of a run, keeps its clock, and tells the listener.

    It is the only place that counts. The folders' comparisons and the files' outcomes are entered
    here as they become known. A ledger is a listener, too: what a run calls, such as whatever loads
    the checkpoint, tells the ledger, and the ledger tells the run's listener.
    """

    def __init__(self, model: str, listener: Listener) -> None:
        self._listener = listener
        self._report = IndexReport(model=model)
        self._counts = dict.fromkeys(Outcome, 0)
        self._missing: dict[int, set[str]] = {}
        """The known files that are not there, by the id of their folder."""
        self._embedded = 0
        now = time.monotonic()
        self._started = self._first_read = self._last_commit = self._last_decoded = now
        self._loading = 0.0
        self._speed: SpeedNotes | None = None
        self._phase = Phase.SCANNING
        self._phase_started = now
        self._phase_loading = 0.0
        self._done = self._done_before = 0
        self._total: int | None = None
        self._of_all: Callable[[], tuple[int, int]] | None = None

    def follow(self, of_all: Callable[[], tuple[int, int]]) -> None:
        """Tell from now on, while photos are embedded, how many files are done and how many there
        are of all processes that index together. `of_all` returns both.
        """
        self._of_all = of_all

    def begin(self, phase: Phase, total: int | None = None) -> None:
        """Note that a phase begins, with `total` items where their number is known. The ledger
        itself counts the items of the embedding phase.
        """
        self._phase, self._phase_started, self._phase_loading = phase, time.monotonic(), 0.0
        self._done, self._total = 0, total
        if phase is Phase.EMBEDDING:
            self._first_read = self._phase_started
            self._update_files()
        self._done_before = self._done
        self._tell()

    def advanced(self, progress: Progress) -> None:
        """Note that the current phase has come this far. Of loading, `loading` tells."""
        if progress.phase is self._phase:
            if self._total is None:  # what an earlier run did tells nothing of this one's rate
                self._done_before = progress.done
            self._done, self._total = progress.done, progress.total
            self._tell()

    def said(self, line: str | Remedy) -> None:
        """Pass a line for people on."""
        self._listener.said(line)

    def met(self, problem: Problem) -> None:
        """Pass a problem on."""
        self._listener.met(problem)

    def enter_offline(self, files: int) -> None:
        """Note that a folder is not there, with so many files."""
        self._report.offline += files

    def enter_emptied(self, path: str) -> None:
        """Note that everything in a folder is left out."""
        self._report.emptied += (path,)

    def enter_scan(self, folder_id: int, root: str, found: Comparison) -> None:
        """Note that a folder was compared with the catalog."""
        self._report.scanned += found.scanned
        self._report.excluded += len(found.excluded)
        self._report.skipped += found.skipped
        self._report.unreadable_directories += len(found.unreadable)
        self._counts[Outcome.UNCHANGED] += found.unchanged - found.refreshed
        self._counts[Outcome.CHANGED] += found.refreshed
        self._counts[Outcome.FAILED] += found.failed
        self._missing.setdefault(folder_id, set()).update(found.missing)
        self._update_files()
        for path, reason in found.unreadable.items():
            self._listener.met(Problem(f"{root}/{path}", reason))

    def enter_file(self, outcome: Outcome) -> None:
        """Note what became of one more file."""
        self._counts[outcome] += 1
        self._update_files()
        self._tell()

    def wait_for_others(self) -> None:
        """Tell how far the other processes are, while this one has nothing to do."""
        self._update_files()
        self._tell()

    def enter_failure(self, path: str, reason: str) -> None:
        """Note that one more file, of this absolute path, could not be used."""
        self._listener.met(Problem(path, reason))
        self.enter_file(Outcome.FAILED)

    def enter_move(self, folder_id: int, path: str) -> None:
        """Note that a file has left this path for another: it is no longer missing."""
        self._missing.get(folder_id, set()).discard(path)

    def enter_metadata(self, photos: int) -> None:
        """Count photos whose metadata was read again and stored."""
        self._report.metadata_read += photos

    def enter_hashed(self, photos: int) -> None:
        """Count photos of an earlier version whose hashes were made and stored."""
        self._report.hashed += photos

    def enter_untagged(self, photos: int) -> None:
        """Count tagged photos that were replaced by edits of their files, and say so."""
        self._report.untagged += photos
        which = "1 photo" if photos == 1 else f"{photos:,} photos"
        self._listener.said(
            f"{which} with tags changed; the new version has no tags until tagging is run again"
        )

    def enter_excluded_photos(self, photos: int, tagged: int) -> None:
        """Count photos that left the library because a rule leaves out their files."""
        self._report.excluded_photos += photos
        self._report.excluded_tagged += tagged

    def is_missing(self, folder_id: int, path: str) -> bool:
        """Return whether a file was found missing and has not turned up elsewhere."""
        return path in self._missing.get(folder_id, ())

    def enter_commit(self, embedded: int) -> None:
        """Note that something was stored, with so many new embeddings."""
        self._last_commit = time.monotonic()
        self._embedded += embedded
        self._tell()
        if self._speed is not None and embedded:
            took = self._last_commit - self._first_read - self._loading
            # the outcomes of this batch's files are entered after it
            left = (self._total or 0) - self._done - embedded
            if note := self._speed.after_batch(self._embedded, took, left):
                self.said(note)

    def note_decoded(self) -> None:
        """Note that a file was decoded just now. Any thread may call it."""
        self._last_decoded = time.monotonic()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Leave out of rates the time that the checkpoint takes to load inside this context, from
        when no more files were decoded meanwhile.
        """
        phase, before = self._phase, time.monotonic()
        self._listener.advanced(
            Progress(Phase.PREPARING, embedded=self._embedded, failed=self._failed())
        )
        yield
        took = time.monotonic() - max(before, self._last_decoded)
        self._loading += took
        self._phase_loading += took
        if phase is self._phase:
            self._tell()

    def tell_of_long_runs(self, speed: SpeedNotes, files: int) -> None:
        """Say how long `files` files take with this checkpoint, now or after the first batches,
        where it is long.
        """
        self._speed = speed
        if note := speed.before(files):
            self.said(note)

    @property
    def embedded(self) -> int:
        """Photos embedded so far in this run."""
        return self._embedded

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._started

    def enter_measured(self, *, provisional: bool) -> None:
        """Note that the embeddings were measured, by a part of the yardstick if `provisional`."""
        self._report.provisional = provisional

    def use_tower(
        self, device: str, runtime: str, precision: str, batch: int, threads: int
    ) -> None:
        """Note that an image tower with these settings embeds the photos of this run."""
        report = self._report
        report.device, report.runtime, report.precision = device, runtime, precision
        report.batch, report.threads = batch, threads

    def finish(self, *, stopped: bool) -> IndexReport:
        """Return the report of the whole run."""
        report = self._report
        report.added, report.changed = self._counts[Outcome.ADDED], self._counts[Outcome.CHANGED]
        report.moved, report.failed = self._counts[Outcome.MOVED], self._failed()
        report.unchanged = self._counts[Outcome.UNCHANGED]
        report.missing = sum(map(len, self._missing.values()))
        done = sum(self._counts.values())
        if not stopped and self._of_all is not None:
            report.by_others = max(0, report.scanned - done)
            report.scanned = done + report.by_others
        report.stopped = stopped
        report.seconds = round(self.seconds, 3)
        if self._embedded:
            busy = self._last_commit - self._first_read - self._loading
            report.images_per_second = round(self._embedded / busy, 2)
        return report

    def _update_files(self) -> None:
        """Count the files as the items of the phase while photos are embedded."""
        if self._phase is not Phase.EMBEDDING:
            return
        if self._of_all is not None:
            self._done, self._total = self._of_all()
        else:
            self._done, self._total = sum(self._counts.values()), self._report.scanned

    def _failed(self) -> int:
        return self._counts[Outcome.FAILED]

    def _tell(self) -> None:
        took = time.monotonic() - self._phase_started - self._phase_loading
        done = self._done - self._done_before
        rate = done / took if done and took >= _ENOUGH else None
        left = (self._total - self._done) / rate if rate and self._total is not None else None
        self._listener.advanced(
            Progress(
                self._phase, self._done, self._total, self._embedded, self._failed(), rate, left
            )
        )
