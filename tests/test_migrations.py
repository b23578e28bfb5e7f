"""Libraries of older programs, one committed dump for each schema, are upgraded wholly or not at
all.
"""

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.pool import Pool

import sigseek
from sigseek.siglip import Checkpoint
from sigseek.storage import Catalog, FailureKind, LibraryError
from sigseek.storage.catalog import schema as schema_module
from sigseek.storage.catalog.schema import HEAD, migrations_directory
from sigseek.storage.catalog.sqlite import NEWEST
from tests.conftest import Run
from tests.schemas.make import SCHEMAS, lay_out, restore
from tests.schemas.newest import migrated

REVISIONS = sorted(path.stem for path in SCHEMAS.glob("*.sql"))
every_fifth = pytest.mark.parametrize(
    "revision",
    [
        pytest.param(revision, marks=() if number % 5 == 0 else pytest.mark.slow)
        for number, revision in enumerate(REVISIONS)
    ],
)
"""The oldest schema, the newest and some between them; `test_every_row_is_kept` upgrades all."""
OLDER = [revision for revision in REVISIONS if revision != HEAD]
SHOWN = {
    "summer/cats.jpg",
    "summer/going.jpg",
    "summer/house.jpg",
    "summer/by the sea/caf\udce9.jpg",
    "summer/by the sea/flowers.jpg",
    "winter/balloons.jpg",
    "winter/bicycle.jpg",
    "winter/mühle.jpg",
}


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def schema(path: Path) -> list[tuple[str, ...]]:
    """Return all tables, indices and triggers, as they were made."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        ).fetchall()


def tables(
    path: Path, like: dict[str, dict[str, list[Any]]] | None = None
) -> dict[str, dict[str, list[Any]]]:
    """Return the values of all rows by table and column, in the order of their keys; only those
    that `like` has, too.
    """
    contents = {}
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'alembic%'"
            " AND name <> 'sketch'"  # the next indexing makes sketches of a newer version
        ).fetchall()
        for (table,) in names:
            described = connection.execute(
                f"SELECT name, pk FROM pragma_table_info('{table}')"
            ).fetchall()
            keys = [
                name for name, key in sorted(described, key=lambda column: column[1]) if key
            ] or ["1"]
            columns = [name for name, _ in described if like is None or name in like.get(table, ())]
            if columns:
                # every upgrade notes anew which programs can read the library
                chosen = "WHERE name <> 'readable_from'" if table == "setting" else ""
                rows = connection.execute(
                    f"SELECT {', '.join(columns)} FROM {table} {chosen} ORDER BY {', '.join(keys)}"
                ).fetchall()
                contents[table] = {
                    name: [row[number] for row in rows] for number, name in enumerate(columns)
                }
    return contents


def test_every_schema_but_the_newest_has_a_dump() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert known - {HEAD} <= set(REVISIONS), (
        "make the one that is missing with the program as it was: python -m tests.schemas.make"
    )


def test_a_new_library_has_the_tables_that_the_migrations_make() -> None:
    assert NEWEST.read_text(encoding="utf-8") == migrated(), "run `make schema`"


def test_a_new_library_is_made_without_alembic(tmp_path: Path) -> None:
    made = (
        "import sys; from pathlib import Path; from sigseek.storage import Catalog\n"
        "Catalog(Path(sys.argv[1])).close(); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", made, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [(HEAD,)]
        assert connection.execute("SELECT * FROM setting").fetchall() == [
            ("readable_from", f"{HEAD} {schema_module.READABLE_FROM}")
        ]


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_row_is_kept(tmp_path: Path, revision: str) -> None:
    path = restore(revision, tmp_path / "library")
    before = tables(path)
    assert (len(before["photo"]["id"]), len(before["embedding"]["vector"])) == (8, 15)
    Catalog(tmp_path / "library").close()
    Catalog(tmp_path / "new").close()
    assert schema(path) == schema(tmp_path / "new" / "catalog.sqlite")
    after = tables(path, like=before)
    assert set(after) == set(before)
    for table, columns in after.items():
        assert columns == {name: before[table][name] for name in columns}, table
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


@every_fifth
def test_embeddings_are_counted_from_then_on(tmp_path: Path, revision: str) -> None:
    restore(revision, tmp_path / "library")
    catalog = Catalog(tmp_path / "library")
    counts = [[record.embeddings for record in catalog.checkpoints()]]
    with catalog.transaction() as transaction:
        transaction.remove_files(2, ["balloons.jpg", "bicycle.jpg"])
        transaction.remove_photos_without_files()
    counts.append([record.embeddings for record in catalog.checkpoints()])
    assert counts == [[8, 7], [6, 5]]
    catalog.close()


@every_fifth
def test_the_library_answers_and_goes_on_without_embedding_anew(
    tmp_path: Path, mini: Checkpoint, revision: str
) -> None:
    lay_out(tmp_path)
    (tmp_path / "summer" / "going.jpg").unlink()
    path = restore(revision, tmp_path / "library", str(tmp_path))
    with (
        closing(sqlite3.connect(path)) as connection,
        connection,
    ):  # mini may have been trained on since
        today = (mini.fingerprint, mini.preprocessing.fingerprint)
        connection.execute(
            "UPDATE checkpoint SET fingerprint = ?, preprocessing = ? WHERE name = 'mini'", today
        )
    before = tables(path)["embedding"]
    with sigseek.open(tmp_path / "library", model="mini") as library:
        report = library.index()
        assert (report.scanned, report.unchanged, report.missing, report.failed) == (9, 8, 1, 1)
        assert (report.added, report.changed, report.moved, report.device) == (0, 0, 0, None)
        hits = library.search("three green cats", limit=20, include_all=True).hits
        assert {hit.path for hit in hits} == {str(tmp_path / name) for name in SHOWN}
        assert hits[0].path == str(tmp_path / "summer" / "cats.jpg")
        status = library.status()
        assert (status.photos, status.files, status.missing, status.failures) == (8, 8, 1, 1)
        assert [(folder.path, folder.files, folder.missing) for folder in status.folders] == [
            (str(tmp_path / "summer"), 4, 1),
            (str(tmp_path / "winter"), 4, 0),
        ]
        assert [(known.model, known.embeddings) for known in status.checkpoints] == [
            ("mini", 8),
            (str(tmp_path / "tiny"), 7),
        ]
    after = tables(path)["embedding"]
    assert {name: after[name] for name in before} == before


OLD_REASONS = {
    "too large: 20000 x 15000 pixels; the limit is 250 megapixels; see index --max-megapixels": (
        FailureKind.TOO_LARGE
    ),
    "too large: 2,000 GB; no photo is larger than 16 GB": FailureKind.TOO_LARGE,
    "too large for this machine's memory": FailureKind.TOO_LARGE,
    "decoding it takes more than 1,280 MB of memory": FailureKind.TOO_LARGE,
    "decoding it takes more than 54 s of processor time": FailureKind.SLOW,
    "decoding it was not done after 270 s, the disk or the network may be why; the next run "
    "tries it again": FailureKind.SLOW,
    "cannot be read: Permission denied": FailureKind.UNREADABLE,
    "cannot be looked at: Too many levels of symbolic links": FailureKind.UNREADABLE,
    "the directory cannot be read: Permission denied": FailureKind.UNREADABLE,
    "it changed while it was read; the next run tries it again": FailureKind.CHANGED,
    "vector graphics are not read; export it as PNG": FailureKind.UNSUPPORTED,
    "this format is not read; export it as PNG or JPEG": FailureKind.UNSUPPORTED,
    "PostScript is not read, because that would start another program": FailureKind.UNSUPPORTED,
    "decoding it ended the worker process (SIGKILL)": FailureKind.INTERRUPTED,
    "no process to decode it in could be started (exit code 1); see whether memory is short": (
        FailureKind.INTERRUPTED
    ),
    "decoding it ended the worker process (SIGSEGV)": FailureKind.NO_PICTURE,
    "the file is empty": FailureKind.NO_PICTURE,
    "damaged, or of a kind that is not read (image file is truncated)": FailureKind.NO_PICTURE,
}


def test_old_failures_get_the_kind_that_their_reason_tells(tmp_path: Path) -> None:
    path = restore("0004", tmp_path / "library")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM failure")
        connection.executemany(
            "INSERT INTO failure (folder_id, path, reason, size, mtime_ns) VALUES (1, ?, ?, 1, 2)",
            [(f"{number}.jpg", reason) for number, reason in enumerate(OLD_REASONS)],
        )
    catalog = Catalog(tmp_path / "library")
    failures = catalog.folder_failures(1)
    catalog.close()
    assert {failure.reason: failure.kind for failure in failures} == OLD_REASONS
    assert {(failure.size, failure.pixels, failure.tried_at) for failure in failures} == {
        (1, None, None)
    }


def test_dates_of_clocks_that_were_never_set_are_removed(tmp_path: Path) -> None:
    path = restore("0004", tmp_path / "library")
    dates = ["0001-01-01T00:00:00", "1839-09-01T12:00:00", "2021-07-03T18:05:09+02:00", None]
    with closing(sqlite3.connect(path)) as connection, connection:
        for id_, date in enumerate(dates, 1):
            connection.execute("UPDATE photo SET taken_at = ? WHERE id = ?", (date, id_))
    catalog = Catalog(tmp_path / "library")
    found = [photo.taken_at for _, photo in sorted(catalog.photos([1, 2, 3, 4]).items())]
    catalog.close()
    assert found == [None, *dates[1:]]


def test_times_and_keywords_of_before_are_told_as_before(tmp_path: Path) -> None:
    path = restore("0007", tmp_path / "library")
    dates = ["2021-07-03T18:05:09+02:00", "2021-07-03T18:05:09-09:30", "2021-07-03T18:05:09", None]
    keywords = [(1, "sea"), (1, "Åland"), (3, "sea")]
    with closing(sqlite3.connect(path)) as connection, connection:
        for id_, date in enumerate(dates, 1):
            connection.execute("UPDATE photo SET taken_at = ? WHERE id = ?", (date, id_))
        connection.executemany("INSERT INTO keyword VALUES (?, ?)", keywords)
    catalog = Catalog(tmp_path / "library")
    found = [photo for _, photo in sorted(catalog.photos([1, 2, 3, 4]).items())]
    catalog.close()
    assert [photo.taken_at for photo in found] == dates
    assert [photo.keywords for photo in found] == [("sea", "Åland"), (), ("sea",), ()]
    assert {photo.facts_version for photo in found} == {0}


def test_mpo_files_are_looked_at_again_for_what_the_other_eye_sees(tmp_path: Path) -> None:
    path = restore("0017", tmp_path / "library")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE photo SET format = 'MPO' WHERE id = 3")
        hashed = connection.execute("SELECT id, hash_version FROM photo ORDER BY id").fetchall()
    Catalog(tmp_path / "library").close()
    with closing(sqlite3.connect(path)) as connection:
        now = connection.execute("SELECT id, hash_version FROM photo ORDER BY id").fetchall()
    assert now == [(id_, 0 if id_ == 3 else version) for id_, version in hashed]
    assert {version for _, version in hashed} == {2}


@pytest.mark.parametrize("version", ["copy-0001", "copy-9999"])
def test_a_copy_that_another_version_began_is_refused(tmp_path: Path, version: str) -> None:
    path = restore(REVISIONS[-1], tmp_path / "library")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", [version])
    for unfinished in (False, True):
        with pytest.raises(LibraryError, match="begun by another version of sigseek"):
            Catalog(path.parent, unfinished=unfinished)


def test_a_newer_library_is_refused_by_the_program_and_left_alone(tmp_path: Path, run: Run) -> None:
    path = restore(REVISIONS[-1], tmp_path / "library")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = dump(path)
    for arguments in (["status"], ["search", "a house"], ["index", tmp_path, "--model", "mini"]):
        done = run(*arguments, "--library", tmp_path / "library", check=False)
        refused = (
            f"error: {path} was made by a newer sigseek (schema 9999, this one knows {HEAD}); "
            "upgrade sigseek\n"
        )
        assert (done.returncode, done.stdout, done.stderr) == (1, "", refused)
    assert dump(path) == before


def test_a_newer_library_that_allows_it_is_read_and_not_changed(tmp_path: Path, run: Run) -> None:
    path = restore(REVISIONS[-1], tmp_path / "library")
    Catalog(path.parent).close()
    reader = Catalog(path.parent)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute(
            "UPDATE setting SET value = ? WHERE name = 'readable_from'", [f"9999 {HEAD}"]
        )
        connection.execute("ALTER TABLE photo ADD COLUMN later VARCHAR")
    assert reader.photo_count() == 8
    with (
        pytest.raises(LibraryError, match=r"upgraded by a newer sigseek .* can only read it"),
        reader.transaction() as transaction,
    ):
        transaction.remove_files(2, ["balloons.jpg"])
    reader.close()
    before = dump(path)
    assert "8 photos" in run("status", "--library", path.parent).stdout
    done = run("tag", "--label", "a cat", "--library", path.parent, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE setting SET value = '9999 9998' WHERE name = 'readable_from'")
    with pytest.raises(LibraryError, match="was made by a newer sigseek"):
        Catalog(path.parent)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE setting SET value = '9999 {HEAD}' WHERE name = 'readable_from'")
    assert dump(path) == before


def test_an_open_reader_says_why_when_an_upgrade_took_its_columns_away(tmp_path: Path) -> None:
    path = restore(REVISIONS[-1], tmp_path / "library")
    reader = Catalog(path.parent)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE checkpoint RENAME COLUMN generation TO version")
    with pytest.raises(
        LibraryError, match=r"has other tables than this sigseek knows .*generation"
    ):
        reader.checkpoints()
    reader.close()


def test_a_table_made_anew_takes_nothing_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What belongs to a photo is deleted with it, but not when a migration drops the old table of
    photos.
    """
    migrations = shutil.copytree(migrations_directory(), tmp_path / "migrations")
    later = f"""
        import sqlalchemy as sa
        from alembic import op
        revision, down_revision = "9999", "{HEAD}"
        def upgrade():
            options = {{"sqlite_autoincrement": True}}
            with op.batch_alter_table("photo", recreate="always", table_kwargs=options) as photo:
                photo.add_column(sa.Column("later", sa.String))
    """
    (migrations / "versions" / "9999_later.py").write_text(textwrap.dedent(later))
    monkeypatch.setattr(schema_module, "HEAD", "9999")
    monkeypatch.setattr(schema_module, "migrations_directory", lambda: migrations)
    path = restore(REVISIONS[-1], tmp_path / "library")
    before = tables(path)
    catalog = Catalog(tmp_path / "library")
    after = tables(path)
    assert after["photo"].pop("later") == [None] * 8
    kept = tables(path, like=before)
    for table, columns in kept.items():
        assert columns == {name: before[table][name] for name in columns}, table
    with catalog.transaction() as transaction:
        transaction.remove_files(1, ["house.jpg"])
        transaction.remove_photos_without_files()
    assert len(tables(path)["embedding"]["vector"]) == 13, (
        "for the program foreign keys are on again"
    )
    catalog.close()


