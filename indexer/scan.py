"""The pictures below a folder. Only names, sizes and times are asked for; no picture is opened."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import wait
from contextlib import contextmanager
from itertools import chain
from operator import attrgetter
from pathlib import Path, PurePath

from sigseek import disk
from sigseek.indexer.directory import DirectoryLook
from sigseek.indexer.errors import SilentDiskError
from sigseek.indexer.exclusion import IGNORE_FILE, NO_MEDIA, Rules
from sigseek.indexer.listing import FoundFile, Listing
from sigseek.indexer.raw_pairs import directory_of, find_candidates
from sigseek.indexer.sidecars import Sidecar, described, with_raw
from sigseek.indexer.watched_pool import WatchedPool
from sigseek.paths import is_utf8
from sigseek.progress import Stop

_LOOK = 0.1
"""Seconds between two looks at whether to stop."""
_PART = 20_000
"""The files that make a part of a scan. They take a few megabytes, and starting a thread's work for
them costs nothing that could be measured.
"""


def scan_folder(
    root: Path, inside: PurePath, stop: Stop | None = None, patterns: Sequence[str] = ()
) -> Listing:
    """Return all that `scan_parts` finds, in one listing."""
    listing = Listing()
    for part in scan_parts(root, inside, stop, patterns):
        listing.add(part)
    return listing


def scan_parts(
    root: Path, inside: PurePath, stop: Stop | None = None, patterns: Sequence[str] = ()
) -> Iterator[Listing]:
    """Yield all pictures below `root`/`inside`, some thousand at a time, in the memory of so many.
    Hidden and system directories are left out, and what `sigseek.indexer.exclusion` tells;
    `patterns` are those that the user gave for `root`.

    The pictures of a directory come before those below it, and directories in the order of their
    paths. Links to files are followed, links to directories are not. A directory that cannot be
    read is noted and passed over, as is one whose disk does not answer. Raises SilentDiskError
    after a few of the latter in a row. The scan is incomplete once `stop` is set.
    """
    walk = _Walk(str(root), str(inside), Rules.of_folder(patterns), stop or Stop())
    pool = WatchedPool(1, disk.PATIENCE)
    silent = 0
    try:
        while True:
            before = walk.looked_through
            # Only one thread works at a time: each would wait for Python's lock at every file.
            walking = pool.submit(walk.go_on, pool.give_sign_of_life)
            while not walking.done() and not walk.stop.is_set():
                wait([walking], _LOOK)
            if not walking.done():  # whatever is still found comes too late
                walk.leave()
                yield walk.take_part()
                return
            if not isinstance(walking.exception(), SilentDiskError):
                walking.result()
                yield walk.take_part()
                if walk.ended or walk.stop.is_set():
                    return
                silent = 0
                continue
            silent = 1 if walk.looked_through > before else silent + 1
            if silent >= disk.MOST_SILENT:
                raise SilentDiskError(f"the disk of {root} does not answer")
            walk.leave(f"the directory cannot be read: no answer for {disk.PATIENCE:g} s")
    finally:
        pool.close()


class _Walk:
    """A walk through directories. When the disk of one does not answer, the thread that waits for
    it is left there and another goes on.
    """

    def __init__(self, root: str, inside: str, rules: Rules, stop: Stop) -> None:
        self.stop = stop
        self.looked_through = 0
        """How many directories were looked through."""
        self._root = root
        self._inside = inside
        self._waiting = [(".", rules)]
        """The directories to look through, the next one last."""
        self._part = Listing()
        self._above: list[tuple[str, Listing]] = []
        """What was found in the directories on the way to the last one."""
        self._lock = threading.Lock()
        self._now: str | None = None
        """The directory that is being looked through."""
        self._left = 0
        """How many threads were left behind."""

    def go_on(self, give_sign_of_life: Callable[[], None]) -> None:
        """Look through the directories that are left, until enough was found for a part."""
        left = self._left
        while not self.stop.is_set():
            with self._lock:
                if not self._waiting or self._left != left or self._part.size >= _PART:
                    return
                directory, rules = self._waiting.pop()
                self._now = directory
            found = Listing()
            below: list[tuple[str, Rules]] = []
            if _is_above(directory, self._inside):
                below = self._next_on_the_way(directory, rules, found)
            else:
                try:
                    with _entries(f"{self._root}{os.sep}{directory}") as entries:
                        look = DirectoryLook(self._root, directory, rules, found)
                        below = look.through(entries, give_sign_of_life)
                except OSError as error:
                    found.unreadable[directory] = f"the directory cannot be read: {error.strerror}"
            with self._lock:
                if self._left != left:  # another thread has gone on meanwhile
                    return
                self._now = None
                self._take_out_raw(directory, found)
                self._part.add(found)
                # Files of "a" come after those of "a-b" in the order of paths.
                below.sort(key=lambda one: one[0] + os.sep, reverse=True)
                self._waiting += below
                self.looked_through += 1
            give_sign_of_life()

    @property
    def ended(self) -> bool:
        """Whether all directories were looked through."""
        return not self._waiting

    def take_part(self) -> Listing:
        """Return what was found since the last call."""
        with self._lock:
            part, self._part = self._part, Listing()
            following = (f"{path}{os.sep}" for path, _ in reversed(self._waiting) if is_utf8(path))
            part.complete_before = next(following, "") if self._waiting else None
            part.later_directories = [path for path, _ in self._waiting if not is_utf8(path)]
        return part

    def _take_out_raw(self, directory: str, found: Listing) -> None:
        """Take the RAW files that have a picture beside them, or in the directory above, out of the
        files that were found in the directory.
        """
        while self._above and not _is_above(self._above[-1][0], directory):
            self._above.pop()
        if found.raw_directories:
            above = self._above[-1][1].files if self._above else ()
            pairs = find_candidates(chain(above, found.files), found.raw_directories)
            for path, picture in pairs.items():
                raw = FoundFile(path, *found.files.pop(path))
                found.raw_pairs[raw] = picture
                if path in found.sidecars:
                    self._share_sidecars(raw, picture, found)
        self._above.append((directory, found))

    def _share_sidecars(self, raw: FoundFile, picture: str, found: Listing) -> None:
        """Note the sidecars of a RAW file in the directory that was found as the picture's, too."""
        directory = directory_of(raw.path)
        itself = described([Sidecar(PurePath(raw.path).name, *raw[1:])])
        beside = with_raw(found.sidecars[raw.path], itself)
        if directory == directory_of(picture):
            shared = with_raw(found.sidecars.get(picture), beside)
            found.sidecars[picture] = shared or ""
            return
        # The picture itself may have been handed on by now.
        above = self._above[-1][1]
        own = above.sidecars.get(picture)
        if picture not in above.raw_sidecars:  # of several RAW files below, the first counts
            shared = with_raw(own, beside, PurePath(directory).name) or ""
            above.raw_sidecars[picture] = found.raw_sidecars[picture] = shared

    def _next_on_the_way(
        self, directory: str, rules: Rules, found: Listing
    ) -> list[tuple[str, Rules]]:
        """Return the directory below this one on the way to where the walk begins, with its
        rules.
        """
        look = DirectoryLook(self._root, directory, rules, found)
        names = {name for name in (NO_MEDIA, IGNORE_FILE) if os.path.lexists(look.place(name))}
        below = look.rules_below(names)
        if below is None:
            return []
        depth = 0 if directory == "." else len(PurePath(directory).parts)
        path = str(PurePath(*PurePath(self._inside).parts[: depth + 1]))
        return [(path, below)] if look.takes(path, below, directory=True) else []

    def leave(self, reason: str | None = None) -> None:
        """Leave the directory that is being looked through, with its thread. Note the reason if
        there is one.
        """
        with self._lock:
            self._left += 1
            if self._now is not None and reason:
                self._part.unreadable[self._now] = reason
            self._now = None


@contextmanager
def _entries(directory: str) -> Iterator[list[os.DirEntry[str]]]:
    """Give the directory's entries by name, to be asked for their status inside the context.

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


def _is_above(directory: str, inside: str) -> bool:
    """Return whether a directory of the folder is above the directory `inside` of it."""
    return directory != inside and (directory == "." or inside.startswith(directory + os.sep))
