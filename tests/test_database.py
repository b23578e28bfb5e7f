import re
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path, PurePath

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    UniqueConstraint,
    create_engine,
    event,
    select,
    text,
)
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from sigseek.errors import ErrorKind
from sigseek.storage import (
    Catalog,
    EmbeddingRecord,
    FailureRecord,
    LibraryError,
    PhotoFacts,
)
from sigseek.storage.catalog import schema
from sigseek.storage.catalog.changes import embeddings as changed_embeddings
from sigseek.storage.catalog.columns import PlainText
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.catalog.schema import HEAD, migrations_directory
from sigseek.storage.catalog.sqlite import SqliteDialect
from sigseek.storage.catalog.tables import KEYWORD, METADATA
from tests.catalogs import add_checkpoint, add_photos, random_unit
from tests.conftest import ROOT
from tests.postgresql import Server

OpenCatalog = Callable[[], Catalog]


def test_models_and_migrations_agree(tmp_path: Path) -> None:
    dialect = SqliteDialect(tmp_path / "catalog.sqlite")
    with dialect.readers.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        tables = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = 'photo'"
        ).scalar()
    assert "AUTOINCREMENT" in tables, "ids of photos are never used again"
    dialect.close()


def test_models_and_the_tables_on_postgresql_agree(postgresql_server: Server) -> None:
    """Only paths are unique in another way there, by their SHA-256, and counts not at all."""

    def has_words(
        item: object, name: str | None, kind: str, reflected: bool, other: object
    ) -> bool:
        of_sqlite = isinstance(item, UniqueConstraint) and (
            "path" in item.columns or item.table.name == "count_change"
        )
        return not of_sqlite and name not in by_digest

    by_digest = {f"ix_{table}_path" for table in ("folder", "file", "failure")}
    url = postgresql_server.empty_database()
    dialect = PostgreSqlDialect(url)
    with dialect.readers.connect() as connection, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based")
        options = {"compare_type": True, "include_object": has_words}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, METADATA) == []
        made = connection.exec_driver_sql(
            "SELECT indexname FROM pg_indexes "
            "WHERE indexdef LIKE 'CREATE UNIQUE INDEX%%sha256(path)%%'"
        )
        assert set(made.scalars()) == by_digest
        assert context.get_current_revision() == HEAD
    dialect.close()
    postgresql_server.drop(url)


def test_text_is_in_the_order_of_its_bytes_whatever_the_language(postgresql_server: Server) -> None:
    """Databases of before schema 0021 get there by its migration."""
    url = postgresql_server.english_database()
    dialect = PostgreSqlDialect(url)
    assert orders(dialect, METADATA.tables) == {"C"}
    migration = scripts().get_revision("0021").module
    older = migration._TEXTS
    with dialect.writers.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER facet_block_photo_update ON photo")  # of 0025
        for table, columns in older.items():  # later columns never had another order
            for column in columns:
                change = f'ALTER {column} TYPE varchar COLLATE "default"'
                connection.exec_driver_sql(f"ALTER TABLE {table} {change}")
    assert None in orders(dialect, older)
    with dialect.writers.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            migration.upgrade()
        assert connection.scalar(text("SELECT 'b' < 'Z'")), "as in a dictionary"
        connection.execute(
            KEYWORD.insert(), [{"name": name} for name in ("b", "a b", "\u00e4", "Z")]
        )
        ordered = select(KEYWORD.c.name).order_by(KEYWORD.c.name)
        assert list(connection.scalars(ordered)) == ["Z", "a b", "b", "\u00e4"]
        below = ordered.where(KEYWORD.c.name < "a")
        assert list(connection.scalars(below)) == ["Z"]
    assert orders(dialect, METADATA.tables) == {"C"}
    dialect.close()
    postgresql_server.drop(url)


