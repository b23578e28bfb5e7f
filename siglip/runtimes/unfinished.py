"""Directories in the user's cache that are being made, and become visible when they are whole."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".making-"
"""What the names of unfinished directories begin with."""
_ABANDONED = 3600
"""Seconds without a change after which an unfinished directory counts as abandoned."""


@contextmanager
def directory(place: Path) -> Iterator[Path]:
    """Give a new directory in `place`, which is removed at the end. Whatever is whole by then has
    to be moved to its name.

    Directories that processes have left behind when they were killed are removed as well.
    """
    for path in place.glob(f"{PREFIX}*"):
        if time.time() - path.stat().st_mtime > _ABANDONED:
            shutil.rmtree(path, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place, ignore_cleanup_errors=True) as made:
        yield Path(made)
