"""The numbers of photos and files that the catalog keeps are those that counting gives."""

import hashlib
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import text

from sigseek.storage import Catalog, PhotoFacts, ReadFile
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.catalog.reading.counts import RowCounts
from sigseek.storage.catalog.transaction import Transaction
from sigseek.storage.records import FileCounts
from tests.catalogs import writing
from tests.postgresql import Server
from tests.test_database import scripts


@pytest.fixture
def catalog(open_catalog: Callable[[], Catalog]) -> Catalog:
    return open_catalog()


def photo(number: int) -> PhotoFacts:
    return PhotoFacts(hashlib.sha256(str(number).encode()).digest(), 40, 30, "JPEG")


def counts(catalog: Catalog) -> tuple[int, int, int, int]:
    """Return the numbers of photos, of files with missing ones, of missing files and of photos
    without files that the catalog keeps, and check that counting gives the same.
    """
    kept, counted = catalog.row_counts()
    assert kept == counted
    assert len(catalog.photos_without_files()) == kept.without_files
    assert catalog.photo_count() == kept.photos - kept.without_files
    assert catalog.file_counts() == kept.by_folder
    files = list(kept.by_folder.values())
    missing = sum(folder.missing for folder in files)
    return kept.photos, sum(map(sum, files)), missing, kept.without_files


def test_every_change_of_photos_and_files_is_counted(catalog: Catalog, tmp_path: Path) -> None:
    assert counts(catalog) == (0, 0, 0, 0)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        ids = [transaction.add_photo(photo(number)) for number in range(4)]
        names = ["a/0", "a/1", "b/2", "b/2 again"]
        files = zip(names, [ids[0], ids[1], ids[2], ids[2]], strict=True)
        transaction.put_files(folder.id, [ReadFile(*file, 1, 1) for file in files])
    assert counts(catalog) == (4, 4, 0, 1)
    assert catalog.photos_without_files() == [ids[3]]
    with catalog.transaction() as transaction:
        transaction.mark_missing(folder.id, ["a/0", "b/2"])
    assert counts(catalog) == (4, 4, 2, 1)
    assert catalog.file_counts() == {folder.id: (2, 2)}
    with catalog.transaction() as transaction:
        transaction.split_folder(folder.id, PurePath("b"))
    b = next(one.id for one in catalog.folders() if one.path.endswith("/b"))
    assert catalog.file_counts() == {folder.id: (1, 1), b: (1, 1)}
    with catalog.transaction() as transaction:
        transaction.put_files(folder.id, [ReadFile("a/0", ids[3], 1, 1)])  # another photo, present
        transaction.mark_present(b, ["2"])
    assert counts(catalog) == (4, 4, 0, 1)
    assert catalog.photos_without_files() == [ids[0]]
    with catalog.transaction() as transaction:
        transaction.remove_folder(b)
    assert counts(catalog) == (4, 2, 0, 2)
    assert catalog.file_counts() == {folder.id: (2, 0)}
    with catalog.transaction() as transaction:
        transaction.put_files(folder.id, [ReadFile("c", ids[0], 1, 1)])
        transaction.forget_held()
    assert counts(catalog) == (4, 3, 0, 1)
    with catalog.transaction() as transaction:
        assert transaction.remove_photos_without_files() == 1
    assert counts(catalog) == (3, 3, 0, 0)
    with writing(catalog) as connection:  # with the photo go its files
        connection.execute(text("DELETE FROM photo WHERE id = :id"), {"id": ids[3]})
    assert counts(catalog) == (2, 2, 0, 0)


@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_random_changes_are_counted(catalog: Catalog, tmp_path: Path, seed: int) -> None:
    choose = random.Random(seed)
    with catalog.transaction() as transaction:
        folders = [transaction.add_folder(tmp_path / name)[0].id for name in "ab"]

    def change(transaction: Transaction, ids: list[int]) -> None:
        folder = choose.choice(folders)
        paths = choose.sample([f"{n}.jpg" for n in range(8)], choose.randint(1, 4))
        match choose.randrange(7):
            case 0 | 1:
                files = [ReadFile(path, choose.choice(ids), 1, 1) for path in paths]
                transaction.put_files(folder, files)
            case 2:
                transaction.mark_missing(folder, paths)
            case 3:
                transaction.mark_present(folder, paths)
            case 4:
                transaction.remove_files(folder, paths)
            case 5:
                transaction.forget_held()
            case 6:
                transaction.remove_photos_without_files(keep=choose.sample(ids, 2))

    for _ in range(40):
        with catalog.transaction() as transaction:
            ids = [transaction.add_photo(photo(choose.randrange(9))) for _ in range(3)]
            for _ in range(choose.randint(1, 3)):
                change(transaction, ids)
        counts(catalog)
    assert counts(catalog)[1] > 0


def test_a_file_that_is_put_twice_at_once_holds_the_last_photo(
    catalog: Catalog, tmp_path: Path
) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        ids = [transaction.add_photo(photo(number)) for number in range(2)]
        transaction.put_files(folder.id, [ReadFile("a", id_, 1, 1) for id_ in ids])
    assert counts(catalog) == (2, 1, 0, 1)
    assert catalog.photos_without_files() == ids[:1]


