"""The pictures below a folder. Only names, sizes and times are asked for; nothing is opened."""

import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path, PurePath
from typing import NamedTuple

from sigseek.indexer import disk
from sigseek.indexer.decoding.digest import LATEST_TIME, ctime_ns, mtime_ns
from sigseek.indexer.decoding.formats import PICTURES, RAW
from sigseek.indexer.errors import SilentDiskError
from sigseek.indexer.raw_pairs import directory_of, find_candidates
from sigseek.indexer.sidecars import EXTENSIONS as SIDECAR_EXTENSIONS
from sigseek.indexer.sidecars import DirectorySidecars, Sidecar, described
from sigseek.indexer.watched_pool import WatchedPool
from sigseek.progress import Stop

_JUNK = frozenset(
    {
        "@eadir",
        "#recycle",
        "#snapshot",
        "$recycle.bin",
        "system volume information",
        "__macosx",
        "lost+found",
    }
)
_LOOK = 0.1
"""Seconds between two looks at whether to stop."""
_SIGN = 256
"""Files whose status is asked for between two signs of life."""
_HAS_CTIME = os.name != "nt"


class FoundFile(NamedTuple):
    """A picture's path relative to the folder, its size in bytes and its times of change."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int | None = None
    """When the system noted a change; None where it has no such time."""


@dataclass
class Listing:
    """What a scan found. `unreadable` has the directories and links that could not be looked into,
    and why.
    """

    files: dict[str, tuple[int, int, int | None]] = field(default_factory=dict)
    """Size in bytes, mtime and ctime in ns, by path relative to the folder. A million `FoundFile`
    objects would keep the garbage collector busy.
    """
    unreadable: dict[str, str] = field(default_factory=dict)
    raw_pairs: dict[FoundFile, str] = field(default_factory=dict)
    """Camera RAW files that are not in `files`, each with the path of the picture that is likely to
    be of the same shot. `sigseek.indexer.raw_pairs` tells more.
    """
    raw_directories: set[str] = field(default_factory=set)
    """The directories in which RAW files were found."""
    sidecars: dict[str, str] = field(default_factory=dict)
    """What `sigseek.indexer.sidecars.described` says of the sidecars of a picture, by its path."""

    def add(self, other: "Listing") -> None:
        """Add what was found in other directories."""
        self.files.update(other.files)
        self.unreadable.update(other.unreadable)
        self.raw_directories.update(other.raw_directories)
        self.sidecars.update(other.sidecars)


def scan_folder(root: Path, inside: PurePath, stop: Stop | None = None) -> Listing:
    """All pictures below `root`/`inside`, those of a directory before those below it. Hidden and
    system directories are left out.

    Links to files are followed, links to directories are not. A directory that cannot be read is
    noted and passed over, as is one whose disk does not answer. SilentDiskError after a few of the
    latter in a row. The listing is incomplete once `stop` is set.
    """
    walk = _Walk(str(root), str(inside), stop or Stop())
    pool = WatchedPool(1, disk.PATIENCE)
    silent = 0
    try:
        while True:
            before = walk.looked_through
            walking = pool.submit(walk.go_on, pool.give_sign_of_life)
            while not walking.done() and not walk.stop.is_set():
                wait([walking], _LOOK)
            if not walking.done():  # whatever is still found comes too late
                walk.leave()
                return _without_raw(walk.listing)
            if not isinstance(walking.exception(), SilentDiskError):
                walking.result()
                return _without_raw(walk.listing)
            silent = 1 if walk.looked_through > before else silent + 1
            if silent >= disk.MOST_SILENT:
                raise SilentDiskError(f"the disk of {root} does not answer")
            walk.leave(f"the directory cannot be read: no answer for {disk.PATIENCE:g} s")
    finally:
        pool.close()


def _without_raw(listing: Listing) -> Listing:
    """The listing with the RAW files that have a picture beside them taken out of `files`."""
    if listing.raw_directories:
        for path, picture in find_candidates(listing.files, listing.raw_directories).items():
            raw = FoundFile(path, *listing.files.pop(path))
            listing.raw_pairs[raw] = picture
            if path in listing.sidecars and directory_of(path) == directory_of(picture):
                listing.sidecars.setdefault(picture, listing.sidecars[path])
    return listing


class _Walk:
    """A walk through directories. When the disk of one does not answer, the thread that waits for
    it is left there and another goes on.
    """

    def __init__(self, root: str, inside: str, stop: Stop) -> None:
        self.stop = stop
        self.listing = Listing()
        self.looked_through = 0
        """How many directories were looked through."""
        self._root = root
        self._waiting = [inside]
        self._lock = threading.Lock()
        self._now: str | None = None
        """The directory that is being looked through."""
        self._left = 0
        """How many threads were left behind."""

    def go_on(self, give_sign_of_life: Callable[[], None]) -> None:
        """Look through the directories that are left."""
        left = self._left
        while not self.stop.is_set():
            with self._lock:
                if not self._waiting or self._left != left:
                    return
                self._now = directory = self._waiting.pop()
            found = Listing()
            below: list[str] = []
            # Paths are put together as text: pathlib would take longer than the file system.
            try:
                with _entries(f"{self._root}{os.sep}{directory}") as entries:
                    prefix = "" if directory == "." else directory + os.sep
                    below = _look_through(entries, prefix, found, give_sign_of_life)
            except OSError as error:
                found.unreadable[directory] = f"the directory cannot be read: {error.strerror}"
            with self._lock:
                if self._left != left:  # another thread has gone on meanwhile
                    return
                self._now = None
                self.listing.add(found)
                self._waiting += reversed(below)
                self.looked_through += 1
            give_sign_of_life()

    def leave(self, reason: str | None = None) -> None:
        """Leave the directory that is being looked through, with its thread. Note the reason if
        there is one.
        """
        with self._lock:
            self._left += 1
            if self._now is not None and reason:
                self.listing.unreadable[self._now] = reason
            self._now = None


def is_junk(name: str) -> bool:
    """Whether a file or directory of this name is hidden or some system's own."""
    return name.startswith(".") or name.lower() in _JUNK


