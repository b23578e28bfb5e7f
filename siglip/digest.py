"""SHA-256 of weight files, remembered between starts.

Hashing a gigabyte takes longer than everything else that a start does.
"""

import hashlib
import json
import logging
import re
import time
from pathlib import Path

from sigseek.files import write_whole

_WORTH_REMEMBERING = 32_000_000
"""Bytes from which on a digest is remembered. A smaller file is hashed faster than looked up."""
_SETTLED_NS = 2_000_000_000
"""Nanoseconds within which a file may change twice and show the same time.

File systems count time in steps.
"""


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of the file's contents.

    The hub's cache names its large files by their digest. The digest of any other large file is
    remembered by path, size, time of change and inode. Raises OSError for an unreadable file.
    """
    blob = path.resolve().name
    if path.is_symlink() and re.fullmatch("[0-9a-f]{64}", blob):
        return blob
    status = path.stat()
    if status.st_size < _WORTH_REMEMBERING or time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
        return _computed(path)
    place, now = str(path.resolve()), [status.st_size, status.st_mtime_ns, status.st_ino]
    remembered = _remembered()
    match remembered.get(place):
        case [size, mtime_ns, inode, str(digest)] if [size, mtime_ns, inode] == now:
            return digest
    digest = _computed(path)
    _remember(remembered | {place: [*now, digest]})
    return digest


def _computed(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file() -> Path:
    from sigseek.siglip.cache import cache_directory  # imports platformdirs, which few need

    return cache_directory() / "digests.json"


def _remembered() -> dict[str, object]:
    """Return size, mtime in ns, inode and digest by path.

    The result is empty when nothing was remembered, or the file with it is damaged.
    """
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(digests: dict[str, object]) -> None:
    """Keep the digests. If the cache cannot be written, the next start hashes again."""
    content = json.dumps(digests)  # ASCII, so a path of any bytes comes back unchanged
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_whole(_file(), content.encode())
    except OSError as error:
        logging.getLogger(__name__).info("digests of weights were not kept: %s", error)