def test_removed_photos_leave_nothing_to_look_through(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        ids = [transaction.add_photo(photo(number)) for number in range(3)]
        names = zip("abc", ids, strict=True)
        transaction.put_files(folder.id, [ReadFile(name, id_, 1, 1) for name, id_ in names])
    with catalog.transaction() as transaction:
        transaction.remove_files(folder.id, ["a", "b"])
        transaction.remove_photos_without_files(keep=[ids[1]])
    with writing(catalog) as connection:
        left = connection.execute(text("SELECT photo_id FROM unheld_photo")).scalars().all()
    assert left == [ids[1]]


def test_what_a_transaction_undoes_is_not_counted(catalog: Catalog, tmp_path: Path) -> None:
    def fail(transaction: Transaction) -> None:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.put_files(folder.id, [ReadFile("a", transaction.add_photo(photo(0)), 1, 1)])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        catalog.commit(fail)
    assert counts(catalog) == (0, 0, 0, 0)


def test_wrong_numbers_are_counted_again(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        ids = [transaction.add_photo(photo(number)) for number in range(3)]
        transaction.put_files(folder.id, [ReadFile("a", ids[0], 1, 1), ReadFile("b", ids[1], 1, 1)])
        transaction.mark_missing(folder.id, ["b"])
    with writing(catalog) as connection:
        connection.execute(text("UPDATE count_change SET photos = 7, missing = 5"))
        connection.execute(text("DELETE FROM unheld_photo"))
    assert catalog.row_counts()[1] == RowCounts(3, 1, {folder.id: FileCounts(1, 1)})
    with catalog.transaction() as transaction:
        transaction.recount()
    assert counts(catalog) == (3, 2, 1, 1)


def test_writers_of_one_folder_count_at_the_same_time(
    postgresql_server: Server, tmp_path: Path
) -> None:
    """A row that all of them changed would let one go on at a time. Rows are added up meanwhile, by
    a statement that waits for nobody.
    """
    url = postgresql_server.database()
    catalogs = [Catalog(PostgreSqlDialect(url)) for _ in range(4)]
    first, *_ = catalogs
    with first.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)

    def add(number: int, transaction: Transaction) -> None:
        id_ = transaction.add_photo(photo(number))
        transaction.put_files(folder.id, [ReadFile(str(number), id_, 1, 1)])

    def add_many(writer: int) -> None:
        for number in range(100 * writer, 100 * writer + 100):
            with catalogs[writer].transaction() as transaction:
                add(number, transaction)

    def add_up(calls: int) -> None:
        """Have the rows added up, by chance about once in 256 calls."""
        with writing(first) as connection:
            one_by_one = "SELECT put_count_changes_together() FROM generate_series(1, :calls)"
            connection.execute(text(one_by_one), {"calls": calls})

    with first.transaction() as transaction:
        add(5000, transaction)  # not committed until the others are done
        with ThreadPoolExecutor(3) as threads:
            adding = [threads.submit(add_many, writer) for writer in (1, 2, 3)]
            while not all(one.done() for one in adding):
                add_up(256)
        for one in adding:
            one.result()
    assert counts(first) == (301, 301, 0, 0)
    add_up(10_000)
    assert counts(first) == (301, 301, 0, 0)
    with first._dialect.readers.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM count_change")) == 2
    for catalog in catalogs:
        catalog.close()
    postgresql_server.drop(url)


def test_a_database_on_postgresql_of_before_is_counted(
    postgresql_server: Server, tmp_path: Path
) -> None:
    """It gets the triggers that a new one has."""

    def triggers() -> list[tuple[str, ...]]:
        asked = (
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname ~ 'count' "
            "AND pronamespace = 'public'::regnamespace ORDER BY proname",
            "SELECT attrelid::regclass::text || attname || format_type(atttypid, 0) || attnotnull "
            "FROM pg_attribute WHERE attnum > 0 AND attrelid IN "
            "('count_change'::regclass, 'unheld_photo'::regclass) ORDER BY attrelid, attnum",
        )
        with dialect.readers.connect() as connection:
            return [tuple(connection.scalars(text(query))) for query in asked]

    url = postgresql_server.database()
    dialect = PostgreSqlDialect(url)
    catalog = Catalog(dialect)
    new = triggers()
    assert all(new)
    functions = (
        "count_photos, count_new_files, count_removed_files, count_changed_files, "
        "put_count_changes_together"
    )
    postgresql_server.run_in(
        url, f"DROP FUNCTION {functions} CASCADE; DROP TABLE count_change, unheld_photo"
    )
    with writing(catalog) as connection:
        folder = text("INSERT INTO folder (path) VALUES (:path) RETURNING id")
        id_ = connection.scalar(folder, {"path": bytes(tmp_path)})
        digests = [{"digest": bytes([number] * 32)} for number in range(3)]
        rows = text(
            "INSERT INTO photo (digest, width, height, format, digest_version) "
            "VALUES (:digest, 4, 3, 'JPEG', 1)"
        )
        connection.execute(rows, digests)
        file = text(
            "INSERT INTO file (folder_id, path, photo_id, size, mtime_ns, missing_since) "
            "SELECT :folder, :path, min(id) + :photo, 1, 1, "
            "CASE WHEN :photo = 1 THEN now() END FROM photo"
        )
        paths = [{"folder": id_, "path": bytes([97 + n]), "photo": n} for n in range(2)]
        connection.execute(file, paths)
    migration = scripts().get_revision("0024").module
    with (
        dialect.writers.begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        migration.upgrade()
        connection.exec_driver_sql(" ".join(scripts().get_revision("0025").module._COUNTS.split()))
    assert triggers() == new
    assert counts(catalog) == (3, 2, 1, 1)
    catalog.close()
    postgresql_server.drop(url)
