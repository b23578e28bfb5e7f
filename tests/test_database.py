import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, create_engine

from storage import Catalog, FailureRecord, LibraryError, PhotoRecord
from storage.database import HEAD, migrations_directory, open_database
from storage.models import Base
from tests.catalogs import add_checkpoint, add_photos, random_unit


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


def make_schema(path: Path, revision: str) -> None:
    """An empty library of an older program."""
    engine = create_engine(URL.create("sqlite", database=str(path)))
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def test_a_library_of_the_first_schema_keeps_its_embeddings_and_has_them_counted(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    make_schema(path, "0001")
    with sqlite3.connect(path) as connection:
        for id_, name in [(1, "a"), (2, "b"), (3, "c")]:
            connection.execute("INSERT INTO checkpoint VALUES (?, ?, 'f' || ?, 'p', 2, 32, 1, 0, 5, 't')", (id_, name, name))
            connection.execute("INSERT INTO photo VALUES (?, ?, 1, 1, 'JPEG', NULL, NULL, NULL, NULL)", (id_, name.encode()))
        for checkpoint, photo in [(1, 1), (1, 2), (1, 3), (2, 2)]:
            connection.execute("INSERT INTO embedding VALUES (?, ?, ?, 'fp32', 1, 5)", (checkpoint, photo, b"\0\x3c\0\0"))
    connection.close()
    catalog = Catalog(tmp_path)
    assert [record.embeddings for record in catalog.checkpoints()] == [3, 1, 0]
    ids, vectors = catalog.embeddings(1)
    assert (ids.tolist(), vectors.tolist()) == ([1, 2, 3], [[1, 0]] * 3)
    catalog.close()


def test_a_library_of_the_second_schema_keeps_everything_and_was_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    make_schema(path, "0002")
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO checkpoint VALUES (1, 'a', 'f', 'p', 2, 32, 1, 0, 5, 't', 0)")
        connection.execute("INSERT INTO folder VALUES (1, '/p', '2024-05-06 07:08:09.000000')")
        connection.execute("INSERT INTO failure VALUES (1, 1, 'bad.jpg', 'damaged', 3, 4)")
        for id_ in (1, 2):
            connection.execute("INSERT INTO photo VALUES (?, ?, 4, 3, 'JPEG', '2024', 'camera', 1.5, -2.5)", (id_, b"%d" % id_))
            connection.execute("INSERT INTO file VALUES (?, 1, ?, ?, 10, 20, NULL)", (id_, f"{id_}.jpg", id_))
            connection.execute("INSERT INTO embedding VALUES (1, ?, ?, 'fp32', 1, 5)", (id_, b"\0\x3c\0\0"))
        before = list(connection.iterdump())
    connection.close()
    catalog = Catalog(tmp_path)
    with sqlite3.connect(path) as connection:
        after = set(connection.iterdump())
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)
    connection.close()
    changed = ("alembic_version", "CREATE TABLE embedding", 'INSERT INTO "embedding"', "CREATE TABLE photo", 'INSERT INTO "photo"')
    assert [line for line in before if line not in after and not any(part in line for part in changed)] == []
    ids, vectors = catalog.embeddings(1)
    assert (ids.tolist(), vectors.tolist()) == ([1, 2], [[1, 0]] * 2)
    assert catalog.checkpoints()[0].embeddings == 2
    assert catalog.photos([1])[1] == PhotoRecord(1, ("/p/1.jpg",), 4, 3, "2024", "camera", 1.5, -2.5)
    assert np.isnan(catalog.biases(1, ids)).all()
    assert (catalog.measured(1), catalog.reference(1), catalog.calibration(1), catalog.tags()) == (None, None, None, {})
    with catalog.transaction() as transaction:
        transaction.put_biases(1, ids, np.array([0.25, 0.5], np.float32))
        transaction.put_tag("cat", 1, ids[:1], np.array([0.75], np.float32))
    assert catalog.biases(1, ids).tolist() == [0.25, 0.5]
    assert catalog.tags() == {"cat": 1}
    catalog.close()


