"""One writer at a time."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from storage.errors import LibraryError


@contextmanager
def writer_lock(library: Path) -> Iterator[None]:
    """Hold the library's lock; LibraryError naming the holder when another process has it.

    The operating system releases the lock with the process, however it ends, so that none is ever stale.
    """
    holder = library / "lock.json"
    lock = FileLock(library / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LibraryError(f"{library} is being changed by {_named(holder)}; wait for it, or stop it") from error
    try:
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        holder.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": since}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _named(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text())
        return f"process {facts['pid']} on {facts['host']} since {facts['since']}"
    except (OSError, ValueError, KeyError):
        return "another process"
