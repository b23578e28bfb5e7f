"""The file of embeddings beside a quantised index."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sigseek.search.retrieval import Retriever
from sigseek.storage import Catalog, CheckpointRecord, EmbeddingRecord
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss_build, index_files, vector_file
from sigseek.storage.index.exact import ExactIndex
from tests.catalogs import add_checkpoint, add_many, opened, random_unit

Ids = npt.NDArray[np.int64]

DIMENSION = 16
COUNT = 1_200


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """A library that is searched by a quantised index."""
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 1_000)
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, DIMENSION)
    add_many(catalog, checkpoint.id, random_unit(COUNT, DIMENSION, seed=1))
    yield catalog
    catalog.close()


def directory_of(catalog: Catalog) -> Path:
    return catalog.path.parent / "index"


def file_of(catalog: Catalog) -> Path:
    (path,) = directory_of(catalog).glob("*.vectors")
    return path


def record_of(catalog: Catalog) -> CheckpointRecord:
    return catalog.checkpoints()[0]


def remove(catalog: Catalog, ids: Ids) -> None:
    """Remove photos from the catalog alone."""
    with sqlite3.connect(catalog.path) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executemany("DELETE FROM photo WHERE id = ?", ids[:, None].tolist())
    connection.close()


def kept(catalog: Catalog, ids: Ids) -> dict[int, bytes]:
    """Return the embeddings that the index gives of these ids."""
    return {
        int(id_): vector.tobytes()
        for some, vectors in opened(catalog, directory_of(catalog)).kept(ids)
        for id_, vector in zip(some, vectors, strict=True)
    }


def test_the_file_gives_what_the_catalog_has(catalog: Catalog) -> None:
    ids, vectors = catalog.embeddings(1)
    strangers = np.array([0, 10**6])
    found = kept(catalog, np.union1d(ids[::3], strangers))
    rows = zip(ids[::3].tolist(), vectors[::3], strict=True)
    assert found == {id_: vector.tobytes() for id_, vector in rows}
    assert kept(catalog, ids[:0]) == {}


def test_a_changed_byte_costs_its_row_alone(catalog: Catalog) -> None:
    ids, _ = catalog.embeddings(1)
    whole = kept(catalog, ids)
    path = file_of(catalog)
    contents = bytearray(path.read_bytes())
    contents[7 * 2 * DIMENSION + 5] ^= 4  # in the embedding of the 8th row
    contents[COUNT * 2 * DIMENSION + 20 * 8] ^= 1  # in the id of the 21st row
    contents[COUNT * (2 * DIMENSION + 8) + 30 * 8] ^= 1  # in the checksum of the 31st row
    path.unlink()  # never written in place: it may be mapped
    path.write_bytes(contents)
    left = {id_: vector for id_, vector in whole.items() if id_ not in ids[[7, 20, 30]]}
    assert kept(catalog, ids) == left


def test_a_row_of_zeros_is_not_taken(catalog: Catalog) -> None:
    ids, _ = catalog.embeddings(1)
    opened(catalog, directory_of(catalog))
    path = file_of(catalog)
    contents = bytearray(path.read_bytes())
    contents[: 2 * DIMENSION] = bytes(2 * DIMENSION)
    at = COUNT * (2 * DIMENSION + 8)
    contents[at : at + 8] = bytes(8)
    path.unlink()
    path.write_bytes(contents)
    assert set(kept(catalog, ids)) == set(ids[1:].tolist())


def test_a_file_cut_off_anywhere_is_not_read(catalog: Catalog) -> None:
    ids, _ = catalog.embeddings(1)
    opened(catalog, directory_of(catalog))
    path = file_of(catalog)
    whole = path.read_bytes()
    for contents in (b"", whole[:43], whole[:-1], whole[:-44], whole[1:], whole + b"\0"):
        path.unlink()
        path.write_bytes(contents)
        assert kept(catalog, ids) == {}
    path.unlink()
    assert kept(catalog, ids) == {}


def test_a_changed_byte_at_the_end_of_a_file_is_noticed(catalog: Catalog) -> None:
    """The last 48 bytes say what is in the file and how long it is."""
    ids, _ = catalog.embeddings(1)
    index = opened(catalog, directory_of(catalog))
    token = record_of(catalog).token
    for path in list(directory_of(catalog).iterdir()):
        whole = path.read_bytes()
        for place in range(1, index_files.FOOTER.size + index_files.CHECKSUM.size + 1):
            contents = bytearray(whole)
            contents[-place] ^= 0x80
            path.unlink()
            path.write_bytes(contents)
            assert index_files.damaged_names(directory_of(catalog), token) == [str(path)]
            if path.suffix == index_files.VECTORS:
                assert kept(catalog, ids) == {}
        path.unlink()
        path.write_bytes(whole)
    assert index_files.damaged_names(directory_of(catalog), token) == []
    assert len(index) == len(kept(catalog, ids)) == COUNT


def test_a_new_index_reads_from_the_file_what_it_has_and_has_not_changed(catalog: Catalog) -> None:
    ids, vectors = catalog.embeddings(1)
    opened(catalog, directory_of(catalog))
    path, record = file_of(catalog), record_of(catalog)
    embeddings = CheckpointEmbeddings(catalog, record)
    contents = bytearray(path.read_bytes())
    contents[7 * 2 * DIMENSION + 5] ^= 4  # in the embedding of the 8th row
    path.unlink()
    path.write_bytes(contents)
    file = vector_file.open_exactly(directory_of(catalog), embeddings, record.generation)
    assert file
    remove(catalog, ids)

    def found(changed: Ids = ids[:0]) -> list[int]:
        chunks = list(vector_file.chunks(file, embeddings, ids, changed))
        some, halves = (np.concatenate(side) for side in zip(*chunks, strict=True))
        assert np.array_equal(halves, vectors[np.isin(ids, some)])
        return [int(id_) for id_ in some]

    assert found() == np.delete(ids, 7).tolist()
    assert found(ids[[3, 5]]) == np.delete(ids, [3, 5, 7]).tolist()
    path.unlink()
    path.write_bytes(contents[: 1_100 * 2 * DIMENSION])
    assert found() == np.delete(ids[:1_024], 7).tolist()
    path.unlink()
    assert found() == []


def test_cosines_are_the_same_with_and_without_the_file(catalog: Catalog) -> None:
    """Rows that are damaged, added later, removed or embedded again are read from the catalog."""
    record = record_of(catalog)
    opened(catalog, directory_of(catalog))
    path = file_of(catalog)
    contents = bytearray(path.read_bytes())
    contents[5] ^= 4
    path.unlink()
    path.write_bytes(contents)
    add_many(catalog, record.id, random_unit(20, DIMENSION, seed=2))
    remove(catalog, np.array([40, 41]))
    ids, vectors = catalog.embeddings(1)
    queries = list(random_unit(2, DIMENSION, seed=7))
    by_file = Retriever(catalog, record_of(catalog), opened(catalog, directory_of(catalog)))
    without = Retriever(catalog, record_of(catalog), ExactIndex(ids, vectors))
    wanted = np.arange(1, COUNT + 30)
    assert kept(catalog, wanted).keys() == set(range(2, COUNT + 1)) - {40, 41}
    found, cosines = by_file.exact(queries, wanted)
    expected_ids, expected = without.exact(queries, wanted)
    assert found.tolist() == expected_ids.tolist() == ids.tolist()
    for values, right, query in zip(cosines, expected, queries, strict=True):
        assert values.tolist() == right.tolist()
        plain = np.vecdot(vectors.astype(np.float32), query)
        assert values.tolist() == plain.tolist(), "scaling by a power of two changes no digit"


def test_the_smallest_numbers_keep_their_value(catalog: Catalog) -> None:
    """Those below 6e-5 have fewer digits in 16 bits, and another form."""
    vectors = np.zeros((4, DIMENSION), np.float32)
    vectors[:, 0] = 1
    vectors[:, 1] = [6e-8, -6e-8, 5.9e-5, -6.2e-5]
    ids = np.array(add_many(catalog, 1, vectors))
    retriever = Retriever(catalog, record_of(catalog), opened(catalog, directory_of(catalog)))
    query = np.eye(1, DIMENSION, 1, dtype=np.float32)[0]
    _, (cosines,) = retriever.exact([query], ids)
    assert cosines.tolist() == vectors[:, 1].astype(np.float16).astype(np.float32).tolist()


def test_a_new_index_drops_the_file_of_the_one_before(catalog: Catalog) -> None:
    opened(catalog, directory_of(catalog))
    before = file_of(catalog)
    add_many(catalog, 1, random_unit(400, DIMENSION, seed=2))
    with catalog.transaction() as transaction:  # embedded again
        again = {9: EmbeddingRecord(random_unit(1, DIMENSION, seed=3)[0], "fp32", 1)}
        transaction.add_embeddings(1, again)
    remove(catalog, np.array([30, 31]))
    opened(catalog, directory_of(catalog))
    assert not before.exists()
    assert file_of(catalog).stem == f"{record_of(catalog).token}-{record_of(catalog).generation}"
    ids, vectors = catalog.embeddings(1)
    assert kept(catalog, ids) == dict(zip(ids.tolist(), map(bytes, vectors), strict=True))
