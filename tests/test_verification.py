"""`sigseek verify`: each kind of damage is found, told in a line, and mended where it can be."""

import json
import os
import shutil
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

import sigseek
from sigseek.indexer.decoding import digest
from sigseek.storage import Catalog, EmbeddingRecord
from sigseek.storage.catalog import FILE_NAME
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss_file
from sigseek.storage.index.file_store import FileStore
from sigseek.storage.verification import Verification
from tests.catalogs import (
    add_checkpoint,
    add_files,
    add_many,
    add_photos,
    execute,
    random_unit,
    writing,
)
from tests.conftest import Run
from tests.databases import Databases
from tests.photos import save

pytestmark = pytest.mark.both_databases


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(6):
        save(tmp_path / "photos" / f"{number}.png", seed=number)
    return tmp_path / "photos"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "library"


@pytest.fixture
def library(place: Path, photos: Path) -> Iterator[sigseek.Library]:
    with sigseek.open(place, model="mini") as library:
        library.index(photos)
        yield library


def change(library: sigseek.Library, statement: str, **values: object) -> None:
    execute(library.directory, statement, **values)


def without_its_photo(library: sigseek.Library) -> None:
    """Remove a photo, and nothing that depends on it."""
    with closing(sqlite3.connect(library.directory / FILE_NAME)) as connection, connection:
        connection.execute("DELETE FROM photo WHERE id = 3")


def index_path(library: sigseek.Library) -> Path:
    (path,) = (library.directory / "index").glob("*.faiss")
    return path


def flip(path: Path, at: int) -> None:
    contents = bytearray(path.read_bytes())
    contents[at] ^= 0x40
    path.write_bytes(contents)


def lose_a_row(library: sigseek.Library) -> None:
    """Write an index without one photo, all its checksums right."""
    path = index_path(library)
    catalog = Catalog(library.directory)
    (record,) = catalog.checkpoints()
    ids, vectors = catalog.embeddings(record.id)
    one_less = add_to_flat(record.dimension, ids[1:], vectors[1:])
    embeddings = CheckpointEmbeddings(catalog, record)
    faiss_file.write(one_less, 6, path.parent, embeddings, record.generation)
    catalog.close()


def add_to_flat(dimension: int, ids: object, vectors: object) -> object:
    from sigseek.storage.index.faiss_build import flat_index

    return flat_index(dimension, [(ids, vectors)])  # type: ignore[list-item]


def too_short(library: sigseek.Library) -> None:
    put_vector(library, bytes(100))


def not_unit(library: sigseek.Library) -> None:
    put_vector(library, np.full(192, 0.5, "<f2").tobytes())


def put_vector(library: sigseek.Library, vector: bytes) -> None:
    """Replace an embedding by these bytes, with the right checksum."""
    statement = "UPDATE embedding SET vector = :vector, checksum = :sum WHERE photo_id = 2"
    change(library, statement, vector=vector, sum=zlib.crc32(vector))


_ZEROS = "UPDATE embedding SET vector = :zeros WHERE photo_id = 2"

DAMAGES: dict[str, tuple[Callable[[sigseek.Library], None], str]] = {
    "an embedding's bytes": (
        lambda library: change(library, _ZEROS, zeros=bytes(384)),
        "embeddings by mini that are damaged (their checksums do not agree): 1, of ",
    ),
    "an embedding's length": (not_unit, "embeddings by mini that do not have the length 1: 1, of "),
    "an embedding of other dimensions": (
        too_short,
        "embeddings by mini that have another number of dimensions: 1, of ",
    ),
    "a dangling row": (
        without_its_photo,
        "rows of the table file that refer to something that is not there: 1",
    ),
    "the count": (
        lambda library: change(library, "UPDATE checkpoint SET embeddings = 7"),
        "the catalog counts 7 embeddings by mini, and has 6",
    ),
    "the numbers of rows": (
        lambda library: change(
            library, "UPDATE count_change SET files = files + 2 WHERE folder_id > 0"
        ),
        "the catalog counts 8 files and 0 missing ones in ",
    ),
    "what photos are counted by": (
        lambda library: change(
            library, "UPDATE facet_block SET words = '[7]' WHERE kind = 'format'"
        ),
        "photos 0 to 16,383 are counted by the wrong format",
    ),
    "a lost bias": (
        lambda library: change(library, "DELETE FROM bias WHERE photo_id = 4"),
        "not all embeddings by mini have been measured for verdicts",
    ),
    "the dimension": (
        lambda library: change(library, "UPDATE checkpoint SET dimension = 96"),
        "the catalog says that embeddings by mini have 96 dimensions, and they have 192",
    ),
    "an index's bytes": (lambda library: flip(index_path(library), 700), "the index "),
    "an index's end": (lambda library: os.truncate(index_path(library), 100), "the index "),
    "an index without a photo": (lose_a_row, "photos that the index lacks: 1, "),
}