def test_on_a_full_disk_the_old_schema_stays_whole(tmp_path: Path) -> None:
    path = restore(OLDER[0], tmp_path / "library")  # from there on the file has to grow
    with closing(sqlite3.connect(path)) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    said = [upgrade_within(path, pages + more) for more in range(10)]
    refused = [line for line in said if line]
    assert refused
    assert said == refused + [None] * (len(said) - len(refused)), (
        "with a page more than that, it is done"
    )
    assert all("disk is full" in line for line in refused)


def upgrade_within(path: Path, pages: int) -> str | None:
    """Open a library whose file may grow to so many pages. Returns what was said, with the library
    as it was, or None and it is new.
    """
    before = dump(path)
    with at_connecting(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}")):
        try:
            Catalog(path.parent).close()
        except LibraryError as error:
            assert dump(path) == before
            return str(error)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(HEAD,)]
    return None


@contextmanager
def at_connecting(prepare: Callable[[sqlite3.Connection], object]) -> Iterator[None]:
    """Prepare whatever connects to a database in this context."""

    def listener(connection: sqlite3.Connection, entry: object) -> None:
        prepare(connection)

    event.listen(Pool, "connect", listener)
    try:
        yield
    finally:
        event.remove(Pool, "connect", listener)


def upgrade(directory: Path, before_statement: Callable[[int], None]) -> None:
    """Upgrade a library, and call `before_statement` with the number of each statement.

    SQLite keeps next to nothing in memory meanwhile. So it writes changes before they are
    committed, as it does with the large tables of a large library.
    """
    seen = 0

    def count(sql: str) -> None:
        nonlocal seen
        seen += 1
        before_statement(seen)

    def prepare(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA cache_size = 1")
        connection.set_trace_callback(count)

    with at_connecting(prepare):
        Catalog(directory).close()


def upgrade_and_be_killed(directory: Path, statement: int) -> None:
    """Upgrade a library and be killed; this runs in a process of its own."""

    def kill(number: int) -> None:
        if number == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    upgrade(directory, kill)


def states_of_files(directory: Path) -> dict[int, dict[str, bytes]]:
    """Upgrade a library. Return the contents of its files by the first statement before which they
    were so. A kill at that statement leaves the same.
    """
    states: dict[int, dict[str, bytes]] = {}
    known: dict[str, bytes] = {}

    def look(number: int) -> None:
        nonlocal known
        files = {path.name: path.read_bytes() for path in directory.iterdir()}
        # SQLite makes the file of its locks again when nobody else has the database open.
        lasting = {name: held for name, held in files.items() if not name.endswith("-shm")}
        if lasting != known:
            states[number], known = files, lasting

    upgrade(directory, look)
    return states


# From each of these schemas all later migrations are made, so two old ones are enough.
@pytest.mark.parametrize("revision", ["0001", "0011"])
def test_killed_at_any_statement_the_old_schema_is_whole(tmp_path: Path, revision: str) -> None:
    """What a kill leaves is looked at for every statement. Every tenth time a process is killed,
    and the upgrade is made after all.
    """
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, "alembic.command"])
    before = dump(restore(revision, tmp_path / "whole"))
    states = states_of_files(tmp_path / "whole")
    after = dump(tmp_path / "whole" / "catalog.sqlite")
    assert len(states) > 40, "most statements are written before they are committed"
    for number, (statement, files) in enumerate(states.items()):
        left = tmp_path / f"{statement}"
        left.mkdir()
        for name, held in files.items():
            (left / name).write_bytes(held)
        assert dump(left / "catalog.sqlite") == before, f"half a schema at statement {statement}"
        if number % 10 == 0:
            killed = tmp_path / f"{statement} killed"
            restore(revision, killed)
            process = processes.Process(target=upgrade_and_be_killed, args=(killed, statement))
            process.start()
            process.join()
            assert process.exitcode == -signal.SIGKILL
            assert dump(killed / "catalog.sqlite") == before
            for directory in (left, killed):
                Catalog(directory).close()
                assert dump(directory / "catalog.sqlite") == after


def test_an_older_library_that_cannot_be_written(ordinary_folder: Path) -> None:
    path = restore(OLDER[0], ordinary_folder / "library")
    contents = path.read_bytes()
    path.parent.chmod(0o555)
    with pytest.raises(
        LibraryError, match="is of an older sigseek and cannot be written; make it writable once"
    ):
        Catalog(path.parent)
    path.parent.chmod(0o755)
    assert path.read_bytes() == contents
