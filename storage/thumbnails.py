"""Small pictures of photos, kept in a directory of bounded size.

A thumbnail is kept by the digest of its picture, so it is never out of date. Everything here may be
deleted at any time, by whomever: a thumbnail is made again when it is asked for. So no error of the
disk is raised; a thumbnail that cannot be read is none, and one that cannot be written is not kept.
"""

import os
import random
import threading
import time
import zlib
from array import array
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sigseek.files import PART, written_whole

THUMBNAIL_SIZES = (320, 1280)
"""The longer sides of the thumbnails that are kept, in pixels."""
DEFAULT_MAX_BYTES = 4_000_000_000
"""Room for small thumbnails of 250,000 photos."""

_FORM = "1"
"""The name of the directory inside, which another version of the files' form would change."""
_CHECKSUM = 4
_STEPS = 20
"""The store is swept when a twentieth of its bound was written. A twentieth is free afterwards."""
_ABANDONED = 3600.0
"""Seconds after which an unfinished file belongs to a process that ended."""


class ThumbnailStore:
    """The thumbnails in a directory, which take at most about `max_bytes`. The least recently used
    ones make room for others.

    Many threads and several processes may use one directory. They share no counter. Each process
    sweeps whenever it has written a twentieth of `max_bytes`, and the first time at a random moment
    before. So many processes that each write little still sweep as often as one that writes much.
    """

    def __init__(self, directory: Path, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self._files = directory / _FORM
        self._step = max(1, max_bytes // _STEPS)
        self._until_sweep = random.randint(0, self._step)
        self._counting = threading.Lock()
        self._sweeping = threading.Lock()

    def read(self, digest: bytes, size: int) -> bytes | None:
        """Return the thumbnail of the picture with this digest, or None when none is kept.

        A file that was cut, emptied or changed is removed and counts as none.
        """
        file = self._file(digest, size)
        try:
            kept = file.read_bytes()
        except OSError:
            return None
        data = kept[:-_CHECKSUM]
        if not data or kept[-_CHECKSUM:] != _checksum(data):
            with suppress(OSError):
                file.unlink()
            return None
        with suppress(OSError):
            os.utime(file)  # the oldest are swept first
        return data

    def holds(self, digest: bytes, size: int) -> bool:
        """Return whether there is a file of the thumbnail, without reading it."""
        return os.path.exists(self._file(digest, size))

    def write(self, digest: bytes, size: int, data: bytes) -> bool:
        """Keep a thumbnail, and return whether it could be kept."""
        file = self._file(digest, size)
        written = len(data) + _CHECKSUM
        if not data or written > self._step:
            return False
        if self._is_time_to_sweep(written):
            self._sweep()
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Flushing takes longer than making the thumbnail; what a power cut spoils, the checksum
            # tells.
            with written_whole(file, flush=False) as aside:
                aside.write_bytes(data + _checksum(data))
        except OSError:
            return False
        return True

    def size_on_disk(self) -> int:
        """Return how many bytes the thumbnails take. Every file is looked at."""
        return sum(status.st_size for _, status in self._all_files())

    def _file(self, digest: bytes, size: int) -> Path:
        if size not in THUMBNAIL_SIZES:
            raise ValueError(f"no thumbnails of {size} pixels are kept")
        name = digest.hex()
        return self._files / name[:2] / f"{name}-{size}.jpg"

    def _is_time_to_sweep(self, written: int) -> bool:
        with self._counting:
            self._until_sweep -= written
            if self._until_sweep >= 0:
                return False
            self._until_sweep = self._step - written
            return True

    def _sweep(self) -> None:
        """Remove the thumbnails that were used the longest ago, until a twentieth is free."""
        if not self._sweeping.acquire(blocking=False):
            return
        try:
            newest_to_go = self._newest_to_go()
            if newest_to_go is None:
                return
            for path, status in self._all_files():
                if status.st_mtime_ns <= newest_to_go:  # it may have been used since
                    with suppress(OSError):
                        Path(path).unlink()
        finally:
            self._sweeping.release()

    def _newest_to_go(self) -> int | None:
        """Return the time of use, in nanoseconds, up to which thumbnails have to go; None when all
        may stay. Abandoned files are removed.
        """
        times, sizes = array("q"), array("q")  # there may be a million
        abandoned = time.time() - _ABANDONED
        for path, status in self._all_files():
            if path.endswith(PART) and status.st_mtime < abandoned:
                with suppress(OSError):
                    Path(path).unlink()
                continue
            times.append(status.st_mtime_ns)
            sizes.append(status.st_size)
        excess = sum(sizes) - (self.max_bytes - self._step)
        newest = None
        for number in sorted(range(len(times)), key=times.__getitem__) if excess > 0 else ():
            if excess <= 0:
                break
            excess -= sizes[number]
            newest = times[number]
        return newest

    def _all_files(self) -> Iterator[tuple[str, os.stat_result]]:
        for directory in _entries(self._files):
            for entry in _entries(directory.path):
                with suppress(OSError):  # another process may have removed it
                    yield entry.path, entry.stat(follow_symlinks=False)


def _entries(directory: str | Path) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(directory) as entries:
            yield from entries
    except OSError:
        return


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM, "big")
