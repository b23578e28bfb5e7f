"""Copies of libraries, between directories and PostgreSQL databases."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, update

import sigseek
from sigseek.operations.directory import LibraryDirectory
from sigseek.progress import Progress, Stop
from sigseek.storage import LibraryError
from sigseek.storage.catalog import FILE_NAME, copying, schema
from sigseek.storage.catalog.sqlite import SqliteDialect
from sigseek.storage.catalog.tables import (
    COUNT_CHANGE,
    FACET_BLOCK,
    FILE,
    FOLDER,
    METADATA,
    TASK,
    UNHELD_PHOTO,
    WORKER,
)
from tests.conftest import Run
from tests.listeners import Heard
from tests.postgresql import Server


@pytest.fixture
def address(postgresql_server: Server) -> Iterator[str]:
    """The address of a database without tables."""
    url = postgresql_server.empty_database()
    yield url.set(drivername="postgresql").render_as_string(hide_password=False)
    postgresql_server.drop(url)


@pytest.fixture
def full(mini_library: Path, tmp_path: Path) -> Path:
    """A library with something in most tables."""
    directory = Path(shutil.copytree(mini_library, tmp_path / "full"))
    with sigseek.open(directory, model="mini") as library:
        library.tag(["a house", "a thing that no photo shows"])
        best = [hit.id for hit in library.search("a house", limit=3, include_all=True)]
        library.add_tag("Größe \N{FULLWIDTH TILDE} tag", best)
        library.duplicates()
        library.not_duplicates(best[:2])
    return directory


def tables(library: sigseek.Library) -> dict[str, list[dict[str, object]]]:
    """Return all rows of a library but what each database has for itself. Each counts its own
    rows, and makes blocks of them to count by, which `verify` compares with the rows.
    """
    found = {}
    with library._directory.catalog()._connect() as connection:
        for table in METADATA.sorted_tables:
            if table in (COUNT_CHANGE, UNHELD_PHOTO, FACET_BLOCK):
                continue
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
            for row in rows if table.name == "checkpoint" else []:
                del row["token"]
            kept = [row for row in rows if row.get("name") not in copying._OWN_SETTINGS]
            found[table.name] = sorted(kept, key=repr)
    return found


def answers(library: sigseek.Library) -> list[tuple[str, float]]:
    return [(hit.path, round(hit.probability, 5)) for hit in library.search("a house NOT a tree")]


def test_a_library_goes_to_postgresql_and_back(full: Path, address: str, tmp_path: Path) -> None:
    with sigseek.open(full, model="mini") as library:
        before, wanted = tables(library), answers(library)
        assert library.copy_to(address) == address
    assert all(before[name] for name in ("embedding", "sketch", "tag", "hand_tag", "distinct_pair"))
    with sigseek.open(address, model="mini") as database:
        assert tables(database) == before
        assert answers(database) == wanted
        assert database.verify().problems == ()
        assert database._directory.catalog().lacking_facet_blocks() == []
        heard = Heard()
        database.copy_to(tmp_path / "back", listener=heard)
        assert heard.progress[-1].done == heard.progress[-1].total == sum(map(len, before.values()))
    with sigseek.open(tmp_path / "back", model="mini") as back:
        assert tables(back) == before
        assert answers(back) == wanted
        assert back.verify(contents=True).problems == ()


def test_new_photos_get_new_ids_in_a_copy(full: Path, address: str, drawn: Path) -> None:
    with sigseek.open(full) as library:
        library.copy_to(address)
        photos = library.status().photos
    with sigseek.open(address, model="mini") as database:
        database.forget(drawn)
        assert database.index(drawn).added == photos
        assert database.verify().problems == ()


def test_a_copy_that_was_cut_off_goes_on(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_TOGETHER", 7)
    copy, stop = tmp_path / "copy", Stop()

    class Stopping(Heard):
        def advanced(self, progress: Progress) -> None:
            super().advanced(progress)
            if progress.done > 100:
                stop.set()

    with sigseek.open(full, model="mini") as library:
        with pytest.raises(sigseek.StoppedError):
            library.copy_to(copy, listener=Stopping(), stop=stop)
        with pytest.raises(LibraryError, match="unfinished copy"):
            sigseek.open(copy, model="mini").status()
        # What changes meanwhile is in the copy as it is at its end.
        gone = library.search("a house", limit=1, include_all=True)[0]
        library.remove_tag("Größe \N{FULLWIDTH TILDE} tag", [gone.id])
        library.index()
        library.copy_to(copy)
        with sigseek.open(copy, model="mini") as copied:
            assert tables(copied) == tables(library)
            assert answers(copied) == answers(library)


def test_a_copy_goes_on_where_a_row_has_the_path_of_a_removed_one(
    full: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    with sigseek.open(full, model="mini") as library:
        catalog = library._directory.catalog()
        library.copy_to(copy)
        marked = SqliteDialect(copy / "catalog.sqlite", unfinished=True)
        with marked.writers.begin() as connection:
            schema.mark_unfinished(connection, unfinished=True)
        marked.close()
        # SQLite gives the id of a removed last row to the next row.
        with catalog._dialect.writers.begin() as connection:
            rows = connection.execute(select(FILE).order_by(FILE.c.id)).mappings().all()
            connection.execute(delete(FILE).where(FILE.c.id >= rows[-3]["id"]))
            connection.execute(insert(FILE), {**rows[-1], "id": rows[-3]["id"]})
        library.copy_to(copy)
        with sigseek.open(copy, model="mini") as copied:
            assert tables(copied) == tables(library)


def test_a_copy_goes_on_where_rows_have_swapped_their_paths(full: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    with sigseek.open(full, model="mini") as library:
        catalog = library._directory.catalog()
        with catalog.transaction() as transaction:
            transaction.add_folder(tmp_path / "second")
            transaction.add_folder(tmp_path / "third")
        library.copy_to(copy)
        marked = SqliteDialect(copy / "catalog.sqlite", unfinished=True)
        with marked.writers.begin() as connection:
            schema.mark_unfinished(connection, unfinished=True)
        marked.close()
        for table in (FILE, FOLDER):
            with catalog._dialect.writers.begin() as connection:
                rows = connection.execute(select(table.c.id, table.c.path).order_by(table.c.id))
                first, second = rows.all()[-2:]
                paths = {first.id: "aside", second.id: first.path}
                for id_, path in (*paths.items(), (first.id, second.path)):
                    connection.execute(update(table).where(table.c.id == id_).values(path=path))
        library.copy_to(copy)
        with sigseek.open(copy, model="mini") as copied:
            assert tables(copied) == tables(library)


def test_processes_that_index_a_library_do_not_index_its_copy(full: Path, tmp_path: Path) -> None:
    with sigseek.open(full, model="mini") as library:
        with library._directory.catalog()._dialect.writers.begin() as connection:
            now = datetime.now(UTC)
            worker = {"id": 1, "name": "process 1", "joined_at": now, "lease_until": now}
            connection.execute(insert(WORKER), worker)
            task = {"path": "a.jpg", "size": 1, "mtime_ns": 1, "worker_id": 1}
            connection.execute(insert(TASK), {"folder_id": 1, "checkpoint_id": 1, **task})
        library.copy_to(tmp_path / "copy")
    with sigseek.open(tmp_path / "copy", model="mini") as copied:
        found = tables(copied)
        assert (found["worker"], found["task"]) == ([], [])


KILLED = """
import os, signal, sys
import sigseek
from sigseek.storage.catalog import copying