def test_removals_are_noted_on_postgresql_as_a_migration_has_it(postgresql_server: Server) -> None:
    """A database of before schema 0023 gets the table and the trigger that a new one has."""

    def noting() -> list[tuple[str, ...]]:
        with dialect.readers.connect() as connection:
            trigger = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = '{}'"
            function = "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = '{}'"
            columns = (
                "SELECT string_agg(attname || format_type(atttypid, 0) || attnotnull, ' '"
                " ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'removed_embedding'::regclass"
            )
            keys = (
                "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE conrelid = 'removed_embedding'::regclass ORDER BY conname"
            )
            name = "removed_embedding_insert"
            asked = (trigger.format(name), function.format(name), columns, keys)
            return [tuple(connection.scalars(text(query))) for query in asked]

    url = postgresql_server.database()
    dialect = PostgreSqlDialect(url)
    new = noting()
    assert all(new)
    postgresql_server.run_in(
        url, "DROP TABLE removed_embedding; DROP FUNCTION removed_embedding_insert CASCADE"
    )
    migration = scripts().get_revision("0023").module
    with (
        dialect.writers.begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        migration.upgrade()
    assert noting() == new
    dialect.close()
    postgresql_server.drop(url)


def scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()))
    return ScriptDirectory.from_config(config)


def orders(dialect: PostgreSqlDialect, tables: Iterable[str]) -> set[str | None]:
    """Return the collations of these tables' columns of text; None is the database's own."""
    query = (
        "SELECT table_name, column_name, collation_name FROM information_schema.columns "
        "WHERE table_schema = 'public'"
    )
    with dialect.readers.connect() as connection:
        found = {
            (table, name): order for table, name, order in connection.exec_driver_sql(query).all()
        }
    return {
        found[table, column.name]
        for table in tables
        for column in METADATA.tables[table].columns
        if isinstance(column.type, PlainText)
    }


def test_every_table_and_column_is_described() -> None:
    described = (ROOT / "docs" / "catalog.md").read_text()
    tables = set(re.findall(r"\*\*(\w+)\*\*", described))
    names = set(re.findall(r"`(\w+)`", described))
    for table in METADATA.tables.values():
        assert table.name in tables
        own = {column.name for column in table.columns if not column.foreign_keys}
        assert own - {"id"} <= names, table.name


def test_two_programs_open_an_empty_database_at_once(postgresql_server: Server) -> None:
    url = postgresql_server.empty_database()
    with ThreadPoolExecutor(4) as pool:
        for dialect in pool.map(PostgreSqlDialect, [url] * 4):
            dialect.close()
    postgresql_server.drop(url)


