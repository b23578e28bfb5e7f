"""One writer at a time."""

from __future__ import annotations

import errno
import json
import os
import secrets
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
    from sqlalchemy import Connection, Engine, Row

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
        ...


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

    The lock belongs to a connection of its own. The server releases it with that connection, within
    a minute even where the holder's machine has lost its power. The connection may also end before
    the holder does, as when the server restarts. Then another process can get the lock, and every
    further transaction of the first one is refused, because `check` is called in each. A
    transaction that was checked before goes on, and until its end nobody else gets the lock.

    Whoever holds the lock across transactions must not connect through a pool that gives out a
    connection for one transaction only.
    """

    _KEY = 0x77726974  # "writ"; any number will do that no other program uses in this database
    _TRANSACTIONS = 0x77726975
    """The key that each transaction of a holder shares until it ends."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._token: int | None = None
        """A key of the session that holds the lock, and of no other session ever. None while the
        lock is free.
        """

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the lock."""
        from sqlalchemy.exc import DBAPIError

        with self._engine.connect() as connection:
            # Outside transactions: an open one would keep the server from tidying up.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                self._acquire(connection)
                yield
            finally:
                self._token = None
                if not connection.invalidated:
                    with suppress(DBAPIError):  # the connection was lost, and with it the locks
                        connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")

    def check(self, connection: Connection) -> None:
        """Begin a transaction of whoever holds the lock; LibraryError when the lock was lost.

        A transaction is not checked while nobody holds the lock through this object.
        """
        from sqlalchemy import text

        if self._token is None:
            return
        # One statement, because each takes a round trip. CASE has the server take the first lock
        # before it looks at the second one.
        locks = text(
            "SELECT CASE WHEN pg_advisory_xact_lock_shared(:shared) IS NOT NULL "
            "THEN pg_try_advisory_xact_lock(:mine) END"
        )
        keys = {"shared": self._TRANSACTIONS, "mine": self._token}
        if connection.execute(locks, keys).scalar():  # the session is no more
            raise LibraryError(
                f"the lock of {self._where} was lost, as when the server is restarted",
                "try again; what was stored before is kept",
                ErrorKind.UNAVAILABLE,
            )

    def is_held(self, connection: Connection) -> bool:
        """Return whether any session holds the lock."""
        return self._find_holder(connection) is not None

    def _acquire(self, connection: Connection) -> None:
        """Get the lock; LibraryError when another one has it."""
        from sqlalchemy import text

        get = text("SELECT pg_try_advisory_lock(:key)")
        if not connection.execute(get, {"key": self._KEY}).scalar():
            raise _busy(self._where, self._holder(connection))
        # Somebody who lost the lock may be in the middle of a last transaction.
        if not connection.execute(get, {"key": self._TRANSACTIONS}).scalar():
            raise _busy(self._where, "unknown process")
        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._TRANSACTIONS})
        token = secrets.randbits(62)
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": token})
        self._token = token

    def _holder(self, connection: Connection) -> str:
        """Return the session that holds the lock, as its application calls itself."""
        row = self._find_holder(connection)
        if row is None:
            return "unknown"
        name = (row[0] or "unnamed").removeprefix("sigseek, ")  # "another sigseek" says it already
        return f"{name} since {row[1]} UTC" if row[1] else name

    def _find_holder(self, connection: Connection) -> Row[str, str | None] | None:
        """Return the name of the session that holds the lock, and since when it is there; None
        where the server does not tell this to another user.
        """
        from sqlalchemy import text

        held = text(
            "SELECT application_name, to_char(backend_start, 'YYYY-MM-DD HH24:MI') FROM pg_locks "
            "JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted "
            "AND classid = 0 AND objid = :key AND pg_locks.database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return connection.execute(held, {"key": self._KEY}).first()


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
