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

from sigseek.files import PART, write_whole, written_whole

THUMBNAIL_SIZES = (320, 1280)
"""The longer sides of the thumbnails that are kept, in pixels."""
DEFAULT_MAX_BYTES = 4_000_000_000
"""Room for small thumbnails of 250,000 photos."""

_FORM = "1"
"""The name of the directory inside, which another version of the files' form would change."""
_BOUND = "max-bytes"
"""The name of the file that says how many bytes the thumbnails may take, in decimal digits."""
_CHECKSUM = 4
_STEPS = 20
"""The store is swept when a twentieth of its bound was written. A twentieth is free afterwards."""
_SAMPLED = 16
"""The directories whose files are counted at least, of 256."""
_MANY = 500
"""The files of a directory from which counting a part of the directories is enough."""
_ABANDONED = 3600.0
"""Seconds after which an unfinished file belongs to a process that ended."""


class ThumbnailStore:
    """The thumbnails in a directory, which take at most about `max_bytes`. The least recently used
    ones make room for others. The bound is kept in the directory too, where `limit` puts it, so
    that all processes have the same.

    Many threads and several processes may use one directory. They share no counter. Each process
    sweeps whenever it has written a twentieth of `max_bytes`, and the first time at a random moment
    before. So many processes that each write little still sweep as often as one that writes much.
    """

    def __init__(self, directory: Path, max_bytes: int | None = None) -> None:
        """`max_bytes` is for this process alone; None stands for the bound in the directory."""
        self.directory = directory
        self._own_bound = max_bytes
        self._files = directory / _FORM
        self._until_sweep = random.randint(0, _step(self.max_bytes))
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
        written, most = len(data) + _CHECKSUM, self.max_bytes
        if not data or written > _step(most):
            return False
        if self._is_time_to_sweep(written, _step(most)) and self._sweeping.acquire(blocking=False):
            try:
                self._sweep(most)
            finally:
                self._sweeping.release()
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Flushing takes longer than making the thumbnail; what a power cut spoils, the checksum
            # tells.
            with written_whole(file, flush=False) as aside:
                aside.write_bytes(data + _checksum(data))
        except OSError:
            return False
        return True

    @property
    def max_bytes(self) -> int:
        """Return how many bytes the thumbnails may take."""
        if self._own_bound is not None:
            return self._own_bound
        try:
            return int((self.directory / _BOUND).read_text("ascii"))
        except (OSError, ValueError):
            return DEFAULT_MAX_BYTES

    def limit(self, max_bytes: int) -> None:
        """Keep at most so many bytes from now on, here and in other processes, and remove at once
        what is too much. 0 keeps no thumbnails. Raises OSError when the bound cannot be written.
        """
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self.directory / _BOUND, str(max_bytes).encode("ascii"))
        self._own_bound = None
        with self._sweeping:
            self._sweep(max_bytes)

    def size_on_disk(self) -> int:
        """Return how many bytes the thumbnails take; of many it is an estimate, good to 2 %."""
        directories = sorted(entry.path for entry in _entries(self._files))
        taken = files = 0
        for number, directory in enumerate(directories, 1):
            for _, status in _files_in(directory):
                taken += status.st_size
                files += 1
            # Digests are random, so every directory holds about as much as any other.
            if number >= _SAMPLED and files >= number * _MANY:
                return taken * len(directories) // number
        return taken

    def _file(self, digest: bytes, size: int) -> Path:
        if size not in THUMBNAIL_SIZES:
            raise ValueError(f"no thumbnails of {size} pixels are kept")
        name = digest.hex()
        return self._files / name[:2] / f"{name}-{size}.jpg"

    def _is_time_to_sweep(self, written: int, step: int) -> bool:
        with self._counting:
            self._until_sweep -= written
            if self._until_sweep >= 0:
                return False
            self._until_sweep = step - written
            return True

    def _sweep(self, most: int) -> None:
        """Remove the thumbnails that were used the longest ago, until a twentieth of the bound is
        free.
        """
        newest = self._newest_to_go(most - _step(most))
        if newest is None:
            return
        for path, status in self._all_files():
            if status.st_mtime_ns <= newest:  # it may have been used since
                with suppress(OSError):
                    Path(path).unlink()

    def _newest_to_go(self, most: int) -> int | None:
        """Return the time of use, in nanoseconds, up to which thumbnails have to go so that no more
        than `most` bytes are left; None when all may stay. Abandoned files are removed.
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
        excess = sum(sizes) - most
        newest = None
        for number in sorted(range(len(times)), key=times.__getitem__) if excess > 0 else ():
            if excess <= 0:
                break
            excess -= sizes[number]
            newest = times[number]
        return newest

    def _all_files(self) -> Iterator[tuple[str, os.stat_result]]:
        for directory in _entries(self._files):
            yield from _files_in(directory.path)


def _step(most: int) -> int:
    return max(1, most // _STEPS)


def _files_in(directory: str) -> Iterator[tuple[str, os.stat_result]]:
    for entry in _entries(directory):
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