@contextmanager
def _entries(directory: str) -> Iterator[list[os.DirEntry[str]]]:
    """The directory's entries by name, to be asked for their status inside the context.

    Where the system can, they are asked through the open directory: the kernel then need not walk
    the whole path for every file, which saves a sixth of the time.
    """
    if os.scandir not in os.supports_fd:
        with os.scandir(directory) as found:
            yield sorted(found, key=attrgetter("name"))
        return
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(descriptor) as found:
            yield sorted(found, key=attrgetter("name"))
    finally:
        os.close(descriptor)


def _look_through(
    entries: list[os.DirEntry[str]],
    prefix: str,
    listing: Listing,
    give_sign_of_life: Callable[[], None],
) -> list[str]:
    """List a directory's pictures, whose paths begin with `prefix`. Return the paths of the
    directories below it.
    """
    below = []
    beside = []
    for number, entry in enumerate(entries):
        if not number % _SIGN:
            give_sign_of_life()
        name = entry.name
        if entry.is_dir(follow_symlinks=False):
            if not is_junk(name):
                below.append(prefix + name)
        elif (extension := name[name.rfind(".") :].lower()) in PICTURES and name[0] != ".":
            if extension in RAW:
                listing.raw_directories.add(prefix[:-1])
            try:
                status = entry.stat()
            except OSError as error:
                listing.unreadable[prefix + name] = f"cannot be looked at: {error.strerror}"
                continue
            if stat.S_ISREG(status.st_mode):  # reading a pipe or a device might never end
                # A call for each of a million files would be felt.
                changed: int = status.st_mtime_ns
                noted: int | None = status.st_ctime_ns
                if not (_HAS_CTIME and -LATEST_TIME < changed < LATEST_TIME):
                    changed, noted = mtime_ns(status), ctime_ns(status)
                listing.files[prefix + name] = (status.st_size, changed, noted)
        elif extension in SIDECAR_EXTENSIONS and name[0] != ".":
            beside.append(entry)
    if beside:
        found = _sidecars(beside, give_sign_of_life)
        _note_sidecars(found, [entry.name for entry in entries], prefix, listing)
    return below


def _sidecars(
    beside: list[os.DirEntry[str]], give_sign_of_life: Callable[[], None]
) -> list[Sidecar]:
    """The files among these entries, those that can be looked at."""
    found = []
    for number, entry in enumerate(beside):
        if not number % _SIGN:
            give_sign_of_life()
        try:
            status = entry.stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append(Sidecar(entry.name, status.st_size, mtime_ns(status)))
    return found


def _note_sidecars(found: list[Sidecar], names: list[str], prefix: str, listing: Listing) -> None:
    """Note which of the sidecars belong to which of a directory's pictures."""
    directory = DirectorySidecars(found)
    for name in names:
        if prefix + name in listing.files:
            sidecars = described(directory.of(name))
            if sidecars:
                listing.sidecars[prefix + name] = sidecars
