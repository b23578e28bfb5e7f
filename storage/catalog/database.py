"""The SQLite file: opened, set up, brought to the newest schema."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from sigseek.storage.errors import LibraryError
from sigseek.storage.lock import writer_lock

HEAD = "0005"
"""The newest migration. Written here so that opening an up-to-date library does not load alembic; a
test compares.
"""

_BUSY_TIMEOUT_MS = 30_000


def open_database(path: Path) -> Engine:
    """An engine on the catalog at `path`, created or upgraded to the newest schema; where nothing
    may be written, one that reads.

    LibraryError when the file is no catalog, is damaged, is newer than this program, or cannot be
    written and has to be.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LibraryError(
            f"the library {path.parent} cannot be made ({error.strerror}); name another with --library"
        ) from error
    if path.is_file() and not (_may_be_written(path) and _may_be_written(path.parent)):
        return _open_read_only(path)
    engine = create_engine(URL.create("sqlite", database=str(path)))
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    found: str | None = HEAD
    try:
        _remove_log_of_another(path)
        with engine.connect() as connection:
            found = _version(connection, path)
            connection.rollback()
            # Not before: it writes to the file, which until now may have been another program's.
            _outside_transactions(connection, "PRAGMA journal_mode = WAL")
        if found != HEAD:
            with writer_lock(path.parent), writing(engine).connect() as connection:
                _upgrade(connection, path)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        engine.dispose()
        if found == HEAD and _is_for_space(error) and path.is_file():  # SQLite writes to read, too
            return _open_read_only(path)
        raise LibraryError(describe(error, path)) from error
    return engine


def _is_for_space(error: Exception) -> bool:
    said = str(getattr(error, "orig", None) or error)
    return "disk I/O error" in said or "disk is full" in said


def _remove_log_of_another(path: Path) -> None:
    """Remove the log of changes that a catalog left behind in whose place another was put, as one
    restores a backup.

    SQLite would apply it to the file that is there now, and so destroy it. A catalog that has a log
    says in its head that it is in WAL mode (sqlite.org/fileformat2.html, offset 18), and a backup
    says that it is not.
    """
    logs = [path.with_name(f"{path.name}{suffix}") for suffix in ("-wal", "-shm")]
    if logs[0].exists() and path.exists() and _has_no_log(path):
        with writer_lock(path.parent):
            if _has_no_log(path):  # else another process has been at it meanwhile
                for log in reversed(
                    logs
                ):  # the one that is looked for last: until it is gone, others wait for the lock
                    log.unlink(missing_ok=True)


def _has_no_log(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\1\1"


def _may_be_written(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _open_read_only(path: Path) -> Engine:
    """An engine that reads what lies on a read-only disk or belongs to somebody else.

    SQLite itself wants to write beside a file in WAL mode, unless it is told that nobody changes
    the file. That is so as long as there is no log of changes; with a log, some other user has the
    library open or was cut off.
    """
    log = path.with_name(f"{path.name}-wal")
    nobody_writes = _has_no_log(path) or not log.exists() or log.stat().st_size == 0
    options = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if nobody_writes else {})
    engine = create_engine(
        URL.create("sqlite", database=f"file:{quote(os.fsencode(path))}", query=options)
    )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    try:
        with engine.connect() as connection:
            found = _version(connection, path)
    except (SQLAlchemyError, OSError) as error:
        engine.dispose()
        raise LibraryError(describe(error, path)) from error
    if found != HEAD:
        engine.dispose()
        raise LibraryError(
            f"{path} is of an older sigseek and cannot be written; make it writable once, or copy it with its folder"
        )
    return engine


def writing(engine: Engine) -> Engine:
    """The same database for those who will write: their transactions wait for each other at the
    beginning.

    One that read first and then found that another had written since could only fail.
    """
    return engine.execution_options(begin="IMMEDIATE")


def describe(error: Exception, path: Path) -> str:
    """One line for what the database or the file system said of the catalog."""
    said = str(getattr(error, "orig", None) or error)
    if "not a database" in said or "malformed" in said:
        return f"{path} is damaged ({said}); put a backup in its place, or move it away and index again"
    if "readonly" in said or "unable to open" in said or isinstance(error, PermissionError):
        return f"{path} cannot be written ({said}); check permissions and the disk's space, or name another library with --library"
    if "locked" in said:
        return f"{path} is busy ({said}); try again when the other program is done"
    return f"{path} cannot be used ({said}); check the disk's space and health"


def _set_up(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    # The driver begins no transaction before a change of the schema: it is told to begin none, and
    # `_begin` does.
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(
        f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}"
    )


def _outside_transactions(connection: Connection, pragma: str) -> None:
    """Run a pragma that means nothing, or fails, within a transaction: SQLAlchemy would begin
    one.
    """
    connection.connection.cursor().execute(pragma)


def _version(connection: Connection, path: Path) -> str | None:
    """The schema's version, None for an empty file."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise LibraryError(
            f"{path} is an SQLite file of another program; name another library with --library"
        )
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found and found > HEAD:
        raise LibraryError(
            f"{path} was made by a newer sigseek (schema {found}, this one knows {HEAD}); upgrade sigseek"
        )
    return found


def migrations_directory() -> Path:
    """Where the migrations lie: inside this package when installed, beside it in a checkout."""
    storage = (
        Path(__file__).resolve().parent.parent
    )  # resolved: `sigseek/storage` is a link in a checkout
    installed = storage / "migrations"
    return installed if installed.is_dir() else storage.parent / "alembic"


def _upgrade(connection: Connection, path: Path) -> None:
    """Bring the schema to the newest, wholly or not at all."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    config.attributes["connection"] = connection
    connection.detach()  # its setting is not for others
    # A table is changed by making it anew: with foreign keys on, dropping the old one would delete
    # what belongs to its rows.
    _outside_transactions(connection, "PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            command.upgrade(config, "head")
    except CommandError as error:
        said = f"{path} has a schema that no sigseek made ({error})"
        raise LibraryError(
            f"{said}; put a backup in its place, or move it away and index again"
        ) from error
