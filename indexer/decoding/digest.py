"""What a file held when it was read, and the times by which a changed file is recognised.

Loads neither Pillow nor numpy: a run over unchanged folders needs the times only.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path

from sigseek.indexer.decoding.identity.picture import picture_digest
from sigseek.indexer.errors import TooLargeError

_LARGEST_FILE = 16_000_000_000  # bytes
_PART = 1 << 18  # bytes hashed at a time
_KEPT = 32_000_000
"""Bytes of a file up to which it is held in memory while it is read. Of a larger one the picture
is read again, from the system's cache as a rule.
"""
LATEST_TIME = 2**63 - 1
"""The last moment, in ns since 1970, that fits into 64 bits."""


@dataclass(frozen=True)
class FileDigest:
    """What a file held when it was read."""

    digest: bytes
    """SHA-256 of all bytes."""
    picture: bytes
    """The digest of what decides the pixels: `sigseek.indexer.decoding.identity` tells more."""
    size: int
    mtime_ns: int
    ctime_ns: int | None
    earlier: bytes | None = None
    """The digest by which the library knows the picture, if an earlier version made another one."""

    @property
    def known_as(self) -> bytes:
        """The digest by which an earlier version knows the picture: the one that it made of the
        picture, or else that of all bytes.
        """
        return self.earlier or self.digest


def digest_file(path: Path, on_part: Callable[[], None] = lambda: None) -> FileDigest:
    """Return the digests of the file, from one reading. Raises OSError when it cannot be read,
    TooLargeError when it is larger than any photo.

    `on_part` is called whenever the disk has given another part of the file; what it raises ends
    the reading.
    """
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        kept = BytesIO() if status.st_size <= _KEPT else None
        digest, size = hashlib.sha256(), 0
        for part in _parts(file, status.st_size, on_part):
            digest.update(part)
            size += len(part)
            if kept:
                kept.write(part)
        all_bytes = digest.digest()
        picture = picture_digest(kept or file, size, all_bytes, on_part)
        return FileDigest(all_bytes, picture, status.st_size, mtime_ns(status), ctime_ns(status))


def digest_of_all_bytes(path: Path) -> bytes:
    """Return the SHA-256 of the file's bytes. It raises as `digest_file` does."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        for part in _parts(file, os.fstat(file.fileno()).st_size, lambda: None):
            digest.update(part)
        return digest.digest()


def mtime_ns(status: os.stat_result) -> int:
    """Return the time of the last change in ns since 1970. A time that does not fit into 64 bits
    becomes the nearest one that does.
    """
    return max(-LATEST_TIME, min(status.st_mtime_ns, LATEST_TIME))


def ctime_ns(status: os.stat_result) -> int | None:
    """Return when the file or what the system notes about it was last changed, in ns since 1970.

    No program can set this time, so it tells of changes that keep size and mtime. It is
    None on Windows, where the field has another meaning.
    """
    if os.name == "nt":
        return None
    return max(-LATEST_TIME, min(status.st_ctime_ns, LATEST_TIME))


def _parts(file: BufferedReader, size: int, on_part: Callable[[], None]) -> Iterator[memoryview]:
    """Yield the file's bytes in parts, each good until the next one is asked for."""
    if size > _LARGEST_FILE:
        raise TooLargeError(
            f"too large: {size / 1e9:,.0f} GB; no photo is larger than {_LARGEST_FILE / 1e9:g} GB"
        )
    part = bytearray(min(_PART, size + 1))
    while count := file.readinto1(part):
        on_part()
        yield memoryview(part)[:count]