@pytest.mark.parametrize("gone", ["photo", "folder"])
def test_a_file_of_nothing_is_told_and_stops_no_run(
    gone: str, library: sigseek.Library, place: Path, run: Run, databases: Databases
) -> None:
    if databases.kind == "postgresql":
        return  # the server holds foreign keys, whoever asks
    with closing(sqlite3.connect(library.directory / FILE_NAME)) as connection, connection:
        connection.execute(
            "INSERT INTO file (folder_id, path, photo_id, size, mtime_ns) "
            f"VALUES ({'1, ?, 999' if gone == 'photo' else '999, ?, 1'}, 1, 1)",
            ("nothing.png",),
        )
        connection.execute("DELETE FROM facet_block WHERE kind = 'folder'")
    counted = {facet.photos for facet in library.facets() if facet.by == "folder"}
    assert 6 in counted
    run("index", "--library", place)
    assert 6 in {facet.photos for facet in library.facets() if facet.by == "folder"}
    found = run("verify", "--library", place, check=False)
    assert found.returncode == 1
    assert "rows of the table file that refer to something that is not there: 1" in found.stdout


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_and_mended(
    name: str,
    library: sigseek.Library,
    place: Path,
    photos: Path,
    run: Run,
    databases: Databases,
) -> None:
    if name == "a dangling row" and databases.kind == "postgresql":
        return  # the server holds foreign keys, whoever asks
    damage, said = DAMAGES[name]
    before = {path.name: path.read_bytes() for path in photos.iterdir()}
    where = ("--library", place)
    assert run("verify", *where).stdout == "6 embeddings and 6 files checked: all is well\n"
    damage(library)
    found = run("verify", *where, check=False)
    assert found.returncode == 1
    assert f"wrong: {said}" in found.stdout
    assert f"to have it repaired: sigseek verify --library {place} --repair" in found.stdout
    assert run("verify", *where, check=False).stdout == found.stdout, "looking changes nothing"
    mended = run("verify", *where, "--repair")
    assert f"repaired: {said}" in mended.stdout
    assert mended.stdout.count("repaired: ") == found.stdout.count("wrong: ")
    assert run("verify", *where).returncode == 0
    run("index", *where)
    assert run("verify", *where).stdout == "6 embeddings and 6 files checked: all is well\n"
    with sigseek.open(place) as again:
        assert sorted(hit.path for hit in again.search("a house", include_all=True)) == [
            str(photos / f"{n}.png") for n in range(6)
        ]
        for hit in again.search("a house", include_all=True):
            assert again.similar(hit.path, 1)[0].cosine <= 1
    assert {path.name: path.read_bytes() for path in photos.iterdir()} == before


def test_a_repair_keeps_what_was_measured_on_sound_embeddings(library: sigseek.Library) -> None:
    change(library, _ZEROS, zeros=bytes(384))
    catalog = Catalog(library.directory)
    (record,) = catalog.checkpoints()
    before = catalog.yardstick(record.id)
    library.verify(repair=True)
    after = catalog.yardstick(record.id)
    assert before
    assert after
    assert np.array_equal(after.absent_evidence, before.absent_evidence)
    assert catalog.bias_count(record.id) == 5
    catalog.close()


def test_a_library_that_is_indexed_meanwhile_is_not_wrong(
    library: sigseek.Library, place: Path, photos: Path, run: Run
) -> None:
    catalog = Catalog(library.directory)
    (record,) = catalog.checkpoints()
    save(photos / "new.png", seed=6)
    run("index", "--library", place)
    verification = Verification(catalog, FileStore(library.directory / "index"), repair=False)
    verification.check_embeddings(record, lambda done: None)
    assert verification.problems == []
    catalog.close()