def test_files_of_formats_that_are_read_now_are_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    make_schema(path, "0003")
    reasons = {
        "a.heic": "HEIC photos are not read yet; export them as JPEG",
        "b.nef": "camera RAW is not read yet; export it as JPEG",
        "heic.jpg": "not a picture, or damaged at its very start",
        "c.jpg": "damaged, or of a kind that is not read (image file is truncated)",
    }
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO folder VALUES (1, '/p', NULL)")
        for name, reason in reasons.items():
            connection.execute(
                "INSERT INTO failure (folder_id, path, reason, size, mtime_ns) VALUES (1, ?, ?, 3, 4)", (name, reason)
            )
    connection.close()
    catalog = Catalog(tmp_path)
    failures = {failure.path: failure for failure in catalog.folder_failures(1)}
    assert {name: failure.reason for name, failure in failures.items()} == reasons
    assert {name for name, failure in failures.items() if (failure.size, failure.mtime_ns) == (3, 4)} == {"c.jpg"}
    catalog.close()


def test_embeddings_are_counted_as_they_come_and_go(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, 2)
    add_photos(catalog, checkpoint, random_unit(3, 2), Path("/p"), ["a", "b", "c"])
    add_photos(catalog, checkpoint, random_unit(2, 2), Path("/p"), ["c", "d"])  # c is embedded again
    assert catalog.checkpoints()[0].embeddings == 4
    with catalog.transaction() as transaction:
        transaction.remove_files(1, ["a", "b"])
        transaction.remove_photos_without_files()
    assert catalog.checkpoints()[0].embeddings == 2
    catalog.close()


def test_removing_a_photo_looks_at_no_other_photos_embeddings(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "catalog.sqlite")
    with engine.connect() as connection:  # as SQLite does it for a foreign key
        plan = connection.exec_driver_sql("EXPLAIN QUERY PLAN DELETE FROM embedding WHERE photo_id = 1").fetchall()
    assert [row[3] for row in plan] == [
        "SEARCH embedding USING COVERING INDEX ix_embedding_photo_id (photo_id=?)",
        "SEARCH bias USING PRIMARY KEY (checkpoint_id=? AND photo_id=?)",
    ]
    engine.dispose()


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


def test_an_older_library_that_cannot_be_written(ordinary_folder: Path) -> None:
    directory = ordinary_folder / "library"
    directory.mkdir()
    make_schema(directory / "catalog.sqlite", "0002")
    contents = (directory / "catalog.sqlite").read_bytes()
    directory.chmod(0o555)
    with pytest.raises(LibraryError, match="is of an older sigseek and cannot be written; make it writable once"):
        Catalog(directory)
    directory.chmod(0o755)
    assert (directory / "catalog.sqlite").read_bytes() == contents


def test_readers_neither_wait_for_a_writer_nor_see_half_of_its_changes(tmp_path: Path) -> None:
    writer, reader = Catalog(tmp_path), Catalog(tmp_path)
    checkpoint = add_checkpoint(writer, 2)
    with writer.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
        transaction.put_failure(folder.id, FailureRecord("a.jpg", "damaged", 1, 2))
        assert (reader.folders(), reader.failures()) == ([], [])
    chunks = reader.embedding_chunks(checkpoint.id)
    next(chunks)  # the reader is at it while others write
    add_photos(writer, checkpoint, random_unit(3, 2), Path("/p"), ["a", "b", "c"])
    assert [len(ids) for ids, _ in chunks] == [], "what it reads is of one moment"
    assert len(reader.embeddings(checkpoint.id)[0]) == 3
    writer.close()
    reader.close()


def test_a_second_writer_waits_and_builds_upon_the_first(tmp_path: Path) -> None:
    """Both read before they write: one that had read before the other wrote could not write any more."""
    first, second = Catalog(tmp_path), Catalog(tmp_path)
    checkpoint = add_checkpoint(first, 2)
    with ThreadPoolExecutor(1) as aside:
        with first.transaction() as transaction:
            transaction.add_embeddings(checkpoint.id, {})
            waiting = aside.submit(add_photos, second, checkpoint, random_unit(1, 2), Path("/p"), ["a"])
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
        waiting.result(30)
    assert first.checkpoints()[0].generation == 2
    first.close()
    second.close()