library, target, table_name, moment = sys.argv[1:]
put_changed = copying._put_changed

def put_and_die(connection, target, table, *rows):
    if table.name == table_name and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    put_changed(connection, target, table, *rows)
    if table.name == table_name:
        os.kill(os.getpid(), signal.SIGKILL)

copying._put_changed, copying._TOGETHER = put_and_die, 10
with sigseek.open(library) as opened:
    opened.copy_to(target)
"""
"""A copy that is killed when a table's turn has come, or in the middle of a transaction."""


def test_a_library_of_a_newer_program_is_not_copied_in_part(full: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(full / FILE_NAME)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        readable = (f"9999 {schema.HEAD}", schema.READABLE)
        connection.execute("UPDATE setting SET value = ? WHERE name = ?", readable)
    with (
        sigseek.open(full) as library,
        pytest.raises(LibraryError, match="was upgraded by a newer sigseek"),
    ):
        library.copy_to(tmp_path / "copy")


def test_a_killed_copy_is_finished_by_the_same_command(
    full: Path, address: str, run: Run, tmp_path: Path
) -> None:
    for target in (address, str(tmp_path / "copy")):
        for table, moment in (("photo", "after"), ("embedding", "before"), ("bias", "after")):
            command = [sys.executable, "-c", KILLED, full, target, table, moment]
            killed = subprocess.run(command, capture_output=True, check=False)
            assert killed.returncode == -signal.SIGKILL, killed.stderr
        run("copy", full, target)
        with sigseek.open(full) as library, sigseek.open(target) as copied:
            assert tables(copied) == tables(library)


def test_a_library_that_comes_meanwhile_is_not_written_over(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Path(shutil.copytree(full, tmp_path / "other"))
    with sigseek.open(full, model="mini") as library:
        library.status()
        monkeypatch.setattr(LibraryDirectory, "exists", lambda directory: False)
        with pytest.raises(LibraryError, match="holds a library already"):
            library.copy_to(other)


def test_a_library_that_is_there_is_not_written_over(full: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").touch()
    done = run("copy", full, tmp_path / "file", check=False)
    assert done.stderr.endswith("is a file, and a library is a directory; "
                                "give LIBRARY or TO a directory\n")  # fmt: skip
    other = shutil.copytree(full, tmp_path / "other")
    done = run("copy", full, other, check=False)
    assert done.returncode == 1
    assert "holds a library already; choose another place" in done.stderr
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").touch()
    done = run("copy", full, photos, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: {photos} contains files that are not a library's, such as a.jpg; "
        "choose an empty directory or a new one\n",
    )
    assert [path.name for path in photos.iterdir()] == ["a.jpg"]
    done = run("copy", full, full, check=False)
    assert done.returncode == 1
    assert "is the library itself" in done.stderr
    done = run("copy", tmp_path / "nothing", other, check=False)
    assert done.stderr.endswith(
        f"make one with: sigseek index --library {tmp_path / 'nothing'} FOLDER\n"
    )


def test_names_that_no_library_has_are_refused(
    mini_library: Path, tmp_path: Path, run: Run
) -> None:
    """An empty name, such as a shell makes of an unset variable, would be the current directory."""
    before = sorted(tmp_path.rglob("*"))
    for words in (("copy", mini_library, ""), ("copy", "", tmp_path / "copy")):
        done = run(*words, check=False)
        assert done.returncode == 2
        assert "the name is empty; is a shell variable not set?" in done.stderr
    for words in (("copy", mini_library, "mysql://me:secret@host/a"),
                  ("status", "--library", "mysql://me:secret@host/a")):  # fmt: skip
        done = run(*words, check=False)
        assert done.returncode == 1
        assert done.stderr.endswith(
            "mysql:// begins no address of a library; give a directory, or an address such as "
            "postgresql://me@server/photos\n"
        )
        assert "secret" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before
