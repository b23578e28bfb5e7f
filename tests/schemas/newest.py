"""Writes `storage/catalog/newest.sql`: `make schema`, after a migration was written or changed.

The file has the statements that make the tables of a new library in SQLite. They are those that the
migrations leave behind, so a new library and an upgraded one do not differ.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from sigseek.storage.catalog import schema
from sigseek.storage.catalog.sqlite import NEWEST


def migrated() -> str:
    """Return the statements that make what all migrations together make of an empty database."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        engine = create_engine("sqlite://", creator=lambda: database, poolclass=StaticPool)
        with engine.connect() as connection:
            schema.upgrade(connection, "a new library")
        made = database.execute(
            "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' "
            "ORDER BY type = 'table' DESC, rowid"
        ).fetchall()
    return "".join(f"{statement};\n" for (statement,) in made)


def main(target: Path = NEWEST) -> None:
    """Write the file."""
    target.write_text(migrated(), encoding="utf-8")
    print(f"wrote {target}")


if __name__ == "__main__":
    main()