def test_a_later_migration_runs_on_postgresql_too(
    postgresql_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgresql_server.database()
    catalog = Catalog(PostgreSqlDialect(url))
    add_photos(catalog, add_checkpoint(catalog, 2), random_unit(1, 2), Path("/p"), ["a"])
    catalog.close()
    migrations = shutil.copytree(migrations_directory(), tmp_path / "migrations")
    later = f"""
        import sqlalchemy as sa
        from alembic import op
        revision, down_revision = "9999", "{HEAD}"
        def upgrade():
            with op.batch_alter_table("photo") as photo:
                photo.add_column(sa.Column("later", sa.String))
    """
    (migrations / "versions" / "9999_later.py").write_text(textwrap.dedent(later))
    others = create_engine(url, poolclass=NullPool)
    unlocked: list[str | None] = []

    def look(connection: Connection, cursor: object, statement: str, *_: object) -> None:
        if "pg_advisory_unlock_all" in statement:
            with others.connect() as other:
                unlocked.append(other.scalar(text("SELECT version_num FROM alembic_version")))

    with monkeypatch.context() as patch:
        patch.setattr(schema, "HEAD", "9999")
        patch.setattr(schema, "migrations_directory", lambda: migrations)
        event.listen(Engine, "before_cursor_execute", look)
        dialect = PostgreSqlDialect(url)
        event.remove(Engine, "before_cursor_execute", look)
        assert unlocked == ["9999"], "whoever gets the lock next sees the new schema"
        with dialect.readers.connect() as connection:
            assert connection.exec_driver_sql("SELECT id, later FROM photo").all() == [(1, None)]
        dialect.close()
    # The migration has only added, so this program can go on reading, but not change anything.
    reader = Catalog(PostgreSqlDialect(url))
    assert reader.photo_count() == 1
    with (
        pytest.raises(LibraryError, match="upgraded by a newer sigseek") as caught,
        reader.transaction() as transaction,
    ):
        transaction.put_max_pixels(1)
    assert caught.value.kind == ErrorKind.UNSUPPORTED
    postgresql_server.run_in(url, "ALTER TABLE checkpoint RENAME generation TO version")
    with pytest.raises(LibraryError, match=r"other tables than this sigseek knows .*generation"):
        reader.checkpoints()
    reader.close()
    postgresql_server.run_in(
        url, "UPDATE setting SET value = '9999 9999' WHERE name = 'readable_from'"
    )
    with pytest.raises(LibraryError, match="was made by a newer sigseek") as caught:
        PostgreSqlDialect(url)
    assert caught.value.kind == ErrorKind.UNSUPPORTED
    postgresql_server.drop(url)


def test_another_programs_postgresql_database_is_refused(postgresql_server: Server) -> None:
    url = postgresql_server.empty_database()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE songs (title TEXT)")
    engine.dispose()
    with pytest.raises(LibraryError, match="is a database of another program"):
        PostgreSqlDialect(url)
    postgresql_server.drop(url)


def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    url = URL.create("postgresql", "me", "secret", database="d", query={"host": str(tmp_path)})
    with pytest.raises(LibraryError, match=r"cannot be reached .*; check that") as caught:
        PostgreSqlDialect(url)
    assert caught.value.kind == ErrorKind.UNAVAILABLE
    assert "secret" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (psycopg.errors.LockNotAvailable, ErrorKind.BUSY),
        (psycopg.errors.DeadlockDetected, ErrorKind.BUSY),
        (psycopg.errors.DiskFull, ErrorKind.UNAVAILABLE),
        (psycopg.errors.DataCorrupted, ErrorKind.DAMAGED),
        (psycopg.errors.ReadOnlySqlTransaction, ErrorKind.UNAVAILABLE),
        (psycopg.errors.AdminShutdown, ErrorKind.UNAVAILABLE),
        (psycopg.errors.InvalidCatalogName, ErrorKind.NOT_FOUND),
    ],
)
def test_errors_of_postgresql_are_told_apart_by_their_codes(
    postgresql_server: Server, error: type[psycopg.Error], kind: ErrorKind
) -> None:
    url = postgresql_server.database()
    dialect = PostgreSqlDialect(url)
    described = dialect.describe(error("in whatever language\nand more"))
    assert (described.kind, "in whatever language)" in described.found) == (kind, True)
    dialect.close()
    postgresql_server.drop(url)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, ErrorKind.BUSY),
        (sqlite3.SQLITE_PROTOCOL, ErrorKind.BUSY),
        (sqlite3.SQLITE_CORRUPT_VTAB, ErrorKind.DAMAGED),
        (sqlite3.SQLITE_NOTADB, ErrorKind.DAMAGED),
        (sqlite3.SQLITE_READONLY_DIRECTORY, ErrorKind.UNAVAILABLE),
        (sqlite3.SQLITE_IOERR_READ, ErrorKind.UNAVAILABLE),
    ],
)
def test_errors_of_sqlite_are_told_apart_by_their_codes(
    tmp_path: Path, code: int, kind: ErrorKind
) -> None:
    error = sqlite3.OperationalError("in whatever language")
    error.sqlite_errorcode = code
    dialect = SqliteDialect(tmp_path / "catalog.sqlite")
    for raised in (error, OperationalError("SELECT 1", {}, error)):
        assert dialect.describe(raised).kind == kind
    dialect.close()


def test_a_connection_that_is_cut_while_rows_come(postgresql_server: Server) -> None:
    url = postgresql_server.database()
    catalog = Catalog(PostgreSqlDialect(url))
    checkpoint = add_checkpoint(catalog, 2)
    with catalog.transaction() as transaction:
        facts = [PhotoFacts(n.to_bytes(4, "big"), 1, 1, "JPEG") for n in range(5_000)]
        embedding = EmbeddingRecord(random_unit(1, 2)[0], "fp32", 1)
        ids = transaction.add_photos(facts).values()
        transaction.add_embeddings(checkpoint.id, dict.fromkeys(ids, embedding))
    chunks = catalog.embedding_chunks(checkpoint.id)
    assert [len(next(chunks)[0]) for _ in range(2)] == [0, 64]
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    engine.dispose()
    with pytest.raises(LibraryError, match="cannot be reached") as caught:
        list(chunks)
    assert caught.value.kind == ErrorKind.UNAVAILABLE
    assert catalog.checkpoints()[0].embeddings == 5_000, "the next question connects again"
    catalog.close()
    postgresql_server.drop(url)


