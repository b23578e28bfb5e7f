"""The blocks of values that photos are counted by: how they are kept, and that none is wrong."""

import hashlib
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Executable, Table, delete, select, text, update

import sigseek
from sigseek.storage import Catalog, PhotoFacts, ReadFile
from sigseek.storage.catalog.facet_block import PHOTOS, SHIFT, FacetBlock
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.catalog.tables import FACET_BLOCK, FILE, FOLDER, PHOTO
from sigseek.storage.facets import FACET_KINDS, FacetKind, FacetValue
from tests.catalogs import make_blocks, skip_ids, writing
from tests.postgresql import Server
from tests.test_database import scripts


@pytest.fixture
def catalog(open_catalog: Callable[[], Catalog]) -> Catalog:
    return open_catalog()


def photo(number: int) -> PhotoFacts:
    digest = hashlib.sha256(str(number).encode()).digest()
    return PhotoFacts(digest, 40, 30, "JPEG", camera=f"Acme {number % 3}")


VALUES = st.none() | st.integers() | st.text() | st.lists(st.integers(), max_size=3).map(tuple)


@given(st.dictionaries(st.integers(0, PHOTOS - 1), VALUES), st.sampled_from([0, 255, 256, 300]))
def test_a_block_gives_back_its_values(values: dict[int, object], more: int) -> None:
    """Whether its codes have one byte or two."""
    values |= {PHOTOS - 1 - number: f"value {number}" for number in range(more)}
    ids = sorted(values)
    first = 5 << SHIFT
    block = FacetBlock.of([first + id_ for id_ in ids], [values[id_] for id_ in ids])
    block = FacetBlock.read(*block.written())
    assert block.counts(None) == Counter(values.values())
    chosen = np.array(sorted({*ids[::2], 3, PHOTOS - 1}), np.int64)
    assert block.counts(chosen) == Counter(values[id_] for id_ in chosen.tolist() if id_ in values)
    assert len(set(values.values())) <= 255 or block.codes.itemsize == 2


def counts(catalog: Catalog) -> dict[FacetKind, dict[FacetValue, int]]:
    with catalog.snapshot() as moment:  # which keeps no answers
        return moment.count_photos_by(FACET_KINDS)


class RandomChanges:
    """Changes of a catalog's photos and files, behind the back of the program too."""

    def __init__(self, catalog: Catalog, place: Path, seed: int) -> None:
        self._catalog = catalog
        self._rng = random.Random(seed)
        self._paths = count()
        with catalog.transaction() as transaction:
            self._folders = [transaction.add_folder(place / name)[0].id for name in ("1", "2")]

    def add_photos(self) -> None:
        """One of them has no file."""
        facts = [photo(self._rng.randrange(10**9)) for _ in range(3)]
        with self._catalog.transaction() as transaction:
            ids = list(transaction.add_photos(facts).values())
            files = [ReadFile(f"{next(self._paths)}", id_, 1, 1) for id_ in ids[:2]]
            transaction.put_files(self._rng.choice(self._folders), files)

    def put_file(self) -> None:
        """The file may hold another photo already."""
        file = ReadFile(f"{self._rng.randrange(30)}", self._any(PHOTO), 1, 1)
        with self._catalog.transaction() as transaction:
            transaction.put_files(self._rng.choice(self._folders), [file])

    def change_a_fact(self) -> None:
        facts = {
            "taken_at": "2020-05-04", "camera": "Other", "city": "Rome", "region": "Lazio",
            "country": "Italy", "format": "PNG", "rating": 3,
        }  # fmt: skip
        name = self._rng.choice(list(facts))
        of_photo = update(PHOTO).where(PHOTO.c.id == self._any(PHOTO))
        execute(self._catalog, of_photo.values({name: facts[name]}))

    def remove_a_file(self) -> None:
        execute(self._catalog, delete(FILE).where(FILE.c.id == self._any(FILE)))

    def change_what_a_file_holds(self) -> None:
        self._change_file(photo_id=self._any(PHOTO))

    def move_a_file(self) -> None:
        moved = f"moved {next(self._paths)}"
        self._change_file(folder_id=self._rng.choice(self._folders), path=moved)

    def remove_photos(self) -> None:
        with self._catalog.transaction() as transaction:
            transaction.remove_photos_without_files()

    def skip_ids(self) -> None:
        """The next photos are in another block."""
        skip_ids(self._catalog, self._any(PHOTO) + self._rng.randrange(2 * PHOTOS))

    def change_anything(self) -> None:
        changes = (
            self.add_photos, self.put_file, self.change_a_fact, self.remove_a_file,
            self.change_what_a_file_holds, self.move_a_file, self.remove_photos, self.skip_ids,
        )  # fmt: skip
        self._rng.choice(changes)()

    def _any(self, table: Table) -> int:
        with writing(self._catalog) as connection:
            return self._rng.choice(connection.scalars(select(table.c.id)).all() or [0])

    def _change_file(self, **values: object) -> None:
        of_file = update(FILE).where(FILE.c.id == self._any(FILE))
        execute(self._catalog, of_file.values(values))


def execute(catalog: Catalog, statement: Executable) -> None:
    with writing(catalog) as connection:
        connection.execute(statement)


