"""The directory of uploaded pictures, which outlives no server: not even one that was killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

_LOCK = ".lock"


class UploadDirectory:
    """A new directory in `place`, which only this user may read. `close` removes it with all that
    is in it.

    What servers that were killed have left in `place` is removed as well. A server that still runs
    is told by the lock of its directory, which the system releases however the server ends.
    """

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True, exist_ok=True)
        # A server that begins must not take another one's new directory, still unlocked, for left.
        with FileLock(place / _LOCK, fallback_to_soft=False):
            _remove_abandoned(place)
            self.path = Path(tempfile.mkdtemp(dir=place))  # readable by this user alone
            self._lock = FileLock(self.path / _LOCK, fallback_to_soft=False)
            self._lock.acquire(timeout=0)

    def new_file(self, suffix: str) -> Path:
        """Make an empty file that only this user may read, and return its path."""
        handle, path = tempfile.mkstemp(suffix, dir=self.path)
        os.close(handle)
        return Path(path)

    def close(self) -> None:
        """Remove the directory."""
        self._lock.release()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_abandoned(place: Path) -> None:
    for directory in place.iterdir():
        if not directory.is_dir():  # the lock
            continue
        lock = FileLock(directory / _LOCK, fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):  # another server uses it, or it is not ours
            continue
        lock.release()
        shutil.rmtree(directory, ignore_errors=True)
