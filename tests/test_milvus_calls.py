"""The calls of a collection, on Milvus Lite, which is a library and starts at once.

It makes no index of its own from the name SCANN: it compares all rows. So this shows that the calls
are understood, and nothing of a server's behaviour, which `make test-milvus` is about.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sigseek.storage import LibraryError
from sigseek.storage.index import milvus_collection
from sigseek.storage.index.milvus_collection import MilvusCollection
from tests.catalogs import random_unit

pytest.importorskip("milvus_lite", reason="Milvus Lite is not installed: make test-milvus")

from pymilvus import MilvusClient

DIMENSION = 16
IDS = np.arange(1, 51)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[MilvusClient]:
    opened = MilvusClient(str(tmp_path / "lite.db"))
    yield opened
    opened.close()


@pytest.fixture
def collection(client: MilvusClient, monkeypatch: pytest.MonkeyPatch) -> MilvusCollection:
    monkeypatch.setattr(milvus_collection, "_BUILD", {})  # it does not tell parameters of an index
    made = MilvusCollection(client, "lite", "a token", DIMENSION)
    assert not made.exists()
    made.make()
    assert made.exists()
    return made


def test_rows_are_put_found_and_removed(collection: MilvusCollection) -> None:
    vectors = random_unit(len(IDS), DIMENSION)
    collection.upsert(IDS, vectors.astype(np.float16), 3)
    assert collection.generation() is None
    collection.put_generation(3)
    assert (collection.generation(), collection.count()) == (3, 50)
    assert np.concatenate(list(collection.ids())).tolist() == IDS.tolist()

    cosines = vectors @ vectors[6]
    ids, found = collection.nearest(vectors[6], 5)
    assert set((np.argsort(-cosines)[:5] + 1).tolist()) <= set(ids.tolist())
    np.testing.assert_allclose(found, cosines[ids - 1], atol=2e-3)  # they are in half precision

    collection.upsert(IDS[:1], vectors[6:7].astype(np.float16), 4)  # in the place of the first one
    collection.put_generation(4)
    assert (collection.generation(), collection.count()) == (4, 50)
    ids, found = collection.nearest(vectors[6], 2)
    assert {1, 7} <= set(ids.tolist())
    collection.delete(np.array([7, 999]))
    assert collection.count() == 49
    assert 7 not in collection.nearest(vectors[6], 2)[0]
    collection.flush()
    assert collection.is_indexed()


def test_a_collection_is_made_once_and_dropped(
    collection: MilvusCollection, client: MilvusClient
) -> None:
    collection.upsert(IDS, random_unit(len(IDS), DIMENSION).astype(np.float16), 3)
    collection.make()
    assert collection.count() == 50
    with pytest.raises(LibraryError, match="has fields that sigseek did not make"):
        MilvusCollection(client, "lite", "a token", DIMENSION + 1).make()
    collection.drop()
    assert not collection.exists()
    with pytest.raises(LibraryError, match=r"^Milvus at lite cannot be used \("):
        collection.count()