@pytest.mark.parametrize("seed", range(3))
def test_no_change_leaves_a_wrong_block(catalog: Catalog, tmp_path: Path, seed: int) -> None:
    changes = RandomChanges(catalog, tmp_path, seed)
    changes.add_photos()
    for _ in range(60):
        changes.change_anything()
        assert catalog.wrong_facet_blocks() == {}
        with_blocks = counts(catalog)
        execute(catalog, delete(FACET_BLOCK))
        assert counts(catalog) == with_blocks
        make_blocks(catalog)
        assert (counts(catalog), catalog.wrong_facet_blocks()) == (with_blocks, {})


def test_a_folder_that_is_forgotten_is_counted_no_more(catalog: Catalog, tmp_path: Path) -> None:
    with catalog.transaction() as transaction:
        ids = list(transaction.add_photos([photo(number) for number in range(4)]).values())
        for name in ("one", "two"):
            folder, _ = transaction.add_folder(tmp_path / name)
            transaction.put_files(folder.id, [ReadFile(f"{id_}", id_, 1, 1) for id_ in ids[:3]])
    make_blocks(catalog)
    assert counts(catalog)["folder"] == {str(tmp_path / name): 3 for name in ("one", "two")} | {
        None: 1
    }
    execute(catalog, delete(FOLDER).where(FOLDER.c.id == folder.id))
    assert catalog.wrong_facet_blocks() == {}
    assert counts(catalog)["folder"] == {str(tmp_path / "one"): 3, None: 1}


def test_what_is_changed_otherwise_leaves_the_blocks(catalog: Catalog) -> None:
    """As a run does that reads the metadata of all photos again and finds the same."""
    with catalog.transaction() as transaction:
        transaction.add_photos([photo(number) for number in range(4)])
    make_blocks(catalog)
    execute(catalog, update(PHOTO).values(camera=PHOTO.c.camera, title="A title", color=7))
    assert catalog.lacking_facet_blocks() == []
    execute(catalog, update(PHOTO).where(PHOTO.c.camera == "Acme 1").values(camera=None))
    assert catalog.lacking_facet_blocks() == [0]


def test_a_block_is_not_made_while_one_of_its_photos_is_added(postgresql_server: Server) -> None:
    """Whoever adds it finds no block to remove, and whoever makes the block would not see it."""
    url = postgresql_server.database()
    one, other = Catalog(PostgreSqlDialect(url)), Catalog(PostgreSqlDialect(url))
    with one.transaction() as transaction:
        transaction.add_photos([photo(0)])
    with ThreadPoolExecutor(1) as threads:
        with one.transaction() as transaction:
            transaction.add_photos([photo(1)])
            making = threads.submit(make_blocks, other)
            time.sleep(0.3)
            assert not making.done()
        making.result(30)
        assert (one.wrong_facet_blocks(), counts(one)["format"]) == ({}, {"JPEG": 2})

        def add() -> None:
            with one.transaction() as transaction:
                transaction.add_photos([photo(2)])

        with other.transaction() as transaction:
            transaction.make_facet_blocks(0)
            adding = threads.submit(add)
            time.sleep(0.3)
            assert not adding.done()
        adding.result(30)
    assert (one.wrong_facet_blocks(), counts(one)["format"]) == ({}, {"JPEG": 3})
    assert one.lacking_facet_blocks() == [0]
    one.close()
    other.close()
    postgresql_server.drop(url)


def test_a_run_of_index_makes_them(mini_library: Path, tmp_path: Path) -> None:
    """Also in a library of an earlier version, of which it finds nothing new."""
    with sigseek.open(shutil.copytree(mini_library, tmp_path / "library")) as library:
        catalog = Catalog(library.directory)
        before = counts(catalog)
        assert catalog.lacking_facet_blocks() == []
        execute(catalog, delete(FACET_BLOCK))
        library.index()
        assert catalog.lacking_facet_blocks() == []
        assert counts(catalog) == before
        catalog.close()


def test_a_database_on_postgresql_of_before_gets_the_triggers(postgresql_server: Server) -> None:
    def triggers() -> list[tuple[str, ...]]:
        asked = (
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname ~ 'facet_block' "
            "ORDER BY tgname",
            "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname ~ 'facet_block' "
            "ORDER BY proname",
            "SELECT attname || format_type(atttypid, 0) || attnotnull FROM pg_attribute "
            "WHERE attnum > 0 AND attrelid = 'facet_block'::regclass ORDER BY attnum",
        )
        with dialect.readers.connect() as connection:
            return [tuple(connection.scalars(text(query))) for query in asked]

    url = postgresql_server.database()
    dialect = PostgreSqlDialect(url)
    new = triggers()
    assert [len(found) for found in new] == [6, 4, 4]
    functions = (
        "remove_facet_blocks, remove_facet_blocks_of_facts, remove_facet_blocks_of_folders, "
        "remove_facet_blocks_of_moved_files"
    )
    postgresql_server.run_in(url, f"DROP FUNCTION {functions} CASCADE; DROP TABLE facet_block")
    with (
        dialect.writers.begin() as connection,
        Operations.context(MigrationContext.configure(connection)),
    ):
        scripts().get_revision("0025").module.upgrade()
    assert triggers() == new
    dialect.close()
    postgresql_server.drop(url)
