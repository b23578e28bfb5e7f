"""Directories in the user's cache that are being made, and become visible when they are whole."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MAKING, STOPPED = ".making-", ".stopped-"
"""The beginnings of directories' names: of one that is being made, and of one that a stop left."""
_ABANDONED = {MAKING: 3600, STOPPED: 86_400}
"""The seconds without a change after which a directory is removed, by what its name begins with."""


@contextmanager
def directory(place: Path) -> Iterator[Path]:
    """Give a new directory in `place`, and remove it at the end. The caller moves whatever is whole
    out of it.

    Directories of processes that were killed are removed as well, and so are those of stopped
    conversions that no later one has gone on with.
    """
    for prefix, seconds in _ABANDONED.items():
        for path in place.glob(f"{prefix}*"):
            with suppress(FileNotFoundError):  # another process has removed it meanwhile
                if time.time() - path.stat().st_mtime > seconds:
                    shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=place, ignore_cleanup_errors=True) as made:
        yield Path(made)