@pytest.mark.sqlite_only("it damages the file")
def test_a_catalog_that_sqlite_finds_damaged(library: sigseek.Library, run: Run) -> None:
    library.close()
    catalog = library.directory / "catalog.sqlite"
    size = catalog.stat().st_size
    with catalog.open("r+b") as file:  # the pages at the end hold rows, not the schema
        file.seek(size - 3 * 4096)
        file.write(os.urandom(2 * 4096))
    found = run("verify", "--repair", "--library", library.directory, check=False)
    assert found.returncode == 1
    assert "put a backup in its place" in found.stdout + found.stderr


def test_photos_that_the_disk_changed_are_found_by_their_contents(
    library: sigseek.Library, place: Path, photos: Path, run: Run
) -> None:
    status = (photos / "1.png").stat()
    flip(photos / "1.png", 60)
    os.utime(photos / "1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    (photos / "2.png").touch()
    (photos / "3.png").unlink()
    where = ("--library", place)
    index = f"sigseek index --library {place}"
    plain = run("verify", *where).stdout.splitlines()
    assert plain[1] == "2 files changed or removed since indexing. Update with: " + index
    found = run("verify", *where, "--contents", "--json", check=False)
    report = json.loads(found.stdout)
    (problem,) = report["problems"]
    assert (found.returncode, report["outdated"], problem["repaired"]) == (1, 2, False)
    assert problem["what"].startswith(
        f"{photos / '1.png'} holds other bytes than when it was indexed"
    )
    assert problem["remedy"].startswith("put a backup of it in its place")


def test_files_of_a_directory_that_gave_way_to_a_file_are_gone(
    library: sigseek.Library, photos: Path
) -> None:
    save(photos / "sub" / "6.png", seed=6)
    library.index()
    shutil.rmtree(photos / "sub")
    (photos / "sub").write_text("")
    report = library.verify()
    assert (report.problems, report.outdated) == ((), 1)


def test_a_file_that_is_larger_than_any_photo(
    library: sigseek.Library, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file was indexed when there was no such limit."""
    monkeypatch.setattr(digest, "_LARGEST_FILE", 10)
    report = library.verify(contents=True)
    assert (report.problems, report.files, report.outdated) == ((), 6, 0)


def test_files_of_folders_that_are_offline_are_not_looked_for(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    photos.rename(tmp_path / "unplugged")
    report = library.verify(contents=True)
    assert (report.problems, report.files, report.offline, report.outdated) == ((), 0, 6, 0)


def test_the_index_of_many_and_its_sample(place: Path) -> None:
    catalog = Catalog(place)
    checkpoint = add_checkpoint(catalog, 8)
    add_many(catalog, checkpoint.id, random_unit(20_000, 8))
    add_files(catalog)
    (record,) = catalog.checkpoints()
    with sigseek.open(place) as library:
        directory = library.directory / "index"
        FileStore(directory).catch_up(CheckpointEmbeddings(catalog, record))
        catalog.close()
        assert library.verify().problems == ()
        places = ((".faiss", 5_000), (".faiss", 60_000), (".sample", 5_000), (".vectors", 5_000))
        for suffix, at in places:
            (path,) = directory.glob(f"*{suffix}")
            flip(path, at)
            (problem,) = library.verify(repair=True).problems
            assert (problem.what, problem.repaired) == (f"the index {path} is damaged", True)
        assert library.verify().problems == ()


def test_photos_that_an_interrupted_run_left_are_no_damage(
    library: sigseek.Library, place: Path, run: Run
) -> None:
    where = ("--library", place)
    change(library, "DELETE FROM file WHERE photo_id = 3")
    left = (
        "1 photo without a file, after an indexing that was interrupted or could not read all "
        "files: the next indexing finds their files or removes them"
    )
    assert run("verify", *where).stdout.splitlines()[1] == left
    assert run("verify", *where, "--repair").stdout.splitlines()[1] == left, "a file may hold it"
    library.index()
    assert library.verify().leftover == 0, "though nothing was new in that run"


def test_what_a_killed_writer_left_is_removed(library: sigseek.Library) -> None:
    (library.directory / "index" / "x.faiss.1.part").write_bytes(b"half")
    library.index()
    assert list((library.directory / "index").glob("*.part")) == []


def test_photos_without_an_embedding_are_counted(
    library: sigseek.Library, place: Path, run: Run
) -> None:
    change(library, "DELETE FROM embedding WHERE photo_id = 2")
    index = f"sigseek index --library {place}"
    said = run("verify", "--repair", "--library", place).stdout.splitlines()
    assert said[-1] == "1 photo without an embedding, so not found. Embed with: " + index
    library.index()
    assert library.verify().unembedded == 0


def test_a_damaged_index_is_not_searched(library: sigseek.Library, place: Path) -> None:
    before = [(hit.path, hit.cosine) for hit in library.search("a house", include_all=True)]
    path = index_path(library)
    library.close()
    flip(path, 700)
    with sigseek.open(place) as again:
        assert [
            (hit.path, hit.cosine) for hit in again.search("a house", include_all=True)
        ] == before


def test_an_index_that_cannot_be_read_is_damaged(
    library: sigseek.Library, ordinary_folder: Path
) -> None:
    path = index_path(library)
    path.chmod(0)
    (problem,) = library.verify().problems
    assert problem.what == f"the index {path} is damaged"
    assert [problem.repaired for problem in library.verify(repair=True).problems] == [True]
    assert library.verify().problems == ()


def test_an_index_that_another_process_removed_at_this_moment(library: sigseek.Library) -> None:
    size = index_path(library).stat().st_size
    token, _ = index_path(library).name.split("-")
    (library.directory / "index" / f"{token}-0.faiss").symlink_to(
        "nowhere"
    )  # listed, and not there
    assert library.verify().problems == ()
    assert library.status().index_bytes == size


@pytest.mark.sqlite_only("it empties the file")
def test_a_catalog_that_a_power_cut_emptied(library: sigseek.Library, run: Run) -> None:
    library.close()
    (library.directory / "catalog.sqlite").write_bytes(b"")
    for command in (
        ["verify"],
        ["search", "a house"],
        ["index"],
        ["backup", library.directory / "copy"],
    ):
        done = run(*command, "--library", library.directory, check=False)
        assert (done.returncode, done.stdout) == (1, "")
        assert "catalog.sqlite is empty; put a backup in its place" in done.stderr


def test_times_of_change_beyond_64_bits(library: sigseek.Library, photos: Path) -> None:
    os.utime(photos / "1.png", (0, 330 * 31_556_952))
    library.index()
    assert library.verify(contents=True).outdated == 0


def test_embeddings_that_are_not_sound_on_each_database(
    open_catalog: Callable[[], Catalog], tmp_path: Path
) -> None:
    catalog = open_catalog()
    checkpoint = add_checkpoint(catalog, 4)
    vectors = random_unit(5, 4)
    ids = add_photos(catalog, checkpoint, vectors, Path("/p"), [f"{n}.jpg" for n in range(5)])
    with catalog.transaction() as transaction:  # twice as long as it should be
        long = EmbeddingRecord(vectors[1] * 2, "fp32", 1)
        wide = EmbeddingRecord(np.concatenate([vectors[2], vectors[2]]), "fp32", 1)
        transaction.add_embeddings(checkpoint.id, {ids[1]: long, ids[2]: wide})
    with writing(catalog) as connection:
        connection.execute(
            text("UPDATE embedding SET checksum = checksum + 1 WHERE photo_id = :id"),
            {"id": ids[3]},
        )
        connection.execute(text("UPDATE checkpoint SET embeddings = 7"))
    said = [
        "embeddings by a checkpoint that are damaged (their checksums do not agree): 1, "
        "of /p/3.jpg",
        "embeddings by a checkpoint that have another number of dimensions: 1, of /p/2.jpg",
        "embeddings by a checkpoint that do not have the length 1: 1, of /p/1.jpg",
        "the catalog counts 7 embeddings by a checkpoint, and has 5",
    ]
    for repair in (False, True):
        verification = Verification(catalog, FileStore(tmp_path), repair=repair)
        assert verification.check_catalog()
        verification.check_embeddings(catalog.checkpoints()[0], lambda count: None)
        found = [problem.what.removesuffix(" for example") for problem in verification.problems]
        assert found == said
        assert {problem.repaired for problem in verification.problems} == {repair}
    assert catalog.embedded_ids(checkpoint.id).tolist() == [ids[0], ids[4]]
    assert catalog.checkpoints()[0].embeddings == 2
    verification = Verification(catalog, FileStore(tmp_path), repair=False)
    verification.check_embeddings(catalog.checkpoints()[0], lambda count: None)
    assert verification.problems == []