def test_what_is_not_for_sigseek_on_postgresql(postgresql_server: Server, tmp_path: Path) -> None:
    url = postgresql_server.database()
    catalog = Catalog(PostgreSqlDialect(url))
    catalog.compact()
    assert (catalog.integrity(), catalog.dangling()) == ([], {})
    with pytest.raises(LibraryError, match="use pg_dump"):
        catalog.back_up(tmp_path / "copy")
    with pytest.raises(TypeError, match="is not a file"):
        _ = catalog.path
    catalog.close()
    postgresql_server.drop(url)


def test_the_newest_migration_is_the_one_written_down() -> None:
    assert scripts().get_current_head() == HEAD


def test_embeddings_are_counted_as_they_come_and_go(open_catalog: OpenCatalog) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 2)
    add_photos(catalog, checkpoint, random_unit(3, 2), Path("/p"), ["a", "b", "c"])
    add_photos(
        catalog, checkpoint, random_unit(2, 2), Path("/p"), ["c", "d"]
    )  # c is embedded again
    assert catalog.checkpoints()[0].embeddings == 4
    before = catalog.checkpoints()[0].generation
    with catalog.transaction() as transaction:
        transaction.remove_files(1, ["a", "b"])
        transaction.remove_photos_without_files()
    record = catalog.checkpoints()[0]
    assert (record.embeddings, record.generation) == (2, before + 1)
    assert catalog.removed_embeddings(checkpoint.id, before).tolist() == [1, 2]
    with catalog.transaction() as transaction:
        transaction.remove_embeddings(checkpoint.id, [3])
    assert catalog.removed_embeddings(checkpoint.id, before).tolist() == [1, 2, 3]
    assert catalog.removed_embeddings(checkpoint.id, before + 1).tolist() == [3]
    assert catalog.removed_embeddings(checkpoint.id, before + 2).tolist() == []


def test_the_newest_removals_are_kept(
    open_catalog: OpenCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_embeddings, "_KEPT_REMOVALS", 2)
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 2)
    add_photos(catalog, checkpoint, random_unit(6, 2), Path("/p"), list("abcdef"))
    before = catalog.checkpoints()[0].generation
    kept = []
    for paths in ("a", "b", "c", "def"):
        with catalog.transaction() as transaction:
            transaction.remove_files(1, list(paths))
            transaction.remove_photos_without_files()
        kept.append(catalog.removed_embeddings(checkpoint.id, before).tolist())
    assert kept == [[1], [1, 2], [2, 3], []], "those of one generation go together"
    with catalog.transaction() as transaction:
        transaction.remove_checkpoint(checkpoint.id)
    assert catalog.removed_embeddings(checkpoint.id, before).tolist() == []


def test_removing_a_photo_looks_at_no_other_photos_embeddings(tmp_path: Path) -> None:
    engine = SqliteDialect(tmp_path / "catalog.sqlite").readers
    with engine.connect() as connection:  # as SQLite does it for a foreign key
        plan = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN DELETE FROM embedding WHERE photo_id = 1"
        ).fetchall()
    assert [row[3] for row in plan] == [
        "SEARCH embedding USING COVERING INDEX ix_embedding_photo_id (photo_id=?)",
        "SEARCH bias USING PRIMARY KEY (checkpoint_id=? AND photo_id=?)",
    ]
    engine.dispose()


def test_what_every_connection_is_set_to(tmp_path: Path) -> None:
    engine = SqliteDialect(tmp_path / "catalog.sqlite").readers
    with engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
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


