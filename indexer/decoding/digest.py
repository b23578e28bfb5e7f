"""The digest of a file's content, and the times by which a changed file is recognised.

Loads neither Pillow nor numpy: a run over unchanged folders needs the times only.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sigseek.indexer.errors import TooLargeError

_LARGEST_FILE = 16_000_000_000  # bytes
_PART = 1 << 18  # bytes hashed at a time
LATEST_TIME = 2**63 - 1
"""The last moment, in ns since 1970, that fits into 64 bits."""


@dataclass(frozen=True)
class FileDigest:
    """What a file held when it was read: SHA-256 of all bytes, size in bytes and mtime."""

    digest: bytes
    size: int
    mtime_ns: int


def digest_file(path: Path, on_part: Callable[[], None] = lambda: None) -> FileDigest:
    """The digest of the file. OSError when it cannot be read, TooLargeError when it is larger than
    any photo.

    `on_part` is called whenever the disk has given another part of the file; what it raises ends
    the reading.
    """
    with path.open("rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if status.st_size > _LARGEST_FILE:
            raise TooLargeError(
                f"too large: {status.st_size / 1e9:,.0f} GB; "
                f"no photo is larger than {_LARGEST_FILE / 1e9:g} GB"
            )
        digest, part = hashlib.sha256(), bytearray(min(_PART, status.st_size + 1))
        while size := file.readinto(part):
            on_part()
            digest.update(memoryview(part)[:size])
        return FileDigest(digest.digest(), status.st_size, mtime_ns(status))


def mtime_ns(status: os.stat_result) -> int:
    """The time of the last change in ns since 1970. A time that does not fit into 64 bits becomes
    the nearest one that does.
    """
    return max(-LATEST_TIME, min(status.st_mtime_ns, LATEST_TIME))
