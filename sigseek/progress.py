"""How work that takes long tells how far it is, and how it is stopped.

Every room may import this module; it imports none of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from sigseek.errors import Remedy, StoppedError


class Phase(StrEnum):
    """What a run is doing."""

    SCANNING = "scanning"
    """Folders are being listed and compared with the catalog."""
    PREPARING = "preparing the model"
    """The checkpoint is downloaded, converted or loaded."""
    EMBEDDING = "embedding"
    """Files are being hashed, decoded and embedded."""
    EMBEDDING_TEXTS = "embedding texts"
    """Texts are being embedded, such as captions or labels."""
    READING = "reading metadata"
    """The metadata of photos that are known already is read again."""
    HASHING = "looking at known photos"
    """Photos of an earlier version's library are decoded once more, for their perceptual hashes."""
    MEASURING = "measuring"
    """The reference texts that hits are judged by are embedded; once per checkpoint."""
    INDEXING = "indexing"
    """The vector index is brought up to date."""
    TAGGING = "tagging"
    """The photos that match each label are looked for."""
    COMPARING = "comparing photos"
    """Photos are compared with each other to find duplicates."""
    COPYING = "copying"
    """The rows of a library are copied into another one."""
    CHECKING_EMBEDDINGS = "checking embeddings"
    """The catalog's embeddings and the index are checked."""
    CHECKING_FILES = "checking files"
    """The photo files are compared with the catalog."""


@dataclass(frozen=True)
class Progress:
    """A moment of a run."""

    phase: Phase
    done: int = 0
    """How many of `total` are done: files while embedding, texts while measuring."""
    total: int | None = None
    """The number of items; None where nobody knows yet."""
    embedded: int = 0
    """Photos embedded so far in this run."""
    failed: int = 0
    """Files that could not be used, those of earlier runs included."""
    rate: float | None = None
    """Items of this phase per second; None before there is enough to tell."""
    seconds_left: float | None = None
    """The seconds until this phase ends at this rate."""


@dataclass(frozen=True)
class Problem:
    """Something that went wrong with one file or directory, while the run goes on."""

    path: str
    """The absolute path."""
    reason: str


@runtime_checkable
class Listener(Protocol):
    """Whoever wants to be told how a run goes.

    The thread that runs the work calls the methods, often; they should return soon.
    """

    def advanced(self, progress: Progress) -> None:
        """Hear that the run has come this far. The first call of each phase comes when the phase
        begins.
        """

    def said(self, line: str | Remedy) -> None:
        """Hear a line for people, about something that takes long, such as a download and its size.

        A Remedy names calls, which whoever shows the line may spell; `str` spells them as Python.
        """

    def met(self, problem: Problem) -> None:
        """Hear that a file or directory could not be used."""


class Silence:
    """A listener that ignores everything."""

    def advanced(self, progress: Progress) -> None:
        """Ignore it."""

    def said(self, line: str | Remedy) -> None:
        """Ignore it."""

    def met(self, problem: Problem) -> None:
        """Ignore it."""


LOOK = 0.05
"""Seconds between two looks at whether to stop, while waiting."""


class Lock(Protocol):
    """What only some threads may hold at a time, such as a lock or a semaphore of `threading`."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it, and return whether it could be taken in time."""
        ...

    def release(self) -> None:
        """Let another thread take it."""


class Stop:
    """A request to stop. Any thread or signal handler may set it; the work looks at it often.

    What was finished before is kept.

    There is no lock in it, as in threading.Event: the code that a signal interrupts may hold that
    lock, and the handler would wait for it forever.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Ask the work to stop soon. Asking twice is the same as asking once."""
        self._asked = True

    def is_set(self) -> bool:
        """Return whether somebody has asked."""
        return self._asked

    def check(self) -> None:
        """Raise StoppedError if somebody has asked."""
        if self._asked:
            raise StoppedError

    def wait(self, seconds: float) -> bool:
        """Wait until somebody asks, at most this long, and return whether somebody has."""
        until = time.monotonic() + seconds
        while not self._asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, LOOK))
        return self._asked

    @contextmanager
    def holding(self, lock: Lock) -> Iterator[None]:
        """Hold a lock. Raises StoppedError when somebody asks while another thread still has it."""
        while not lock.acquire(timeout=LOOK):
            self.check()
        try:
            yield
        finally:
            lock.release()