def test_a_backup_in_the_place_of_a_catalog_whose_writer_was_killed(tmp_path: Path) -> None:
    """The writer left its log of changes beside the file, and SQLite would apply it to whatever
    lies there.
    """
    running, restored = tmp_path / "running", tmp_path / "restored"
    catalog = Catalog(running)
    checkpoint = add_checkpoint(catalog, 2)
    add_photos(catalog, checkpoint, random_unit(3, 2), Path("/p"), ["a", "b", "c"])
    catalog.back_up(tmp_path / "backup")
    add_photos(
        catalog,
        checkpoint,
        random_unit(200, 2, seed=1),
        Path("/p"),
        [f"{number}" for number in range(200)],
    )
    shutil.copytree(running, restored)  # as the disk is when it is killed now
    catalog.close()
    assert (restored / "catalog.sqlite-wal").stat().st_size > 0
    shutil.copy(tmp_path / "backup", restored / "catalog.sqlite")
    catalog = Catalog(restored)
    assert catalog.integrity() == []
    assert sorted(catalog.paths(1, PurePath())) == ["a", "b", "c"]
    add_photos(catalog, checkpoint, random_unit(1, 2, seed=2), Path("/p"), ["d"])
    again = Catalog(restored)
    assert len(list(again.paths(1, PurePath()))) == 4, "a log of its own stays"
    again.close()
    catalog.close()


_SEARCH_ELSEWHERE = """
import sys
from pathlib import Path
from sigseek.storage import Catalog
catalog = Catalog(Path(sys.argv[1]))
catalog.photo_count()
catalog.close()
"""


def test_a_library_that_is_opened_twice_keeps_its_log(tmp_path: Path) -> None:
    """Reading the file's header by other means than SQLite would take away this process's locks,
    and the next process to leave would remove the log under it.
    """
    first = Catalog(tmp_path)
    checkpoint = add_checkpoint(first, 4)
    add_photos(first, checkpoint, random_unit(2, 4), tmp_path, ["a", "b"])
    log = tmp_path / "catalog.sqlite-wal"
    assert log.stat().st_size > 0
    second = Catalog(tmp_path)
    subprocess.run([sys.executable, "-c", _SEARCH_ELSEWHERE, tmp_path], check=True)
    assert log.stat().st_size > 0
    add_photos(first, checkpoint, random_unit(1, 4), tmp_path, ["c"])
    assert second.photo_count() == first.photo_count() == 3
    second.close()
    first.close()
    last = Catalog(tmp_path)
    assert last.integrity() == []
    last.close()


def test_a_log_whose_catalog_was_removed_is_no_obstacle(tmp_path: Path) -> None:
    running, emptied = tmp_path / "running", tmp_path / "emptied"
    catalog = Catalog(running)
    add_photos(catalog, add_checkpoint(catalog, 2), random_unit(3, 2), Path("/p"), ["a", "b", "c"])
    shutil.copytree(running, emptied)
    catalog.close()
    (emptied / "catalog.sqlite").unlink()
    catalog = Catalog(emptied)
    assert (catalog.folders(), catalog.integrity()) == ([], [])
    catalog.close()


def test_an_unknown_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(tmp_path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(
        LibraryError,
        match=r"has a schema that no sigseek made \(.*'0000'\); put a backup in its place",
    ):
        Catalog(tmp_path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0000",)


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LibraryError, match="of another program"):
        Catalog(tmp_path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "contents", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000]
)
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


def test_readers_neither_wait_for_a_writer_nor_see_half_of_its_changes(
    open_catalog: OpenCatalog,
) -> None:
    writer, reader = open_catalog(), open_catalog()
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


def test_a_second_writer_waits_and_builds_upon_the_first(open_catalog: OpenCatalog) -> None:
    """Both writers read before they write. A writer that had read before the other wrote could not
    write any more.
    """
    first, second = open_catalog(), open_catalog()
    checkpoint = add_checkpoint(first, 2)
    with ThreadPoolExecutor(1) as aside:
        with first.transaction() as transaction:
            transaction.add_embeddings(checkpoint.id, {})
            waiting = aside.submit(
                add_photos, second, checkpoint, random_unit(1, 2), Path("/p"), ["a"]
            )
            with pytest.raises(TimeoutError):
                waiting.result(0.2)
        waiting.result(30)
    assert first.checkpoints()[0].generation == 2
