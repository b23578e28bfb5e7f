"""The catalog as a PostgreSQL database: what `sigseek.storage.catalog.dialect` asks of it."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import (
    ARRAY,
    URL,
    BigInteger,
    Column,
    ColumnElement,
    Executable,
    LargeBinary,
    Select,
    String,
    Table,
    any_,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, ExecutionContext
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from sigseek.errors import ErrorKind
from sigseek.storage.catalog import schema
from sigseek.storage.catalog.address import without_secrets
from sigseek.storage.catalog.closing import close_connections
from sigseek.storage.catalog.columns import PlainBytes
from sigseek.storage.catalog.dialect import PLANNED_ANEW, Rows
from sigseek.storage.catalog.tables import METADATA, SETTING
from sigseek.storage.errors import LibraryError, NoLibraryError
from sigseek.storage.lock import AdvisoryLock

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_OLDEST = (13,)
"""The oldest version of the server that has all that is used here and is known to work."""
TRIGGERS = Path(__file__).with_name("postgresql_triggers.sql")
_LIBRARY_ID = "library_id"
"""The name of the setting that tells two libraries apart."""
_IDENTITY = text(
    "SELECT (SELECT value FROM setting WHERE name = :name), CAST(oid AS bigint) "
    "FROM pg_database WHERE datname = current_database()"
)
_NOW = text("SELECT now()")
_FINISHED = text("SELECT CAST(pg_current_snapshot() AS text)")
# The server would keep plans that were made for small tables until autovacuum has looked at these,
# which in a first run of several workers is hundreds of thousands of rows later. To plan anew takes
# it several times as long as to look up a row, as it does for each foreign key of each new row. A
# plan that has to use indexes is good for tables of any size. Where there is no index after all,
# the server would expect such a cost that it compiled the statement for 0.4 s: hence no `jit`.
_BEGIN_WRITING = text(
    "SELECT version_num, set_config('plan_cache_mode', :mode, true), "
    "set_config('enable_seqscan', :whole_tables, true), set_config('jit', :whole_tables, true) "
    "FROM alembic_version"
)
_BY_INDEX = {"mode": "auto", "whole_tables": "off"}
_IN_ANY_WAY = {"mode": "force_custom_plan", "whole_tables": "on"}
_SHORT_WAIT = "1s"
_SCHEMA_LOCK = 0x7369677365656B  # "sigseek"; the key of an advisory lock
_BINARY = "sigseek_binary"
"""The execution option of a statement whose rows the server sends in binary."""
_IDS_TOGETHER = 1_000_000
"""Ids that one row brings at most. They take 8 bytes each, and a row has less than 1 GB."""
_FETCHED = 2_000
"""Rows that one round trip brings. Fewer cost time, and more cost memory."""
_SESSION = {
    "timezone": "UTC",
    "lock_timeout": "30s",
    # A client that lost its power must not hold a lock for hours.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
_CONNECTION = {
    "connect_timeout": "10",
    # A server that lost its power says nothing. Without these a search would wait for a quarter of
    # an hour, or for ever.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}
"""What libpq is told about the connection, unless the address says otherwise."""
_PATHS = {"folder": (), "file": ("folder_id",), "failure": ("folder_id",)}
"""The columns that a path is unique together with, by table."""
_NOT_REACHED = ("08", "57P")
_FULL = "53"
_REFUSED = ("25006", "42501", "28")
_BUSY = ("55P03", "40", "57014")
_DAMAGED = "XX"
_OTHER_TABLES = ("42703", "42P01")
"""A column or a table of a statement does not exist."""
_NO_DATABASE = "3D000"


class PostgreSqlDialect:
    """The PostgreSQL database at `url`, its tables made or upgraded where they have to be.

    Raises LibraryError when it cannot be reached, belongs to another program, or is newer than this
    program. Raises NoLibraryError for a database without tables, unless `create`. An unfinished
    copy of a library is opened with `unfinished` only.
    """

    errors: tuple[type[Exception], ...] = (SQLAlchemyError, psycopg.Error)
    sorts_paths = False
    file: Path | None = None
    network: str | None = None
    fitted_to: str | None = None
    attempts = 10

    def __init__(self, url: URL, *, create: bool = True, unfinished: bool = False) -> None:
        self.where = without_secrets(url)
        ours = [f"-c{name}={value}" for name, value in _SESSION.items()]
        options = " ".join([_given_options(url), *ours]).lstrip()
        self.writers = create_engine(
            url.set(drivername="postgresql+psycopg"),
            connect_args={
                **{name: value for name, value in _CONNECTION.items() if name not in url.query},
                "options": options,
                "application_name": _process(),
            },
        )
        event.listen(self.writers, "connect", _stream_in_binary)
        event.listen(self.writers, "before_cursor_execute", _answer_in_binary)
        event.listen(self.writers, "do_execute", _plan_anew)
        event.listen(self.writers, "checkout", _check_open)
        # PostgreSQL's default shows each statement the newest data. SQLite's sessions see one
        # moment, and what reads the catalog relies on that.
        self.readers = self.writers.execution_options(isolation_level="REPEATABLE READ")
        self.lock = AdvisoryLock(self.writers, self.where)
        """The writer's lock. Whoever holds it writes through this dialect."""
        try:
            with self.writers.begin() as connection:
                self._bring_up_to_date(connection, create=create, unfinished=unfinished)
        except self.errors as error:
            self.close()
            raise self.describe(error) from error
        except LibraryError:
            self.close()
            raise

    def changes(self) -> int:
        """Return a number made of the transactions that are finished. It may change when somebody
        changes another database of the server, but never stays when this one is changed.
        """
        try:
            with self.readers.connect() as connection:
                finished: str = connection.execute(_FINISHED).scalar_one()
                connection.commit()  # as readers do
        except self.errors as error:
            raise self.describe(error) from error
        return int.from_bytes(hashlib.sha256(finished.encode()).digest()[:8], "big")

    def now(self, connection: Connection) -> datetime:
        """Return the server's time at the beginning of the transaction."""
        moment: datetime = connection.execute(_NOW).scalar_one()
        return moment.astimezone(UTC)

    def begin_writing(self, connection: Connection, *, by_index: bool = False) -> None:
        """See to it that the lock was not lost, if it is held through `lock`, and that no newer
        program has upgraded the library.
        """
        self.lock.check(connection)
        found = connection.execute(_BEGIN_WRITING, _BY_INDEX if by_index else _IN_ANY_WAY).scalar()
        schema.check_writable_version(found, self.where)

    def identity(self) -> str:
        """Return a name of letters and digits that no other library has. A copy of the database on
        another server, or beside this one, has another name.
        """
        try:
            with self.readers.connect() as connection:
                found = connection.execute(_IDENTITY, {"name": _LIBRARY_ID}).one()
                driver = connection.connection.driver_connection
                assert isinstance(driver, psycopg.Connection)
                whole = json.dumps([*found, driver.info.host, driver.info.port])
        except self.errors as error:
            raise self.describe(error) from error
        return hashlib.sha256(whole.encode()).hexdigest()[:16]

    def is_being_listed(self) -> bool:
        """Return whether any process lists files for others."""
        try:
            with self.readers.connect() as connection:
                held = self.lock.is_being_listed(connection)
                connection.commit()  # as readers do
                return held
        except self.errors as error:
            raise self.describe(error) from error

    def close(self) -> None:
        """Close all connections."""
        close_connections(self.writers)

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
        statement = _insertion(table, tuple(keys), tuple(rows[0]), overwrite=overwrite)
        connection.execute(statement, _arrays(keys, rows))

    def add(
        self,
        connection: Connection,
        table: Table,
        keys: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        returned: Sequence[Column[Any]],
    ) -> Sequence[Any]:
        """Add rows, all in one statement."""
        names = tuple(column.name for column in returned)
        statement = _insertion(table, tuple(keys), tuple(rows[0]), overwrite=False, returned=names)
        return connection.execute(statement, _arrays(keys, rows)).all()

    def is_among(self, column: Column[int], parameter: str) -> ColumnElement[bool]:
        """Return the condition; an array of ids is one parameter, however long it is.

        It is sent as a text, because the driver takes longer to write a list of a thousand ids than
        the server takes to find them.
        """
        return column == any_(cast(bindparam(parameter, type_=String), ARRAY(BigInteger)))

    def ids(self, ids: Sequence[int]) -> str:
        """Return the ids as PostgreSQL writes an array."""
        return f"{{{','.join(map(str, ids))}}}"

    def is_one_of(self, column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
        """Return the condition; all values are one parameter. With hundreds of parameters the
        driver would parse the statement each time, which takes longer than the server's part.
        """
        return column == any_(literal(list(values), ARRAY(column.type)))

    def is_path_among(self, column: Column[str], paths: Sequence[str]) -> ColumnElement[bool]:
        """Return whether the path is one of these, which the index on its SHA-256 tells."""
        return _digest(column) == any_(literal(self.paths(paths), ARRAY(LargeBinary)))

    def is_file_among(self, table: Table) -> ColumnElement[bool]:
        """Return the condition, with a query of its own for each path. Until the server has
        analyzed the table it expects few files in a folder, and would rather read all of them.
        """
        paths = bindparam("paths", type_=ARRAY(LargeBinary))
        given = func.unnest(paths).table_valued("digest", name="digest")
        there = table.alias("there")
        is_there = there.c.folder_id == bindparam("folder")
        is_there &= _digest(there.c.path) == given.c.digest
        one = select(there.c.id).where(is_there).correlate(given).scalar_subquery()
        ids = select(one).select_from(given).scalar_subquery()
        return table.c.id == any_(func.array(ids))

    def paths(self, paths: Sequence[str]) -> list[bytes]:
        """Return the SHA-256 of the paths."""
        return [hashlib.sha256(os.fsencode(path)).digest() for path in paths]

    def is_path_like(self, column: Column[str], pattern: str) -> ColumnElement[bool]:
        """Return the condition.

        ILIKE is for texts, and paths are bytes. So both are compared as PostgreSQL's function
        `encode` writes bytes: ASCII as it is, a backslash twice, and other bytes as octal numbers.
        """
        written = "".join(
            "\\\\" if byte == ord("\\") else chr(byte) if byte < 128 else f"\\{byte:o}"
            for byte in os.fsencode(pattern)
        )
        return func.encode(column, "escape").ilike(written, escape="")

    def stream(
        self,
        connection: Connection,
        statement: Executable,
        values: Mapping[str, Any],
        count: int,
        *,
        are_few: bool = False,
    ) -> Iterator[Rows]:
        """Yield rows from a cursor on the server, unless they are few. Any other cursor of this
        driver reads all rows before it gives the first, but it takes four round trips less.
        """
        options = {_BINARY: True} if are_few else {"yield_per": _FETCHED}
        result = connection.execute(statement, values, execution_options=options)
        try:
            fetched: Rows = result.cursor.fetchall() if are_few else result.fetchmany(_FETCHED)
            while fetched:
                for start in range(0, len(fetched), count):
                    yield fetched[start : start + count]
                fetched = [] if are_few else result.fetchmany(_FETCHED)
        finally:
            result.close()

    def fetch_ids(self, connection: Connection, statement: Select[int]) -> Iterator[Ids]:
        """Yield the ids, of which the server makes one value for each million: a row for each id
        would take twice as long, and twenty times the processor time here.
        """
        import numpy as np

        (column,) = statement.subquery().c
        together = func.string_agg(func.int8send(column), literal(b"", LargeBinary))
        query = select(together).group_by(func.div(column, _IDS_TOGETHER))
        for ((numbers,),) in self.stream(connection, query, {}, 1):
            yield np.frombuffer(numbers, ">i8").astype(np.int64)

    def keep_others_out(self, connection: Connection, table: Table) -> None:
        """Lock the table. A statement that follows sees what the others have done. Whoever comes
        later waits as long as this one, so it does not wait long.
        """
        connection.execute(text(f"SET LOCAL lock_timeout = '{_SHORT_WAIT}'"))
        connection.execute(text(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE"))

    def go_on_counting_ids(self, connection: Connection) -> None:
        """Set the sequences of all tables."""
        for table in METADATA.tables.values():
            if table.autoincrement_column is not None:
                highest = select(func.max(table.autoincrement_column)).scalar_subquery()
                sequence = func.pg_get_serial_sequence(table.name, table.autoincrement_column.name)
                connection.execute(select(func.setval(sequence, func.coalesce(highest, 1))))

    def size(self, connection: Connection) -> int:
        """Return the bytes of the database on the server."""
        size = text("SELECT pg_database_size(current_database())")
        return int(connection.execute(size).scalar_one())

    def integrity(self, connection: Connection) -> list[str]:
        """Find nothing, because a client cannot look into the server's files; `pg_amcheck` does."""
        return []

    def dangling(self, connection: Connection) -> dict[str, int]:
        """Find nothing, because the server holds foreign keys at all times."""
        return {}

    def compact(self, connection: Connection) -> None:
        """Do nothing: autovacuum does it."""

    def back_up(self, connection: Connection, target: Path) -> None:
        """Raise LibraryError: a server's own tool makes better backups."""
        raise LibraryError(
            f"{self.where} is a PostgreSQL database, which sigseek does not back up",
            "use pg_dump",
            ErrorKind.UNSUPPORTED,
        )

    def describe(self, error: Exception) -> LibraryError:
        """Return the error with its reason and a way out, by its SQLSTATE."""
        cause = getattr(error, "orig", None) or error
        state: str | None = getattr(cause, "sqlstate", None)
        said = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
        if isinstance(cause, psycopg.OperationalError) and (
            state is None or state.startswith(_NOT_REACHED)
        ):
            found, remedy = (
                "cannot be reached",
                "check that the server runs and has this database, and the address, user and "
                "password",
            )
            return LibraryError(f"{self.where} {found} ({said})", remedy, ErrorKind.UNAVAILABLE)
        if isinstance(cause, psycopg.ProgrammingError) and state is None:  # libpq cannot read it
            remedy = "correct what follows the ? in the address"
            return LibraryError(f"{self.where} cannot be used ({said})", remedy, ErrorKind.INVALID)
        if state in _OTHER_TABLES:
            return LibraryError(*schema.changed(self.where, said), ErrorKind.UNSUPPORTED)
        found, remedy, kind = _explained(state or "")
        return LibraryError(f"{self.where} {found} ({said})", remedy, kind)

    def _bring_up_to_date(self, connection: Connection, *, create: bool, unfinished: bool) -> None:
        found = connection.dialect.server_version_info or _OLDEST
        if found < _OLDEST:
            raise LibraryError(
                f"{self.where} is on PostgreSQL {found[0]}, which is too old",
                f"use PostgreSQL {_OLDEST[0]} or later",
                ErrorKind.UNSUPPORTED,
            )
        # Two programs may open an empty database at the same time.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
        version = schema.version(connection, self.where, unfinished=unfinished)
        if version is None:
            if not create:
                raise NoLibraryError(f"{self.where} is empty", None, ErrorKind.NOT_FOUND)
            _make_tables(connection)
            schema.mark_newest(connection)
        elif version < schema.HEAD:
            self._upgrade(connection)

    def _upgrade(self, connection: Connection) -> None:
        """Bring the schema to the newest version, while nobody else changes the library."""
        try:
            with self.lock.hold():
                schema.upgrade(connection, self.where)
                connection.commit()  # before another process can get the lock
        except self.errors as error:
            state = getattr(getattr(error, "orig", None) or error, "sqlstate", None) or ""
            if not state.startswith(_REFUSED):
                raise
            raise LibraryError(
                f"{self.where} is of an older sigseek, and this user cannot upgrade it",
                "open it once as the user who owns its tables, on a server that can be written",
                ErrorKind.UNAVAILABLE,
            ) from error


class _BinaryCursor(psycopg.ServerCursor[Any]):
    """A cursor on the server that sends bytes as bytes: three times as many rows a second as in
    text.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.format = psycopg.pq.Format.BINARY


def _given_options(url: URL) -> str:
    """Return the options of the session that the address gives, or else libpq's variable. libpq
    would take them itself if this program had none of its own.
    """
    given = url.query.get("options", os.environ.get("PGOPTIONS", ""))
    return given if isinstance(given, str) else given[-1]


def _process() -> str:
    """Return what the server and other machines are told of this process, in up to 63 bytes."""
    return f"sigseek, process {os.getpid()} on {socket.gethostname()}"[:63]


def _stream_in_binary(connection: psycopg.Connection[Any], entry: ConnectionPoolEntry) -> None:
    connection.server_cursor_factory = _BinaryCursor
    # Text, which is the driver's default for arrays, is twice as long for bytes.
    connection.adapters.register_dumper(list, ListBinaryDumper)


def _answer_in_binary(
    connection: Connection,
    cursor: psycopg.Cursor[Any],
    statement: str,
    parameters: object,
    context: ExecutionContext,
    executemany: bool,
) -> None:
    if context.execution_options.get(_BINARY):
        cursor.format = psycopg.pq.Format.BINARY


def _plan_anew(
    cursor: psycopg.Cursor[Any], statement: str, parameters: Any, context: ExecutionContext
) -> bool:
    """Execute a statement whose plan must not be kept. Return False for any other."""
    if not context.execution_options.get(PLANNED_ANEW):
        return False
    cursor.execute(statement, parameters, prepare=False)
    return True


def _check_open(
    connection: psycopg.Connection[Any], entry: ConnectionPoolEntry, used: object
) -> None:
    """Have the pool replace a connection that the server has closed, as when it was restarted.

    An idle server sends nothing else, so a look at the socket tells, without a round trip.
    """
    with DefaultSelector() as sockets:
        sockets.register(connection.fileno(), EVENT_READ)
        if sockets.select(0):
            raise DisconnectionError("the server has closed the connection")


def _make_tables(connection: Connection) -> None:
    """Make the newest schema. Migrations up to 0004 are for SQLite alone: no database of another
    kind is that old.
    """
    METADATA.create_all(connection)
    connection.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
        "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    connection.execute(SETTING.insert(), {"name": _LIBRARY_ID, "value": secrets.token_hex(16)})
    for table, others in _PATHS.items():
        columns = ", ".join([*others, "sha256(path)"])
        connection.exec_driver_sql(f"CREATE UNIQUE INDEX ix_{table}_path ON {table} ({columns})")
    # From 1,024 dimensions on, embeddings would be moved out of their rows, which would double the
    # reads.
    connection.exec_driver_sql("ALTER TABLE embedding ALTER vector SET STORAGE PLAIN")
    for statement in _statements(TRIGGERS.read_text("utf-8")):
        connection.exec_driver_sql(statement)


def _statements(script: str) -> Iterator[str]:
    """Yield the statements of a script, each in one line. Blank lines are between them."""
    for part in script.split("\n\n"):
        lines = [line for line in part.splitlines() if not line.startswith("--")]
        if lines:
            yield " ".join(lines)


@cache
def _insertion(
    table: Table,
    keys: tuple[str, ...],
    names: tuple[str, ...],
    *,
    overwrite: bool,
    returned: tuple[str, ...] = (),
) -> Executable:
    """Return the statement that adds rows with values in these columns. A column is one array, so
    that triggers run once. SQLAlchemy takes several times as long to make it as to execute it.
    """
    columns = [table.c[name] for name in names]
    arrays = [bindparam(column.name, type_=_array_of(column)) for column in columns]
    unnested = select(*(func.unnest(array).label(array.key) for array in arrays))
    statement = insert(table).from_select([column.name for column in columns], unnested)
    unique = _unique(table, keys)
    if not overwrite:
        statement = statement.on_conflict_do_nothing(index_elements=unique)
        return statement.returning(*(table.c[name] for name in returned)) if returned else statement
    others = {name: statement.excluded[name] for name in names if name not in keys}
    return statement.on_conflict_do_update(index_elements=unique, set_=others)


def _array_of(column: Column[Any]) -> ARRAY[Any]:
    is_bytes = isinstance(column.type, LargeBinary)
    return ARRAY(PlainBytes() if is_bytes else column.type)


def _arrays(keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of the rows by column.

    The rows are sorted by key, because two writers that lock the same rows in different orders
    would wait for each other for ever. A statement may not write one row twice.
    """
    last = {tuple(row[name] for name in keys): row for row in rows}
    ordered = [last[key] for key in sorted(last)]
    return {name: [row[name] for row in ordered] for name in rows[0]}


def _unique(table: Table, keys: Sequence[str]) -> list[Any]:
    """Return what the unique index on these columns is on."""
    return [_digest(table.c.path) if key == "path" else key for key in keys]


def _digest(path: Any) -> ColumnElement[bytes]:
    return func.sha256(path)


def _explained(state: str) -> tuple[str, str, ErrorKind]:
    """Return what was found, what to do, and the kind, of an SQLSTATE."""
    if state == _NO_DATABASE:
        return "does not exist", "create the database first", ErrorKind.NOT_FOUND
    if state.startswith(_BUSY):
        return "is busy", "try again when the other program is done", ErrorKind.BUSY
    if state.startswith(_DAMAGED):
        return "is damaged", "restore a backup", ErrorKind.DAMAGED
    if state.startswith(_REFUSED):
        return "cannot be written", "check the user's rights", ErrorKind.UNAVAILABLE
    if state.startswith(_FULL):
        return "cannot be used", "check the server's space and limits", ErrorKind.UNAVAILABLE
    return "cannot be used", "look into the server's log", ErrorKind.UNAVAILABLE
