"""One writer at a time."""

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from sigseek.storage.errors import LibraryError

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What the system says where it cannot lock a file."""


@contextmanager
def writer_lock(library: Path) -> Iterator[None]:
    """Hold the library's lock; LibraryError naming the holder when another process has it, or
    saying why none can be had.

    The operating system releases the lock with the process, however it ends, so that none is ever
    stale.
    """
    holder = library / "lock.json"
    lock = FileLock(
        library / "lock", fallback_to_soft=False
    )  # the other kind outlives a process that is killed
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LibraryError(
            f"{library} is being changed by {_named(holder)}; wait for it, or stop it"
        ) from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            said = f"{library} is on a file system that locks no files ({error.strerror})"
            raise LibraryError(
                f"{said}; move it to another, or name another library with --library"
            ) from error
        said = f"{library} cannot be changed, for its lock cannot be had ({error.strerror})"
        raise LibraryError(f"{said}; check its permissions") from error
    try:
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        with suppress(OSError):  # a full disk: others are told less
            holder.write_text(
                json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since})
            )
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def _named(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text())
        return f"process {facts['pid']} on {facts['host']} since {facts['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
