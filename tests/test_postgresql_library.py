"""Libraries in PostgreSQL databases, by the installed program and from Python."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import URL, event

import sigseek
from sigseek.errors import ErrorKind
from sigseek.operations.database import LibraryDatabase
from sigseek.progress import Phase, Progress
from sigseek.storage import Catalog, EmbeddingRecord, LibraryError, PhotoFacts, ReadFile
from sigseek.storage.catalog import postgresql
from sigseek.storage.catalog.address import read_address, without_secrets
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.catalog.schema import HEAD
from sigseek.storage.records.hashes import HashRecord, SketchRecord
from tests.catalogs import add_checkpoint, random_unit
from tests.conftest import Run
from tests.listeners import Heard
from tests.postgresql import Server, address
from tests.statements import listening

_KEEPALIVES = ("idle", "interval", "count")


@pytest.fixture
def empty(postgresql_server: Server) -> Iterator[URL]:
    """A database without tables."""
    url = postgresql_server.empty_database()
    yield url
    postgresql_server.drop(url)


@pytest.fixture
def indexed(mini_database: tuple[Path, URL]) -> URL:
    """A database with a library of the drawn photos, which no test changes."""
    return mini_database[1]


@pytest.mark.parametrize("by", ["address", "variable"])
def test_options_of_the_session_are_kept(
    empty: URL, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = "-c statement_timeout=123s"
    if by == "address":
        empty = empty.update_query_dict({"options": given})
    else:
        monkeypatch.setenv("PGOPTIONS", given)
    dialect = PostgreSqlDialect(empty)
    with dialect.readers.connect() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("statement_timeout", "lock_timeout", "timezone")
        ]
    dialect.close()
    assert shown == ["123s", "30s", "UTC"]


def test_a_server_that_says_nothing_any_more_is_given_up_within_a_minute(empty: URL) -> None:
    dialect = PostgreSqlDialect(empty.update_query_dict({"connect_timeout": "3"}))
    with dialect.readers.connect() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        given = driver.info.get_parameters()
    dialect.close()
    idle, interval, count = (int(given[f"keepalives_{one}"]) for one in _KEEPALIVES)
    assert idle + interval * count == 60
    assert given["tcp_user_timeout"] == "60000"
    assert given["connect_timeout"] == "3", "the address counts"


def test_the_program_indexes_searches_tags_verifies_and_forgets(
    empty: URL, drawn: Path, run: Run
) -> None:
    where = ("--library", address(empty))
    none = run("search", "a house", *where, check=False)
    assert none.returncode == 1
    assert re.match(
        r"error: no library at postgresql://.*; make one with: sigseek index", none.stderr
    )
    report = json.loads(run("index", drawn, *where, "--model", "mini", "--json").stdout)
    assert (report["added"], report["failed"]) == (40, 0)
    again = json.loads(run("index", *where, "--json").stdout)
    assert (again["added"], again["unchanged"]) == (0, 40)
    hits = [
        json.loads(line)
        for line in run("search", "a house", *where, "--json").stdout.split("\n")[:-1]
    ]
    assert [hit["verdict"] for hit in hits] == ["match"] * 4
    assert run("tag", "--label", "a house", *where).stdout.split() == ["a", "house", "4", "photos"]
    assert len(run("search", 'tag:"a house"', *where, "--paths").stdout.splitlines()) == 4
    status = json.loads(run("status", *where, "--json").stdout)
    assert (status["library"], status["photos"]) == (
        without_secrets(empty.set(drivername="postgresql")),
        40,
    )
    assert status["catalog_bytes"] > 40 * 1000
    assert status["index_bytes"] > 0
    assert run("verify", *where).stdout == "40 embeddings and 40 files checked: all is well\n"
    backup = run("backup", "copy.sqlite", *where, check=False)
    assert (
        backup.returncode,
        backup.stderr.endswith("sigseek does not back up; use pg_dump\n"),
    ) == (1, True)
    run("forget", drawn, *where, "--yes")
    assert json.loads(run("status", *where, "--json").stdout)["photos"] == 0


def test_an_answer_is_that_of_a_library_in_a_directory(indexed: URL, mini_library: Path) -> None:
    with sigseek.open(address(indexed)) as here, sigseek.open(mini_library) as there:
        for query in ("a house", "a red car NOT night", "format:jpeg", "a boat date:2021"):
            mine, right = (library.search(query, 40, include_all=True) for library in (here, there))
            assert {hit.path: hit.verdict for hit in mine} == {
                hit.path: hit.verdict for hit in right
            }
            assert mine.matches == right.matches


def test_index_files_are_in_the_cache_and_may_be_removed(indexed: URL, own_cache: Path) -> None:
    with sigseek.open(address(indexed)) as library:
        assert library.directory.parent == own_cache / "libraries"
        assert len(library.search("a house")) == 4
        assert list((library.directory / "index").glob("*"))
        shutil.rmtree(library.directory)
        assert len(library.search("a boat")) > 0
    with sigseek.open(address(indexed)) as library:
        assert len(library.search("a house")) == 4


def test_a_copy_of_a_database_has_other_index_files(
    postgresql_server: Server, indexed: URL
) -> None:
    copy = postgresql_server.copy_of(indexed)
    try:
        with sigseek.open(address(indexed)) as library, sigseek.open(address(copy)) as other:
            assert library.directory != other.directory
    finally:
        postgresql_server.drop(copy)


def test_whoever_changes_the_library_is_named_to_others(
    postgresql_server: Server, indexed: URL, run: Run
) -> None:
    dialect = PostgreSqlDialect(indexed)
    colleague = PostgreSqlDialect(postgresql_server.reader(indexed, "colleague"))
    with dialect.lock.hold():
        done = run("index", "--library", address(indexed), check=False)
        found = run("search", "a house", "--library", address(indexed), "--paths")
        # the server tells nobody else since when a user is there
        with pytest.raises(LibraryError, match=r"\(process \d+ on \S+\) is"), colleague.lock.hold():
            pass
    dialect.close()
    colleague.close()
    assert done.returncode == 1
    assert re.search(rf"process \d+ on {re.escape(socket.gethostname())} since 20", done.stderr)
    assert done.stderr.endswith("wait until it has finished\n")
    assert len(found.stdout.splitlines()) == 4


def test_passwords_come_from_files_and_are_in_no_message(
    postgresql_server: Server, empty: URL, tmp_path: Path, run: Run
) -> None:
    postgresql_server.give_password(empty, "keeper", "geheim7")
    place = f"host={empty.query['host']}"
    with_password = f"postgresql://keeper:geheim7@/{empty.database}?{place}"
    wrong = f"postgresql://keeper:geheim8@/{empty.database}?{place}"
    refused = run("status", "--library", wrong, check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
    assert "password authentication failed" in refused.stderr
    assert "geheim" not in refused.stderr
    none = run("status", "--library", with_password, check=False)
    assert "make one with: sigseek index --library 'postgresql://keeper:***@/" in none.stderr
    assert "geheim" not in none.stderr
    passwords, services = tmp_path / "passwords", tmp_path / "services"
    passwords.write_text("*:*:*:keeper:geheim7\n")
    passwords.chmod(0o600)
    services.write_text(f"[photos]\n{place}\nuser=keeper\ndbname={empty.database}\n")
    files = {"PGPASSFILE": str(passwords), "PGSERVICEFILE": str(services)}
    for library in (wrong.replace(":geheim8", ""), "postgresql://?service=photos"):
        assert "no library at" in run("status", "--library", library, check=False, **files).stderr
    done = run("status", "--library", "postgresql://", check=False, **files, PGSERVICE="photos")
    assert done.stderr.startswith("error: no library at postgresql://; make one")


def test_no_command_prints_the_password_of_its_address(indexed: URL, run: Run) -> None:
    where = ("--library", address(indexed.set(password="geheim7")))
    for command in (["status"], ["search", "a house"], ["verify"], ["relocate", "/nowhere", "/"]):
        done = run(*command, *where, check=False)
        assert "geheim" not in done.stdout + done.stderr
    program = Path(sys.executable).parent / "sigseek"
    with subprocess.Popen(
        [program, "serve", "--port", "0", *where], stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout
        line = serving.stdout.readline()
        serving.kill()
    assert re.match(r"postgresql://sigseek:\*\*\*@/\S+ is shown at http://", line)


def test_a_user_who_may_only_read_can_search(
    postgresql_server: Server, indexed: URL, run: Run
) -> None:
    reader = postgresql_server.reader(indexed, "guest")
    where = ("--library", address(reader))
    assert len(run("search", "a house", *where, "--paths").stdout.splitlines()) == 4
    done = run("tag", "--label", "a house", *where, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot be written" in done.stderr
    assert done.stderr.endswith("check the user's rights\n")


def test_what_is_wrong_with_an_address_or_a_server_is_told_in_a_line(
    postgresql_server: Server, empty: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"host={empty.query['host']}"
    for wrong, found, kind in (
        (
            f"postgresql://sigseek@/nowhere?{place}",
            r'database "nowhere" does not exist\); check .* has this database',
            "unavailable",
        ),
        (
            f"postgresql://sigseek@/d?{place}&ssl_mode=require",
            r'\(invalid connection option "ssl_mode"\); correct what follows the \? in the address',
            "invalid",
        ),
        (f"postgresql://sigseek@/d?host={tmp_path}", "cannot be reached", "unavailable"),
        ("postgresql://sigseek:geheim@host:port/d", "address .* cannot be read", "invalid"),
        ("postgresql:/sigseek:geheim@host/d", "address .* cannot be read", "invalid"),
        ("postgresql://sigseek:my@geheim@host/d", "write each @ of a password as %40", "invalid"),
    ):
        with pytest.raises(LibraryError, match=found) as caught, sigseek.open(wrong) as library:
            library.status()
        assert caught.value.kind == ErrorKind(kind)
        assert len(str(caught.value).splitlines()) == 1
        assert "geheim" not in str(caught.value)
    monkeypatch.setattr(postgresql, "_OLDEST", (99,))
    with pytest.raises(LibraryError, match=r"is too old; use PostgreSQL 99 or later") as caught:
        LibraryDatabase(address(empty)).exists()
    assert caught.value.kind == ErrorKind.UNSUPPORTED


def test_a_newer_schema_and_another_programs_database_are_refused(
    postgresql_server: Server, empty: URL, run: Run
) -> None:
    PostgreSqlDialect(empty).close()
    postgresql_server.run_in(empty, "UPDATE alembic_version SET version_num = '9999'")
    newer = run("search", "a house", "--library", address(empty), check=False)
    assert newer.stderr.endswith(f"(schema 9999, this one knows {HEAD}); upgrade sigseek\n")
    postgresql_server.run_in(empty, "DROP TABLE alembic_version")
    other = run("index", "--library", address(empty), check=False)
    assert "is a database of another program" in other.stderr


def test_a_run_whose_connections_are_lost_is_continued_by_the_next(
    postgresql_server: Server, empty: URL, drawn: Path
) -> None:
    lost: list[int] = []

    def lose(progress: Progress) -> None:
        if progress.phase is Phase.EMBEDDING and progress.done >= 16 and not lost:
            lost.append(progress.done)
            postgresql_server.end_connections(empty)

    with sigseek.open(address(empty), model="mini") as library:
        with pytest.raises(LibraryError) as caught:
            library.index(drawn, listener=Heard(lose))
        assert caught.value.kind == ErrorKind.UNAVAILABLE
        assert 0 < library.status().photos < 40, "what was stored is kept"
        report = library.index(drawn)
        assert report.added + report.unchanged == 40
        assert library.verify().sound
        postgresql_server.end_connections(empty)
        assert len(library.search("a house")) == 4, "a lost connection is replaced"


def test_a_killed_run_leaves_no_lock_and_is_continued_by_the_next(
    empty: URL, drawn: Path, run: Run
) -> None:
    where = ("--library", address(empty))
    program = Path(sys.executable).parent / "sigseek"
    started = subprocess.Popen(
        [program, "index", drawn, *where, "--model", "mini"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        PostgreSqlDialect(empty).close()
        with sigseek.open(address(empty)) as library:
            while library.status().photos < 16:
                assert started.poll() is None, "it was killed in the middle"
                time.sleep(0.01)
    finally:
        started.kill()
        started.wait()
    report = json.loads(run("index", *where, "--json").stdout)
    assert report["added"] + report["unchanged"] == 40
    assert report["unchanged"] >= 16
    assert run("verify", *where).stdout == "40 embeddings and 40 files checked: all is well\n"


def test_many_threads_share_a_library(indexed: URL) -> None:
    queries = ["a house", "a boat", "night", "format:jpeg", "a red car NOT night"]
    with sigseek.open(address(indexed)) as library, ThreadPoolExecutor(24) as pool:
        right = {query: library.search(query) for query in queries}
        asked = queries * 24
        found = list(pool.map(library.search, asked))
    assert found == [right[query] for query in asked]


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("postgresql://me:geheim@server:5433/photos", "postgresql://me:***@server:5433/photos"),
        ("postgres://server/photos?password=geheim", "postgresql://server/photos?password=***"),
        ("postgresql://?service=photos", "postgresql://?service=photos"),
    ],
)
def test_an_address_is_shown_without_its_password(typed: str, shown: str) -> None:
    assert without_secrets(read_address(typed)) == shown


@pytest.mark.usefixtures("own_cache")
def test_a_search_asks_the_server_few_times(indexed: URL) -> None:
    with sigseek.open(address(indexed), model="mini") as library:
        before = library.search("a house", limit=3, include_all=True)
        with listening() as asked:
            assert library.search("a house", limit=3, include_all=True) == before
        assert (len(before), asked.sessions, len(asked.statements)) == (3, 1, 2)
        catalog = library._opened.directory.catalog()
        (checkpoint,) = catalog.checkpoints()
        ids, vectors = catalog.embeddings(checkpoint.id)
        with listening() as asked:
            chunks = list(catalog.embedding_chunks(checkpoint.id, ids[:5], dimension=192))
        assert (asked.sessions, len(asked.statements)) == (1, 1)
        (_, (found, few)) = chunks
        order = np.argsort(found)
        assert found[order].tolist() == ids[:5].tolist()
        assert few[order].tobytes() == vectors[:5].tobytes(), "in binary, as from other cursors"


def test_the_server_keeps_the_plans_of_searches_and_of_changes_by_index(indexed: URL) -> None:
    mode, prepared = "SHOW plan_cache_mode", "SELECT statement FROM pg_prepared_statements"
    dialect = PostgreSqlDialect(indexed)
    catalog = Catalog(dialect)
    with closing(catalog):
        (checkpoint,) = catalog.checkpoints()
        for _ in range(9):
            catalog.checkpoint_states()
            catalog.find_embedded([(b"none", b"none")], checkpoint.id)
            dialect.changes()
        with dialect.readers.connect() as connection:
            statements = list(connection.exec_driver_sql(prepared).scalars())
            assert connection.exec_driver_sql(mode).scalar() == "auto"
        assert any("max(photo.id)" in statement for statement in statements)
        assert not any("digest" in statement for statement in statements)
        modes = {}
        for by_index in (False, True):
            with catalog.transaction(by_index=by_index) as transaction:
                ask = transaction._connection.exec_driver_sql
                modes[by_index] = [ask(mode).scalar(), ask("SHOW enable_seqscan").scalar()]
        assert modes == {False: ["force_custom_plan", "on"], True: ["auto", "off"]}


def test_files_are_looked_up_alone_in_a_table_that_was_never_analyzed(
    postgresql_server: Server,
) -> None:
    url = postgresql_server.database()
    read = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = %s"
    with closing(Catalog(PostgreSqlDialect(url))) as catalog:
        with catalog.transaction(by_index=True) as transaction:
            folder, _ = transaction.add_folder(Path("/photos"))
            photo = transaction.add_photo(PhotoFacts(b"1", 4, 3, "JPEG"))
            transaction.put_files(folder.id, [ReadFile(f"{n}", photo, 1, 1) for n in range(2_000)])
        with catalog.transaction(by_index=True) as transaction:
            files = [ReadFile(f"{number}", photo, 1, 1) for number in range(1_990, 2_100)]
            known, _ = transaction._known(folder.id, [file.path for file in files])
            rows = transaction._connection.exec_driver_sql(read, ("file",)).scalar_one()
        assert len(known) == 10
        assert rows < 100, "not all files of the folder"
    postgresql_server.drop(url)


def test_a_batch_of_new_photos_takes_few_statements(postgresql_server: Server) -> None:
    url = postgresql_server.database()
    seen: list[str] = []
    hashed = HashRecord(SketchRecord(b"webp", bytes(32), bytes(32), 0))
    with closing(Catalog(PostgreSqlDialect(url))) as catalog:
        checkpoint = add_checkpoint(catalog, 4)
        event.listen(
            catalog._dialect.writers, "before_cursor_execute", lambda *args: seen.append(args[2])
        )
        facts = [PhotoFacts(bytes([number]) * 32, 4, 3, "JPEG") for number in range(16)]
        digests = {one.digest: one.digest for one in facts}
        with catalog.transaction() as transaction:
            folder, _ = transaction.add_folder(Path("/photos"))
            seen.clear()
            assert transaction.identify_photos(digests, 1) == {}
            ids = transaction.add_photos(facts, dict.fromkeys(digests, hashed), 1)
            files = [ReadFile(f"{id_}", id_, 1, 1, gave_facts=True) for id_ in ids.values()]
            transaction.put_files(folder.id, files)
            embedding = EmbeddingRecord(random_unit(1, 4)[0], "fp32", 1)
            transaction.add_embeddings(checkpoint.id, dict.fromkeys(ids.values(), embedding))
        assert len(seen) == 9, seen
        assert catalog.stale_photos("hash", [folder.id], 1) == []
        assert len(catalog.embedded_ids(checkpoint.id)) == 16
    postgresql_server.drop(url)
