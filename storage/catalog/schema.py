"""The schema's version, and the runner of the migrations in `alembic/versions`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.storage.errors import LibraryError

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0025"
"""The newest migration. It is written down here so that opening a library of this version does not
load alembic; a test compares the two.
"""
READABLE_FROM = "0021"
"""The oldest schema whose programs can still read a library of the newest one. They understand all
that they find if every migration since has only added tables and columns.
"""
READABLE = "readable_from"
"""The name of the setting that tells older programs so. Its value is the library's schema and the
oldest one whose programs can read it, with a space between.
"""

_VERSION = text("SELECT version_num FROM alembic_version")
_COPY = "copy-"
_UNFINISHED = f"{_COPY}{HEAD}"
"""The version of a database into which a library is being copied. No older program opens it."""


def version(connection: Connection, where: str, *, unfinished: bool = False) -> str | None:
    """Return the schema's version, None for an empty database. It is newer than `HEAD` where this
    program may read the library, but not change it.

    Raises LibraryError for a database of another program, for one of a newer sigseek that this one
    cannot read, and for an unfinished copy of a library, unless `unfinished`.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise LibraryError(
            f"{where} is a database of another program",
            Remedy("choose another library with {}", (Option("directory"),)),
            ErrorKind.INVALID,
        )
    found: str | None = connection.execute(_VERSION).scalar()
    if found == _UNFINISHED:
        if unfinished:
            return HEAD
        raise LibraryError(
            f"{where} is an unfinished copy of a library",
            "copy the library there once more to finish it, or remove it",
            ErrorKind.BUSY,
        )
    if found and found.startswith(_COPY):
        raise LibraryError(
            f"{where} is an unfinished copy of a library, begun by another version of sigseek",
            "remove it, and copy the library again",
            ErrorKind.UNSUPPORTED,
        )
    if found and found > HEAD and not _may_read(connection, found, tables):
        raise LibraryError(
            f"{where} was made by a newer sigseek (schema {found}, this one knows {HEAD})",
            "upgrade sigseek",
            ErrorKind.UNSUPPORTED,
        )
    return found


def check_writable(connection: Connection, where: str) -> None:
    """Raise LibraryError in a transaction that writes to a library of a newer sigseek. It may have
    been upgraded after this program opened it.
    """
    check_writable_version(connection.execute(_VERSION).scalar(), where)


def check_writable_version(found: str | None, where: str) -> None:
    """Raise LibraryError as `check_writable` does, for the version that is in the database."""
    if found not in (HEAD, _UNFINISHED):
        raise LibraryError(
            f"{where} was upgraded by a newer sigseek (schema {found}, this one knows {HEAD}), "
            "and this one can only read it",
            "upgrade sigseek",
            ErrorKind.UNSUPPORTED,
        )


def changed(where: str, said: str) -> tuple[str, str]:
    """Return what was found, and what to do, where a statement of this program does not fit the
    tables.
    """
    return (
        f"{where} has other tables than this sigseek knows ({said})",
        "a newer sigseek may have upgraded the library: start that one in the place of this one",
    )


def migrations_directory() -> Path:
    """Return the directory of migrations: inside this package when installed, beside it in a
    checkout.
    """
    # Resolved, because `sigseek/storage` is a link in a checkout.
    storage = Path(__file__).resolve().parent.parent
    installed = storage / "migrations"
    return installed if installed.is_dir() else storage.parent / "alembic"


def upgrade(connection: Connection, where: str) -> None:
    """Bring the schema to the newest version. The caller has begun a transaction.

    Raises LibraryError for a version that no migration leads from.
    """
    from alembic import command
    from alembic.util import CommandError

    try:
        command.upgrade(_config(connection), "head")
    except CommandError as error:
        raise LibraryError(
            f"{where} has a schema that no sigseek made ({error})",
            "put a backup in its place, or move it away and index again",
            ErrorKind.DAMAGED,
        ) from error
    _put_readable(connection)


def mark_newest(connection: Connection) -> None:
    """Note that the tables are those of the newest version, without running migrations. Alembic's
    own table is empty.
    """
    note = text("INSERT INTO alembic_version (version_num) VALUES (:version)")
    connection.execute(note, {"version": HEAD})
    _put_readable(connection)


def is_unfinished(connection: Connection) -> bool:
    """Return whether the database is an unfinished copy of a library."""
    return connection.execute(_VERSION).scalar() == _UNFINISHED


def mark_unfinished(connection: Connection, *, unfinished: bool) -> None:
    """Note whether the database is an unfinished copy of a library."""
    connection.execute(
        text("UPDATE alembic_version SET version_num = :version"),
        {"version": _UNFINISHED if unfinished else HEAD},
    )


def _may_read(connection: Connection, found: str, tables: set[str]) -> bool:
    """Return whether the newer sigseek that made this schema says that this one can read it."""
    if "setting" not in tables:
        return False
    query = text("SELECT value FROM setting WHERE name = :name")
    said: str = connection.execute(query, {"name": READABLE}).scalar() or ""
    schema, _, oldest = said.partition(" ")
    return schema == found and bool(oldest) and oldest <= HEAD


def _put_readable(connection: Connection) -> None:
    """Note which older programs can read the library."""
    row = {"name": READABLE, "value": f"{HEAD} {READABLE_FROM}"}
    connection.execute(text("DELETE FROM setting WHERE name = :name"), row)
    connection.execute(text("INSERT INTO setting (name, value) VALUES (:name, :value)"), row)


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
