"""The catalog as an SQLite file: what `sigseek.storage.catalog.dialect` asks of it."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Column,
    ColumnElement,
    Executable,
    LargeBinary,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DataError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.storage.catalog import schema
from sigseek.storage.catalog.closing import close_connections
from sigseek.storage.catalog.dialect import Rows
from sigseek.storage.catalog.sqlite_log import has_no_log, is_in_wal_mode, remove_log_of_another
from sigseek.storage.errors import LibraryError
from sigseek.storage.file_system import network_type
from sigseek.storage.lock import writer_lock

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

NEWEST = Path(__file__).with_name("newest.sql")
"""The statements that make the tables of a new library. Running all migrations would take ten times
longer, most of it the import of alembic.
"""
_FETCHED = 10_000
"""Rows that are read at a time."""
_BUSY_TIMEOUT_MS = 30_000
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NOT_WRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
# SQLITE_PROTOCOL comes after seconds in which another process held the lock of the log.
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
_NO_SPACE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
_PROGRESS_STEPS = 100_000
"""After this many of its own instructions, SQLite calls back during a backup."""


_FileId: TypeAlias = tuple[int, int]
"""The device and the inode of a file."""
_IN_USE: Counter[_FileId] = Counter()
"""The catalogs that dialects of this process have open, and how many dialects."""
_OPENING = threading.Lock()
"""Held while `_IN_USE` changes, and while a catalog is opened."""


class SqliteDialect:
    """A catalog in the SQLite file at `path`. The file is made or upgraded if it has to be, and
    opened read-only if it may not be written.

    Raises LibraryError when the file is not a catalog, is damaged, is newer than this program, or
    cannot be written and has to be. An unfinished copy of a library is opened with `unfinished`
    only.
    """

    errors: tuple[type[Exception], ...] = (SQLAlchemyError, sqlite3.Error)
    sorts_paths = True
    attempts = 1  # a transaction has waited for others when it begins

    def __init__(self, path: Path, *, unfinished: bool = False) -> None:
        self.file = path
        self._unfinished = unfinished
        self.where = str(path)
        self.network = network_type(path.parent)
        """The type of the file system if it is that of another machine. WAL does not work there,
        because processes must share memory for it.
        """
        self.fitted_to: str | None = None
        """The type of that file system, if the file was made on it, or taken out of WAL mode for
        it, when it was opened.
        """
        self._in_use: _FileId | None = None
        """What `_IN_USE` has of this dialect."""
        self._watching = threading.Lock()
        self._watcher: Any = None
        """The connection that is asked for changes. Nothing is ever written through it."""
        self.readers = self._open()
        # A transaction that read first and then found that another one had written since could only
        # fail. So those that will write wait for each other at their beginning.
        self.writers = self.readers.execution_options(begin="IMMEDIATE")

    def begin_writing(self, connection: Connection, *, by_index: bool = False) -> None:
        """See to it that no newer program has upgraded the library. The lock is a file's, which no
        process loses while it runs.
        """
        schema.check_writable(connection, self.where)

    def now(self, connection: Connection) -> datetime:
        """Return this machine's time."""
        return datetime.now(UTC)

    def changes(self) -> int:
        """Return the number in which SQLite tells one connection of the changes by all others."""
        with self._watching:
            if self._watcher is None:
                connection = self.readers.raw_connection()
                self._watcher = connection.driver_connection
                connection.detach()
            try:
                ((number,),) = self._watcher.execute("PRAGMA data_version").fetchall()
            except sqlite3.Error as error:
                raise self.describe(error) from error
            return int(number)

    def close(self) -> None:
        """Close the file."""
        with self._watching:
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
        close_connections(self.readers)
        self._end_use()

    def put(
        self,
        connection: Connection,
        table: Table,
        keys: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        *,
        overwrite: bool = True,
    ) -> None:
        """Add or overwrite rows, all in one statement."""
        if not rows:
            return
        statement = insert(table)
        if overwrite:
            others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
            statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=keys)
        connection.execute(statement, rows)

    def add(
        self,
        connection: Connection,
        table: Table,
        keys: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        returned: Sequence[Column[Any]],
    ) -> Sequence[Any]:
        """Add rows, as many in one statement as it takes parameters."""
        statement = insert(table).on_conflict_do_nothing(index_elements=keys)
        return connection.execute(statement.returning(*returned), rows).all()

    def is_among(self, column: Column[int], parameter: str) -> ColumnElement[bool]:
        """Return the condition that the column has one of the ids. These are one parameter, a JSON
        list, however many they are.
        """
        ids = func.json_each(bindparam(parameter)).table_valued("value")
        return column.in_(select(ids.c.value))

    def ids(self, ids: Sequence[int]) -> str:
        """Return the ids as JSON."""
        return json.dumps(ids)

    def is_one_of(self, column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
        """Return whether the column's value is one of these, each of which is a parameter."""
        return column.in_(values)

    def is_path_among(self, column: Column[str], paths: Sequence[str]) -> ColumnElement[bool]:
        """Return whether the path is one of these."""
        return column.in_(paths)

    def is_file_among(self, table: Table) -> ColumnElement[bool]:
        """Return the condition; each path is a parameter."""
        among = table.c.path.in_(bindparam("paths", expanding=True))
        return (table.c.folder_id == bindparam("folder")) & among

    def paths(self, paths: Sequence[str]) -> object:
        """Return the paths as they are."""
        return paths

    def is_path_like(self, column: Column[str], pattern: str) -> ColumnElement[bool]:
        """Return the condition.

        Both are read as text. Otherwise LIKE may be false of those that are not UTF-8, which are
        bytes here.
        """
        return cast(column, Text).like(cast(literal(os.fsencode(pattern), LargeBinary), Text))

    def stream(
        self,
        connection: Connection,
        statement: Executable,
        values: Mapping[str, Any],
        count: int,
        *,
        are_few: bool = False,
    ) -> Iterator[Rows]:
        """Yield the driver's own rows: SQLAlchemy would take as long again, and read all rows
        before it gave the first.
        """
        cursor: Any = connection.execute(statement, values).cursor
        while rows := cursor.fetchmany(count):
            yield rows

    def fetch_ids(self, connection: Connection, statement: Select[int]) -> Iterator[Ids]:
        """Yield the ids. SQLite writes all of them into one text, because a row for each id would
        take three times as long.
        """
        import numpy as np

        (column,) = statement.subquery().c
        try:
            text = connection.scalar(select(func.group_concat(column)))
        except DataError:  # longer than a text may be, with 100 million ids or so
            for rows in self.stream(connection, statement, {}, _FETCHED):
                yield np.fromiter(chain.from_iterable(rows), np.int64, len(rows))
            return
        if text is not None:
            yield np.fromstring(text, np.int64, sep=",")

    def keep_others_out(self, connection: Connection, table: Table) -> None:
        """Do nothing: a transaction that writes is the only one."""

    def go_on_counting_ids(self, connection: Connection) -> None:
        """Do nothing: SQLite looks at the ids that are there."""

    def size(self, connection: Connection) -> int:
        """Return the bytes of the catalog's file and of the log beside it."""
        return sum(map(_bytes, self.file.parent.glob(f"{self.file.name}*")))

    def integrity(self, connection: Connection) -> list[str]:
        """Return what SQLite finds wrong with the file."""
        rows = connection.exec_driver_sql("PRAGMA integrity_check").all()
        return [] if [tuple(row) for row in rows] == [("ok",)] else [str(row[0]) for row in rows]

    def dangling(self, connection: Connection) -> dict[str, int]:
        """Return how many rows of each table refer to rows that do not exist."""
        return Counter(row[0] for row in connection.exec_driver_sql("PRAGMA foreign_key_check"))

    def compact(self, connection: Connection) -> None:
        """Write the file again without its free space, if that is a quarter or more."""
        driver: Any = connection.connection.driver_connection
        (free,), (pages,) = (
            driver.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_count")
        )
        driver.rollback()
        if free >= pages / 4:
            driver.execute("VACUUM")

    def back_up(self, connection: Connection, target: Path) -> None:
        """Write a copy with new tokens to `target`: index files that were written after the backup
        are not taken for the copy's own when it is restored.
        """
        driver: Any = connection.connection.driver_connection
        driver.rollback()
        # Python handles signals, such as Ctrl-C, only when SQLite calls back.
        driver.set_progress_handler(lambda: 0, _PROGRESS_STEPS)
        try:
            driver.execute("VACUUM INTO ?", (str(target),))
            with closing(sqlite3.connect(target)) as copy, copy:
                copy.execute("UPDATE checkpoint SET token = lower(hex(randomblob(8)))")
        except sqlite3.Error as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                # This error replaces the KeyboardInterrupt that the callback raised.
                raise KeyboardInterrupt from None
            if error.sqlite_errorcode in _DAMAGED:  # the catalog itself, not the copy
                raise
            raise OSError(errno.EIO, str(error)) from error
        finally:
            driver.set_progress_handler(None, 0)

    def describe(self, error: Exception) -> LibraryError:
        """Return the error with its reason and a way out, by SQLite's primary result code."""
        cause = getattr(error, "orig", None) or error
        code = _code(error)
        if code in _DAMAGED:
            return LibraryError(
                f"{self.where} is damaged ({cause})",
                "put a backup in its place, or move it away and index again",
                ErrorKind.DAMAGED,
            )
        if code in _NOT_WRITABLE or isinstance(error, PermissionError):
            return LibraryError(
                f"{self.where} cannot be written ({cause})",
                Remedy(
                    "check permissions and the disk's space, or choose another library with {}",
                    (Option("directory"),),
                ),
                ErrorKind.UNAVAILABLE,
            )
        if code in _BUSY:
            return LibraryError(
                f"{self.where} is busy ({cause})",
                "try again when the other program is done",
                ErrorKind.BUSY,
            )
        if code == sqlite3.SQLITE_ERROR:  # a statement that does not fit the tables
            return LibraryError(*schema.changed(self.where, str(cause)), ErrorKind.UNSUPPORTED)
        return LibraryError(
            f"{self.where} cannot be used ({cause})",
            "check the disk's space and health",
            ErrorKind.UNAVAILABLE,
        )

    def _open(self) -> Engine:
        path = self.file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryError(
                f"the library {path.parent} cannot be made ({error.strerror})",
                Remedy("choose another with {}", (Option("directory"),)),
                ErrorKind.UNAVAILABLE,
            ) from error
        if path.is_file() and not (_may_be_written(path) and _may_be_written(path.parent)):
            return self._open_read_only()
        engine = _engine(URL.create("sqlite", database=str(path)), full=bool(self.network))
        found: str | None = schema.HEAD
        try:
            with self._beginning_use() as is_in_use:
                if not is_in_use:
                    remove_log_of_another(path)
                engine.connect().close()  # which keeps it in the pool
            with engine.connect() as connection:
                if self.network and is_in_wal_mode(path):
                    # Alone with the file, SQLite reads it in WAL mode without shared memory.
                    _outside_transactions(connection, "PRAGMA locking_mode = EXCLUSIVE")
                found = schema.version(connection, self.where, unfinished=self._unfinished)
                connection.rollback()
                # Not before: this writes to the file, which until now might be another program's.
                if not self.network:
                    _outside_transactions(connection, "PRAGMA journal_mode = WAL")
                elif found is None or is_in_wal_mode(path):
                    self.fitted_to = self.network
                    _outside_transactions(connection, "PRAGMA journal_mode = DELETE")
                    _outside_transactions(connection, "PRAGMA locking_mode = NORMAL")
                    # the lock is given back by the next one who asks
                    schema.version(connection, self.where)
            if found is None or found < schema.HEAD:
                writing = engine.execution_options(begin="IMMEDIATE")
                with writer_lock(path.parent), writing.connect() as connection:
                    self._bring_up_to_date(connection)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            engine.dispose()
            self._end_use()
            # On a full disk SQLite cannot even read, because in WAL mode it writes to do so.
            if found and found >= schema.HEAD and _code(error) in _NO_SPACE and path.is_file():
                return self._open_read_only()
            raise self.describe(error) from error
        except LibraryError:
            engine.dispose()
            self._end_use()
            raise
        with _OPENING:
            self._note_use()  # of a file that has just been made
        return engine

    @contextmanager
    def _beginning_use(self) -> Iterator[bool]:
        """Tell whether this process has the file open already, through another dialect; and note
        afterwards that it has.

        Whoever opens and closes the file by other means than SQLite takes away all locks that this
        process has on it (sqlite.org/howtocorrupt.html, 2.2). Another process would then remove the
        log while it is in use.
        """
        with _OPENING:
            yield _file_id(self.file) in _IN_USE
            self._note_use()

    def _note_use(self) -> None:
        """Note that this process has the file open, if it exists; the caller holds `_OPENING`."""
        if self._in_use is None and (file := _file_id(self.file)) is not None:
            self._in_use = file
            _IN_USE[file] += 1

    def _end_use(self) -> None:
        with _OPENING:
            if self._in_use is not None:
                _IN_USE[self._in_use] -= 1
                if not _IN_USE[self._in_use]:
                    del _IN_USE[self._in_use]
                self._in_use = None

    def _bring_up_to_date(self, connection: Connection) -> None:
        """Make the tables of an empty file, or upgrade older ones, wholly or not at all."""
        with connection.begin():
            # Another process may have made them before this one got the lock.
            is_empty = schema.version(connection, self.where, unfinished=self._unfinished) is None
            if is_empty:
                for statement in _statements(NEWEST.read_text("utf-8")):
                    connection.exec_driver_sql(statement)
                schema.mark_newest(connection)
        if not is_empty:
            self._upgrade(connection)

    def _upgrade(self, connection: Connection) -> None:
        connection.detach()  # the pragma is for this connection only
        # Migrations change a table by making it again. With foreign keys on, dropping the old table
        # would delete the rows that refer to it.
        _outside_transactions(connection, "PRAGMA foreign_keys = OFF")
        with connection.begin():
            schema.upgrade(connection, self.where)

    def _open_read_only(self) -> Engine:
        """Return an engine for a file on a read-only disk, or of another user.

        In WAL mode SQLite has to write beside the file, unless it is told that nobody changes it.
        That is so when there is no log of changes. With a log, another user has the library open or
        was cut off.
        """
        log = self.file.with_name(f"{self.file.name}-wal")
        try:
            with self._beginning_use() as is_in_use:
                nobody_writes = not _bytes(log) or (not is_in_use and has_no_log(self.file))
        except OSError as error:
            raise self.describe(error) from error
        options = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if nobody_writes else {})
        name = f"file:{quote(os.fsencode(self.file))}"
        engine = _engine(URL.create("sqlite", database=name, query=options))
        try:
            with engine.connect() as connection:
                found = schema.version(connection, self.where)
            if found is None or found < schema.HEAD:
                raise LibraryError(
                    f"{self.where} is of an older sigseek and cannot be written",
                    "make it writable once, or copy it with its folder",
                    ErrorKind.UNAVAILABLE,
                )
        except (SQLAlchemyError, OSError, LibraryError) as error:
            engine.dispose()
            self._end_use()
            if isinstance(error, LibraryError):
                raise
            raise self.describe(error) from error
        return engine


def _engine(url: URL, *, full: bool = False) -> Engine:
    """Return an engine for the file. `full` has SQLite wait for the disk after every change:
    without WAL, a power cut might damage the file.
    """
    engine = create_engine(url)
    event.listen(engine, "connect", partial(_set_up, "FULL" if full else "NORMAL"))
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(synchronous: str, connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    # The driver would begin no transaction before a change of the schema. So its own handling of
    # transactions is off, and `_begin` begins them.
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    kind = connection.get_execution_options().get("begin", "DEFERRED")
    connection.exec_driver_sql(f"BEGIN {kind}")


def _outside_transactions(connection: Connection, pragma: str) -> None:
    """Run a pragma that has no effect, or fails, within a transaction. SQLAlchemy would begin
    one.
    """
    connection.connection.cursor().execute(pragma)


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script, in which each begins on a line of its own."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _file_id(path: Path) -> _FileId | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _may_be_written(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _code(error: Exception) -> int | None:
    """Return SQLite's primary result code, the lowest byte of its extended one."""
    cause = getattr(error, "orig", None) or error
    code: int | None = getattr(cause, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # another process has removed it since it was listed
        return 0
