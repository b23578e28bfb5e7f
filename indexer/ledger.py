"""How an indexing run goes, and how it went."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of a run."""

    done: int
    """Files settled, of `total`."""
    total: int
    embedded: int
    failed: int


@dataclass
class IndexReport:
    """What a run did. scanned = added + changed + moved + unchanged + failed."""

    scanned: int = 0
    """Files with a picture's extension that are there."""
    added: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    missing: int = 0
    """Files known from before that are not there now; their photos stay in the library."""
    offline: int = 0
    """Files of folders that are not there at all, an unplugged drive for example."""
    failed: int = 0
    """Files that could not be used, those of earlier runs included; `sigseek failures` lists
    them.
    """
    seconds: float = 0.0
    images_per_second: float = 0.0
    """Photos embedded over the time from the first file read to the last commit, loading of the
    checkpoint excluded.
    """
    device: str | None = None
    """None when nothing had to be embedded, as are the four that follow."""
    runtime: str | None = None
    """ "openvino" or "torch"."""
    precision: str | None = None
    """The arithmetic of the embeddings: "fp32", "bf16" or "int8"."""
    batch: int | None = None
    """Photos that the image tower takes at a time."""
    threads: int | None = None
    """Threads that read, each with a process that decodes."""
    model: str = ""


class RunProgress:
    """A run's counts and clock as it goes."""

    def __init__(self, report: IndexReport, on_progress: Callable[[Progress], None]) -> None:
        self.report = report
        self.done = 0
        self._on_progress = on_progress
        self._embedded = 0
        self._started = self._first_read = self._last_commit = time.monotonic()
        self._loading = 0.0

    def start(self) -> None:
        """The folders are scanned; reading begins."""
        self._first_read = time.monotonic()
        self._tell()

    def settle(self) -> None:
        """One more file is done with."""
        self.done += 1
        self._tell()

    def commit(self, embedded: int) -> None:
        """Something was stored, so many new embeddings among it."""
        self._last_commit = time.monotonic()
        self._embedded += embedded
        self._tell()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """The time in here is the checkpoint's, not the photos'."""
        before = time.monotonic()
        yield
        self._loading += time.monotonic() - before

    def finish(self) -> IndexReport:
        """The report, with its times."""
        self.report.seconds = round(time.monotonic() - self._started, 3)
        if self._embedded:
            busy = self._last_commit - self._first_read - self._loading
            self.report.images_per_second = round(self._embedded / busy, 2)
        return self.report

    def _tell(self) -> None:
        self._on_progress(
            Progress(self.done, self.report.scanned, self._embedded, self.report.failed)
        )
