import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from storage import Catalog, LibraryError
from storage.database import HEAD, migrations_directory, open_database
from storage.models import Base


def test_models_and_migrations_agree(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "catalog.sqlite")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        tables = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'photo'").scalar()
    assert "AUTOINCREMENT" in tables, "ids of photos are never used again"
    engine.dispose()


def test_the_newest_migration_is_the_one_written_down() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_what_every_connection_is_set_to(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "catalog.sqlite")
    with engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 1, 30_000]
    engine.dispose()


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(tmp_path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(LibraryError, match="newer sigseek"):
        Catalog(tmp_path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("9999",)
    connection.close()


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="another program"):
        Catalog(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("contents", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_a_damaged_database_is_refused_and_left_alone(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(contents)
    with pytest.raises(LibraryError, match=str(path)):
        Catalog(tmp_path)
    assert path.read_bytes() == contents


def test_a_library_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="cannot be made"):
        Catalog(tmp_path / "file" / "library")


def test_a_directory_that_cannot_be_written(ordinary_folder: Path) -> None:
    directory = ordinary_folder / "library"
    directory.mkdir(mode=0o555)
    with pytest.raises(LibraryError, match="cannot be written"):
        Catalog(directory)
    assert list(directory.iterdir()) == []


def test_a_library_that_became_read_only(ordinary_folder: Path) -> None:
    directory = ordinary_folder / "library"
    Catalog(directory).close()
    contents = (directory / "catalog.sqlite").read_bytes()
    for path in directory.iterdir():
        path.chmod(0o444)
    directory.chmod(0o555)
    with pytest.raises(LibraryError, match="cannot be written"):
        Catalog(directory).close()
    directory.chmod(0o755)
    assert (directory / "catalog.sqlite").read_bytes() == contents
