"""What takes each library of the tests longer than the test itself, and is done once for all of
them, or not at all. It concerns this process only, and no command that a test starts.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection
from sqlalchemy.pool import ConnectionPoolEntry

from sigseek.storage.catalog import schema, sqlite
from sigseek.storage.catalog.sqlite import SqliteDialect

_EMPTY = 4096
"""Bytes of an SQLite file without tables."""


@contextmanager
def tables_copied() -> Iterator[None]:
    """Run the migrations for the first new SQLite file, and give the others its tables."""
    upgrade = SqliteDialect._upgrade
    scripts: dict[str, str] = {}
    """What makes the tables of a new library, by the schema's version."""

    def upgrade_or_copy(dialect: SqliteDialect, connection: Connection) -> None:
        database = connection.connection.driver_connection
        assert isinstance(database, sqlite3.Connection)
        # SQLite is not asked, because tests count the statements of an upgrade.
        is_new = dialect.path.stat().st_size <= _EMPTY
        if is_new and schema.HEAD in scripts:
            database.executescript(scripts[schema.HEAD])
            return
        upgrade(dialect, connection)
        if is_new:
            scripts[schema.HEAD] = "\n".join(database.iterdump())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SqliteDialect, "_upgrade", upgrade_or_copy)
        yield


@contextmanager
def without_waiting_for_the_disk() -> Iterator[None]:
    """Have files written without waiting until the disk has them: only a power cut would tell."""
    set_up = sqlite._set_up

    def set_up_without_waiting(
        synchronous: str, connection: sqlite3.Connection, entry: ConnectionPoolEntry
    ) -> None:
        set_up("OFF", connection, entry)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_set_up", set_up_without_waiting)
        patch.setattr(os, "fsync", lambda file: None)
        yield
