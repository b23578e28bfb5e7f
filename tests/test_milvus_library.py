"""A library whose vector index is in a Milvus server: every command, and what can go wrong."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

import sigseek
from sigseek.operations.vectors import use_vectors
from sigseek.progress import Silence, Stop
from sigseek.storage import Catalog, LibraryError, writer_lock
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import milvus_store
from sigseek.storage.index.contract import IndexCheck
from sigseek.storage.index.milvus_collection import MilvusCollection
from sigseek.storage.index.milvus_store import TOKEN_VARIABLE, MilvusStore, read_server_address
from sigseek.storage.records.arrays import Ids
from sigseek.web.app import make_app
from sigseek.web.settings import Settings
from tests.catalogs import add_checkpoint, add_many, random_unit
from tests.conftest import Run
from tests.indexed import save_photos
from tests.listeners import Heard
from tests.photos import save
from tests.postgresql import Server, address
from tests.served import HOST

SEARCH = "/api/v1/search"
QUERIES = ("a red house", "a house NOT a tree", "a house OR a tree in:a", "NOT a house")


def probabilities(library: sigseek.Library, query: str) -> dict[str, float]:
    found = library.search(query, limit=100, include_all=True)
    return {hit.path: hit.probability for hit in found}


def test_a_library_moves_to_milvus_and_back(tmp_path: Path, milvus_address: str) -> None:
    photos = save_photos(tmp_path / "photos")
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(photos)
        before = [probabilities(library, query) for query in QUERIES]
        library.index(vectors=milvus_address)
        for query, known in zip(QUERIES, before, strict=True):
            assert probabilities(library, query) == pytest.approx(known, abs=1e-4)
        assert library.status().index_bytes == 0
        (photos / "a" / "00.png").unlink()
        later = photos / "later.png"
        save(later, seed=90)
        library.index()
        library.prune(timedelta(0))
        now = probabilities(library, "a red house")
        assert set(now) == set(before[0]) - {str(photos / "a" / "00.png")} | {str(later)}
        assert library.verify().problems == ()
        (record,) = library._directory.catalog().checkpoints()
        left = MilvusStore(milvus_address)._named(record.token)
        assert left.exists()
        with sigseek.open(tmp_path / "library", model="mini") as other:
            other.search("a red house")
            library.index(vectors="faiss")
            assert not left.exists()
            assert probabilities(library, "a red house") == pytest.approx(now, abs=1e-4)
            assert probabilities(other, "a red house") == pytest.approx(now, abs=1e-4)
            assert other._opened.searcher._current(Silence(), Stop()).state.vectors is None
    assert library._directory._servers == {}


def test_two_servers_answer_from_one_milvus(
    tmp_path: Path, milvus_address: str, postgresql_server: Server
) -> None:
    url = postgresql_server.empty_database()
    photos = save_photos(tmp_path / "photos")
    with sigseek.open(address(url), model="mini") as library:
        library.index(photos, vectors=milvus_address)
        with sigseek.open(address(url)) as one, sigseek.open(address(url)) as other:
            asked = {"q": "a house", "all": "true", "limit": "100"}
            with (
                TestClient(make_app(one, Settings()), base_url=HOST) as first,
                TestClient(make_app(other, Settings()), base_url=HOST) as second,
            ):
                before = [client.get(SEARCH, params=asked).json() for client in (first, second)]
                save(photos / "later.png", seed=90)
                library.index()
                after = [client.get(SEARCH, params=asked).json() for client in (first, second)]
    counts = [len(answer["hits"]) for answer in (*before, *after)]
    assert counts == [counts[0]] * 2 + [counts[0] + 1] * 2
    postgresql_server.drop(url)


def test_collections_of_a_server_that_does_not_answer_are_named(tmp_path: Path) -> None:
    heard = Heard()
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(save_photos(tmp_path / "photos"))
        (record,) = library._directory.catalog().checkpoints()
        with library._directory.catalog().transaction() as transaction:
            transaction.put_vectors("milvus://localhost:1")
        library.index(vectors="faiss", listener=heard)
        assert library.search("a house", include_all=True)
    (line,) = [line for line in heard.lines if "milvus" in line]
    assert line.startswith(
        f"the library no longer uses sigseek_{record.token} of milvus://localhost:1; drop"
    )


def test_another_spelling_of_the_address_removes_nothing(tmp_path: Path) -> None:
    heard = Heard()
    with sigseek.open(tmp_path, model="mini") as library:
        add_checkpoint(library._directory.catalog(create=True), 4)
        for address in ("milvus://localhost:19530", "milvus://LOCALHOST/"):
            use_vectors(library._directory, address, heard)
            assert library._directory.catalog().vectors() == address
        assert library._directory._servers == {}, "none was asked to remove anything"
    assert heard.lines == []


def test_the_engine_stays_while_another_process_changes_the_library(tmp_path: Path) -> None:
    address = "milvus://localhost:1"
    with sigseek.open(tmp_path, model="mini") as library:
        use_vectors(library._directory, address, Silence())
        with writer_lock(tmp_path), pytest.raises(LibraryError, match="another sigseek"):
            library.index(save_photos(tmp_path / "photos"), vectors="faiss")
        assert library._directory.catalog().vectors() == address


def test_an_index_that_the_server_builds_again_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, 4)
    known = add_many(catalog, checkpoint.id, random_unit(3, 4))
    states = iter((False, False, True))

    class Joined(MilvusCollection):
        """All photos but one, in segments that the server has just joined."""

        def __init__(self) -> None:
            pass

        def exists(self) -> bool:
            return True

        def generation(self) -> int:
            return 1

        def ids(self) -> Iterator[Ids]:
            yield np.array(sorted(known)[:2], np.int64)

        def flush(self) -> None:
            pass

        def is_indexed(self) -> bool:
            return next(states)

    store = MilvusStore("milvus://localhost:1")
    monkeypatch.setattr(store, "_collection", lambda _: Joined())
    found = store.check(CheckpointEmbeddings(catalog, checkpoint))
    assert found == IndexCheck((), (max(known),))
    assert list(states) == [], "it was asked until the index was there"


def test_rows_that_another_process_adds_meanwhile_are_not_removed(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    checkpoint = add_checkpoint(catalog, 4)
    before = add_many(catalog, checkpoint.id, random_unit(2, 4))

    class Rows(MilvusCollection):
        """Rows that another process adds to while they are counted."""

        def __init__(self) -> None:
            self.rows = {*before, 1_000}  # the last one's photo was removed

        def count(self) -> int:
            count = len(self.rows)
            self.rows |= set(add_many(catalog, checkpoint.id, random_unit(1, 4)))
            return count

        def ids(self) -> Iterator[Ids]:
            yield np.array(sorted(self.rows), np.int64)

        def delete(self, ids: Ids) -> None:
            self.rows -= set(ids.tolist())

    rows = Rows()
    MilvusStore._delete_removed(rows, CheckpointEmbeddings(catalog, checkpoint), 0)
    assert rows.rows == set(catalog.embedded_ids(checkpoint.id).tolist())
    assert len(rows.rows) == 3
    catalog.close()


def test_a_server_that_does_not_answer_is_named(run: Run, tmp_path: Path) -> None:
    library, photos = tmp_path / "library", save_photos(tmp_path / "photos")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        server = f"127.0.0.1:{taken.getsockname()[1]}"
        named = ("--vectors", f"milvus://{server}", "--model", "mini", "--library", library)
        done = run("index", photos, *named, check=False)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert f"Milvus at {server}" in said or "pip install 'sigseek[milvus]'" in said
    assert not (library / "catalog.sqlite").exists()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("milvus://", "is not the address of a Milvus server"),
        ("milvus://host:99999", "is not the address of a Milvus server"),
        ("http://host:19530", "is not the address of a Milvus server"),
        ("milvus://me:secret@host", TOKEN_VARIABLE),
    ],
)
def test_addresses_that_are_none(address: str, said: str) -> None:
    with pytest.raises(LibraryError, match=said) as raised:
        read_server_address(address)
    assert "secret" not in str(raised.value)


def test_the_port_may_be_left_out() -> None:
    assert read_server_address("milvus://host") == ("host", 19530)
    assert read_server_address("milvus://[::1]:1234") == ("::1", 1234)


def test_an_address_of_ipv6_is_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(milvus_store, "_connect", asked.append)
    MilvusStore("milvus://[::1]:1234")._connected()
    assert asked == ["[::1]:1234"]


def test_an_unknown_engine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no engine for vectors is called 'fais'"):
        sigseek.open(tmp_path / "library", model="mini").index(tmp_path, vectors="fais")
