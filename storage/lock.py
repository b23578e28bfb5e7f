"""One writer at a time."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.storage.errors import LibraryError
from sigseek.storage.file_system import network_type

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row

    from sigseek.progress import Listener, Stop

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""The system's errors where it cannot lock a file."""


_MOST_FOLDERS = 100
"""The most folders that are locked one by one. A server has room for some thousand locks."""
_LOOK = 0.2
"""Seconds between two looks at whether another one's turn is over."""


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
    """The lock of a library in a PostgreSQL database: advisory locks of one session of it.

    Whoever changes the whole library has the library's key alone. Whoever changes some folders
    shares it, has the key of each of these folders alone, and shares those of all directories
    above. So two change the library at the same time where neither has a folder that is the other's
    or is inside of it. Some changes are about the whole library all the same: for these, holders
    take turns.

    The keys belong to a connection of its own. The server releases them with that connection,
    within a minute even where the holder's machine has lost its power. The connection may also end
    before the holder does, as when the server restarts. Then another process can get the lock, and
    every further transaction of the first one is refused, because `check` is called in each. A
    transaction that was checked before goes on, and until its end nobody gets the lock of anything.

    Whoever holds the lock across transactions must not connect through a pool that gives out a
    connection for one transaction only.
    """

    # Any numbers will do that no other program uses in this database.
    _LIBRARY = 0x77726974
    """The key of the whole library."""
    _LISTING = 0x77726976
    """The key of the process that lists files for others, too."""
    _TURN = 0x77726977
    """The key of the holder whose turn it is."""
    # Each of these numbers stands before another one that is a session's own.
    _SESSIONS = 0x77726978
    """A session that holds the lock has this key until it ends."""
    _TRANSACTIONS = 0x77726979
    """Each transaction of a holder shares this key until it ends."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._session: Connection | None = None
        """The session that holds the lock; None while the lock is free."""
        self._token: int | None = None
        """A number of that session, and of no other session ever."""

    @contextmanager
    def hold(self, folders: Sequence[Path] = (), *, lists: bool = False) -> Iterator[None]:
        """Hold the lock of these folders, or of the whole library if there are none. The folders
        are absolute paths without links.

        Only one holder at a time `lists` files for other processes. Raises LibraryError that names
        the holder of what cannot be had.
        """
        from sqlalchemy.exc import DBAPIError

        with self._engine.connect() as connection:
            # Outside transactions: an open one would keep the server from tidying up.
            connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                self._acquire(connection, folders, lists=lists)
                yield
            finally:
                if self._session is connection:  # and not another holder's, which this could not be
                    self._session = self._token = None
                if not connection.invalidated:
                    with suppress(DBAPIError):  # the connection was lost, and with it the locks
                        connection.exec_driver_sql("SELECT pg_advisory_unlock_all()")

    @contextmanager
    def turn(self, listener: Listener, stop: Stop) -> Iterator[None]:
        """Do what is about the whole library, which the lock is held for, or a part of it, while no
        other holder does.

        The listener is told whom this waits for. Raises StoppedError when `stop` is set meanwhile.
        """
        from sqlalchemy import text
        from sqlalchemy.exc import DBAPIError

        session = self._held()
        told = False
        while not _take(session, self._TURN):
            if not told:
                holder = self._holder(session, self._TURN)
                listener.said(f"waiting for another sigseek ({holder}), which ends its run")
                told = True
            stop.wait(_LOOK)
            stop.check()
        try:
            yield
        finally:
            if not session.invalidated:
                with suppress(DBAPIError):
                    session.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": self._TURN})

    def is_alone(self) -> bool:
        """Return whether nobody else holds the lock of any folder. This one holds it."""
        return self._find_holder(self._held(), self._LIBRARY) is None

    def is_being_listed(self, connection: Connection) -> bool:
        """Return whether any session lists files for others."""
        return self._find_holder(connection, self._LISTING) is not None

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
            "SELECT CASE WHEN pg_advisory_xact_lock_shared(:transactions, :mine) IS NOT NULL "
            "THEN pg_try_advisory_xact_lock_shared(:sessions, :mine) END"
        )
        keys = {"transactions": self._TRANSACTIONS, "sessions": self._SESSIONS}
        if connection.execute(locks, keys | {"mine": self._token}).scalar():
            raise LibraryError(  # the session is no more
                f"the lock of {self._where} was lost, as when the server is restarted",
                "try again; what was stored before is kept",
                ErrorKind.UNAVAILABLE,
            )

    def _acquire(self, connection: Connection, folders: Sequence[Path], *, lists: bool) -> None:
        """Get the lock; LibraryError when another one has it."""
        from sqlalchemy import text

        for key, shared in self._keys(folders, lists=lists):
            if not _take(connection, key, shared=shared):
                raise _busy(self._where, self._holder(connection, key))
        token = secrets.randbits(31)
        mine = {"sessions": self._SESSIONS, "mine": token}
        connection.execute(text("SELECT pg_advisory_lock(:sessions, :mine)"), mine)
        # Somebody who lost the lock may be in the middle of a last transaction.
        unheld = text(
            "WITH held AS MATERIALIZED (SELECT classid, objid, mode FROM pg_locks "
            "WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())) "
            "SELECT EXISTS (SELECT FROM held WHERE classid = :transactions AND objid NOT IN "
            "(SELECT objid FROM held WHERE classid = :sessions AND mode = 'ExclusiveLock'))"
        )
        keys = {"transactions": self._TRANSACTIONS, "sessions": self._SESSIONS}
        if connection.execute(unheld, keys).scalar():
            raise _busy(self._where, "unknown process")
        self._session, self._token = connection, token

    def _keys(self, folders: Sequence[Path], *, lists: bool) -> Iterator[tuple[int, bool]]:
        """Yield the keys to get, in an order that all keep to, and whether each may be shared."""
        if lists:
            yield self._LISTING, False
        alone = set(folders) if len(folders) <= _MOST_FOLDERS else set()
        above = {directory for folder in alone for directory in folder.parents}
        for directory in sorted(alone | above):
            yield _key_of(directory), directory not in alone
        # Last, so that whoever cannot have a folder does not seem to change the library.
        yield self._LIBRARY, bool(alone)

    def _held(self) -> Connection:
        assert self._session is not None, "the lock is held"
        return self._session

    def _holder(self, connection: Connection, key: int) -> str:
        """Return the other session that has the key, as its application calls itself."""
        row = self._find_holder(connection, key)
        if row is None:
            return "unknown"
        name = (row[0] or "unnamed").removeprefix("sigseek, ")  # "another sigseek" says it already
        return f"{name} since {row[1]} UTC" if row[1] else name

    def _find_holder(self, connection: Connection, key: int) -> Row[str, str | None] | None:
        """Return the name of another session that has the key, and since when it is there. The
        server does not tell them to another user.
        """
        from sqlalchemy import text

        held = text(
            "SELECT application_name, to_char(backend_start, 'YYYY-MM-DD HH24:MI') FROM pg_locks "
            "JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted "
            "AND objsubid = 1 AND CAST(classid AS bigint) << 32 | CAST(objid AS bigint) = :key "
            "AND pid <> pg_backend_pid() AND pg_locks.database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database()) ORDER BY pid"
        )
        return connection.execute(held, {"key": key}).first()


def _take(connection: Connection, key: int, *, shared: bool = False) -> bool:
    """Have the connection's session get a key, unless another one has it, and return whether it
    could.
    """
    from sqlalchemy import text

    get = "pg_try_advisory_lock_shared" if shared else "pg_try_advisory_lock"
    return bool(connection.execute(text(f"SELECT {get}(:key)"), {"key": key}).scalar())


def _key_of(directory: Path) -> int:
    """Return the key of a directory: 64 bits that hardly any other directory has. Two of one key
    would only keep each other waiting.
    """
    named = b"sigseek folder " + os.fsencode(directory)
    return int.from_bytes(hashlib.sha256(named).digest()[:8], "big", signed=True)


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
