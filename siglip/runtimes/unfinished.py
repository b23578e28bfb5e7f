"""Directories in the user's cache that are being made, and become visible when they are whole."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAKING, STOPPED = ".making-", ".stopped-"
"""What the names of directories begin with that are being made, or that a stop has left."""
_ABANDONED = {MAKING: 3600, STOPPED: 86_400}
"""Seconds without a change after which such a directory is removed."""


@contextmanager
def directory(place: Path) -> Iterator[Path]:
    """Give a new directory in `place`, which is removed at the end. Whatever is whole by then has
    to be moved to its name.

    Those that killed processes left, and those that nobody has gone on with, are removed as well.
    """
    for prefix, seconds in _ABANDONED.items():
        for path in place.glob(f"{prefix}*"):
            if time.time() - path.stat().st_mtime > seconds:
                shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=MAKING, dir=place, ignore_cleanup_errors=True) as made:
        yield Path(made)
