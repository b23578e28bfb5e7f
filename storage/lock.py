"""One writer at a time."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.storage.errors import LibraryError
from sigseek.storage.file_system import network_type

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""The system's errors where it cannot lock a file."""


class WriterLock(Protocol):
    """What lets one process at a time change a library. Readers never need it."""

    def hold(self) -> AbstractContextManager[None]:
        """Hold the lock in a `with` statement; never wait for it.

        Raises LibraryError that names the holder when another one has it, in this process or in
        another. However the holder ends, the lock is free afterwards. An instance may be used
        again.
        """


class LibraryLock:
    """The lock of a library in a directory: a file that the operating system locks.

    The system releases the lock with the process, however it ends. Raises LibraryError also where
    the directory or the file system allows no lock.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock."""
        holder = self._directory / "lock.json"
        from filelock import FileLock, Timeout  # readers need none of it

        # filelock's other kind of lock, a mere file, would outlive a process that is killed.
        lock = FileLock(self._directory / "lock", fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise _busy(str(self._directory), _holder(holder)) from error
        except OSError as error:
            raise self._unlockable(error) from error
        try:
            since = datetime.now().astimezone().isoformat(timespec="seconds")
            facts = {"host": socket.gethostname(), "pid": os.getpid(), "since": since}
            with suppress(OSError):  # on a full disk others are told less
                holder.write_text(json.dumps(facts))
            yield
        finally:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
            lock.release()

    def _unlockable(self, error: OSError) -> LibraryError:
        if error.errno in _NO_LOCKS:
            return LibraryError(
                f"{self._directory} is on a file system that cannot lock files ({error.strerror})",
                Remedy(
                    "move it to another file system, or choose another library with {}",
                    (Option("directory"),),
                ),
                ErrorKind.UNSUPPORTED,
            )
        return LibraryError(
            f"the library {self._directory} is read-only ({error.strerror})",
            "check its permissions",
            ErrorKind.UNAVAILABLE,
        )


def writer_lock(directory: Path) -> AbstractContextManager[None]:
    """Hold the lock of the library in the directory, in a `with` statement; see `LibraryLock`, and
    `NetworkLock` for a file system of another machine.
    """
    if network_type(directory):
        from sigseek.storage.network_lock import NetworkLock  # few libraries need it

        return NetworkLock(directory).hold()
    return LibraryLock(directory).hold()


class AdvisoryLock:
    """The lock of a library in a PostgreSQL database: an advisory lock of that database's session.

    The lock belongs to a connection of its own, not to those that write. The server releases it
    with that connection, within a minute even where the holder's machine has lost its power. If the
    connection ends before the holder does, as when the server restarts, another process can get the
    lock while the first one goes on writing. The catalog stays sound: the tables' own locks and
    constraints order the changes, and the worst is that two processes embed the same photos.

    Whoever holds the lock across transactions must not connect through a pool that gives out a
    connection for one transaction only.
    """

    _KEY = 0x77726974  # "writ"; any number will do that no other program uses in this database

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock."""
        from sqlalchemy import text

        key = {"key": self._KEY}
        with self._engine.connect() as connection:
            # Outside transactions: an open one would keep the server from tidying up.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            if not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar():
                raise _busy(self._where, self._holder(connection))
            try:
                yield
            finally:
                if not connection.invalidated:
                    connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)

    def _holder(self, connection: Connection) -> str:
        """Return the session that holds the lock, as its application calls itself."""
        from sqlalchemy import text

        held = text(
            "SELECT application_name, to_char(backend_start, 'YYYY-MM-DD HH24:MI') FROM pg_locks "
            "JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted "
            "AND classid = 0 AND objid = :key AND pg_locks.database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        row = connection.execute(held, {"key": self._KEY}).first()
        return f"{row[0] or 'unnamed'} since {row[1]} UTC" if row else "unknown"


def _busy(where: str, holder: str) -> LibraryError:
    return LibraryError(
        f"another sigseek ({holder}) is updating {where}",
        "wait until it has finished",
        ErrorKind.BUSY,
    )


def _holder(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text())
        return f"process {facts['pid']} on {facts['host']} since {facts['since']}"
    except (OSError, ValueError, KeyError, TypeError):  # another program may have written it
        return "unknown process"
