"""Writing files whole. Every room may import this module; it imports none of them.

A file is written under another name beside its target, flushed to the disk and then renamed. So
whoever opens the target sees the old file or the new one, never a part, whenever the program or the
machine stops.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

PART = ".part"
"""How the names of unfinished files end."""


@contextlib.contextmanager
def written_whole(target: Path, *, flush: bool = True) -> Iterator[Path]:
    """Give a path beside `target` to write a file to. The file takes the target's name at the end.

    When the block raises, the file is removed and the target stays as it is. Without `flush` it is
    many times faster, but after a power cut the file may be there with other content or none.
    """
    # Threads and processes may write the same target at once, each to its own file. The name is
    # cut, since a name may have 255 bytes at most.
    aside = target.with_name(f"{target.name[:40]}.{secrets.token_hex(6)}{PART}")
    try:
        yield aside
        if flush:
            _flush(aside)
        os.replace(aside, target)
        if flush:
            _flush_directory(target.parent)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file of this content, replacing one that is there. Raises OSError when it cannot
    be.
    """
    with written_whole(target) as aside:
        aside.write_bytes(content)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    """Make the new name survive a power cut, where the system can (Windows opens no directory)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
