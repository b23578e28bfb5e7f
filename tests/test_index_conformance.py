"""What `sigseek.storage.index.contract` promises, held by every implementation."""

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.geometry import Geometry
from sigseek.search import retrieval
from sigseek.search.query import And, Leaf, Not, Or, PhotoTerm, Query, Text, joined, negated, terms
from sigseek.search.retrieval import Retriever
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog, CheckpointRecord, EmbeddingRecord, ReadFile
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss as faiss_index
from sigseek.storage.index import faiss_build, index_files, milvus
from sigseek.storage.index.contract import EstimatingIndex, IndexStore, VectorIndex
from sigseek.storage.index.exact import ExactIndex, ExactStore
from sigseek.storage.index.file_store import FileStore
from sigseek.storage.index.milvus_store import MilvusStore
from tests.catalogs import add_checkpoint, add_many, random_unit, unit

Floats = npt.NDArray[np.float32]

DIMENSION = 32
PHOTOS = 3_000


@dataclass
class Engine:
    """An implementation, and how well it estimates."""

    store: IndexStore
    exact: bool
    estimates: bool = True
    """Whether it tells of all photos at once."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test over all engines. Milvus takes a minute or two, and has to be asked for."""
    if "engine" in metafunc.fixturenames:
        engines = ["exact", "flat", "quantised"]
        if metafunc.config.getoption("milvus"):
            engines.append("milvus")
        metafunc.parametrize("engine", engines, indirect=True)


@pytest.fixture
def engine(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Engine]:
    """Each implementation; FAISS's quantiser from fewer embeddings on than in earnest."""
    monkeypatch.setattr(faiss_build, "SAMPLED", 500)
    monkeypatch.setattr(faiss_index, "FEWEST_SAMPLED", 100)
    monkeypatch.setattr(faiss_index, "_MOST_KEPT", 300)
    monkeypatch.setattr(milvus, "SAMPLED", 500)
    monkeypatch.setattr(milvus, "FEWEST_SAMPLED", 100)
    monkeypatch.setattr(milvus, "_MOST_EXACT", 1_000)
    if request.param == "milvus":
        store = MilvusStore(request.getfixturevalue("milvus_address"))
        yield Engine(store, False, False)
        for token in list(store._known):  # the server spends time on each collection that it has
            store.remove(token)
        store.close()
        return
    if request.param == "exact":
        yield Engine(ExactStore(), exact=True)
        return
    quantised = request.param == "quantised"
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 1_000 if quantised else 1_000_000)
    yield Engine(FileStore(tmp_path / "index"), exact=not quantised)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path)
    add_checkpoint(catalog, DIMENSION)
    yield catalog
    catalog.close()


def record_of(catalog: Catalog) -> CheckpointRecord:
    return catalog.checkpoints()[0]


def opened(engine: Engine, catalog: Catalog) -> VectorIndex:
    return engine.store.open(CheckpointEmbeddings(catalog, record_of(catalog)))


def reference(catalog: Catalog) -> ExactIndex:
    return ExactStore().open(CheckpointEmbeddings(catalog, record_of(catalog)))


GEOMETRY = Geometry(DIMENSION)


def fill(catalog: Catalog, count: int = PHOTOS, seed: int = 1) -> list[int]:
    """Add photos whose embeddings lie to each other as images do."""
    vectors = GEOMETRY.images(count, seed).astype(np.float32)
    return add_many(catalog, record_of(catalog).id, vectors)


def both_kinds(count: int = 10) -> list[Floats]:
    """Return queries that are texts, far from all images, and queries near an image."""
    images = GEOMETRY.images(count, seed=1)
    return [*GEOMETRY.captions(images), *GEOMETRY.near(images)]


def check_index(engine: Engine, catalog: Catalog, queries: Sequence[Floats]) -> None:
    """Check that the index finds what exact comparison finds, with its numbers, and nothing
    else.
    """
    index, right = opened(engine, catalog), reference(catalog)
    assert len(index) == len(right)
    for query in queries:
        everything = right.estimates([query])
        found, expected = index.nearest(query, 400), right.nearest(query, 10)
        # While a server tidies up it may give too few. Then all are compared one by one.
        assert found.exact is engine.exact or not engine.estimates
        assert len(found.ids) == min(400, len(right))
        assert (np.diff(found.ids) > 0).all()
        assert set(found.ids.tolist()) <= set(everything.ids.tolist())
        true = everything.cosines[0][np.searchsorted(everything.ids, found.ids)]
        if found.exact:
            np.testing.assert_allclose(found.cosines, true, atol=1e-6)
            assert set(expected.ids.tolist()) <= set(found.ids.tolist())
        else:
            assert np.sqrt(np.mean((found.cosines - true) ** 2)) < 0.05
            assert np.isin(expected.ids, found.ids).mean() >= 0.9


def test_known_neighbours_and_their_numbers(engine: Engine, catalog: Catalog) -> None:
    vectors = np.zeros((4, DIMENSION), np.float32)
    vectors[:, :2] = unit([[1, 0], [0.8, 0.6], [0, 1], [-1, 0]])
    ids = add_many(catalog, record_of(catalog).id, vectors)
    index = opened(engine, catalog)
    found = index.nearest(vectors[0], 2)
    assert found.ids.tolist() == ids[:2]
    assert found.exact, "so few are compared one by one"
    assert found.cosines == pytest.approx([1, 0.8], abs=1e-3)
    found = index.nearest(-vectors[0], 9)
    assert found.ids.tolist() == ids
    assert found.cosines == pytest.approx([-1, -0.8, 0, 1], abs=1e-3)
    sampled, (cosines,) = index.sample([vectors[2]])
    assert sampled.tolist() == ids
    assert cosines == pytest.approx([0, 0.6, 1, 0], abs=1e-3)


def test_equals_come_in_order_of_id(engine: Engine, catalog: Catalog) -> None:
    ids = add_many(catalog, record_of(catalog).id, random_unit(1, DIMENSION).repeat(600, axis=0))
    assert opened(engine, catalog).nearest(random_unit(1, DIMENSION)[0], 7).ids.tolist() == ids[:7]


def test_an_empty_index(engine: Engine, catalog: Catalog) -> None:
    index = opened(engine, catalog)
    query = random_unit(1, DIMENSION)[0]
    assert len(index) == 0
    assert len(index.nearest(query, 10).ids) == 0
    assert len(index.nearest(query, 10, np.array([3, 5])).ids) == 0
    ids, (cosines,) = index.sample([query])
    assert (len(ids), len(cosines)) == (0, 0)


def test_equality_with_exact_for_both_kinds_of_queries(engine: Engine, catalog: Catalog) -> None:
    fill(catalog)
    check_index(engine, catalog, both_kinds())
    check_index(engine, catalog, both_kinds())  # now from what was stored
    index = opened(engine, catalog)
    assert all(index.nearest(query, 400).exact is engine.exact for query in both_kinds())


def test_selections_from_one_photo_to_all(engine: Engine, catalog: Catalog) -> None:
    ids = np.array(fill(catalog, PHOTOS - 200))
    opened(engine, catalog)
    ids = np.concatenate([ids, fill(catalog, 200, seed=2)])
    index, right = opened(engine, catalog), reference(catalog)
    rng = np.random.default_rng(3)
    for size in (0, 1, 2, 30, 500, 1_700, len(ids)):
        within = np.sort(rng.choice(ids, size, replace=False))
        strangers = np.union1d(within, [10**6, 10**6 + 7])
        assert index.held(strangers).tolist() == within.tolist()
        for query in both_kinds(2):
            for count in (1, 300, len(ids)):
                found = index.nearest(query, count, strangers)
                assert len(found.ids) >= min(count, size)
                assert set(found.ids.tolist()) <= set(within.tolist())
                expected = right.nearest(query, min(count, 10), within)
                held = np.isin(expected.ids, found.ids)
                estimated = not engine.exact and count < size
                assert held.all() or (estimated and (count == 1 or held.mean() >= 0.9))
            sampled, (cosines,) = index.sample([query], strangers)
            assert set(sampled.tolist()) <= set(within.tolist())
            assert len(sampled) >= min(size, 100)
            true = right.estimates([query], sampled)
            np.testing.assert_allclose(cosines, true.cosines[0], atol=1e-6)


def test_estimates_cover_all_of_a_selection(engine: Engine, catalog: Catalog) -> None:
    ids = np.array(fill(catalog))
    index = opened(engine, catalog)
    assert isinstance(index, EstimatingIndex) is engine.estimates
    if not isinstance(index, EstimatingIndex):
        return
    right = reference(catalog)
    for within in (None, ids[::7], ids[:1], ids[:0]):
        found = index.estimates(both_kinds(1), within)
        expected = right.estimates(both_kinds(1), within)
        assert found.ids.tolist() == expected.ids.tolist()
        assert len(found.cosines) == 2
        for cosines, true in zip(found.cosines, expected.cosines, strict=True):
            assert np.abs(cosines - true).max(initial=0) < (1e-6 if engine.exact else 0.3)
        assert index.estimates([], within).ids.tolist() == expected.ids.tolist()


def test_kept_embeddings_are_those_of_the_catalog(engine: Engine, catalog: Catalog) -> None:
    ids = fill(catalog)
    opened(engine, catalog)
    embed_again(catalog, dict(zip(ids[:3], random_unit(3, DIMENSION, seed=5), strict=True)))
    remove_photos(catalog, ids[-3:])
    held, vectors = catalog.embeddings(1)
    for some, found in opened(engine, catalog).kept(np.array([*ids, 10**6])):
        assert (np.diff(some) > 0).all()
        assert found.tobytes() == vectors[np.searchsorted(held, some)].tobytes()
        assert set(some.tolist()) <= set(held.tolist())


def remove_photos(catalog: Catalog, ids: Sequence[int]) -> None:
    """Have photos leave the catalog as a forgotten folder's do."""
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/stays"))
        gone = set(ids)
        kept = [id_ for id_ in catalog.embedded_ids(1).tolist() if id_ not in gone]
        transaction.put_files(folder.id, [ReadFile(str(id_), id_, 1, 1) for id_ in kept])
        transaction.remove_photos_without_files()


def embed_again(catalog: Catalog, vectors: dict[int, Floats]) -> None:
    with catalog.transaction() as transaction:
        records = {id_: EmbeddingRecord(vector, "fp32", 1) for id_, vector in vectors.items()}
        transaction.add_embeddings(1, records)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_removed_photos_are_in_no_answer(engine: Engine, catalog: Catalog, share: float) -> None:
    """A few removed photos leave what is stored as it is, and many have it made again."""
    ids = fill(catalog)
    opened(engine, catalog)
    query = both_kinds(1)[0]
    nearest_first = ids_by_cosine(catalog, query)
    gone = nearest_first[: int(share * len(ids))]
    remove_photos(catalog, gone)
    index = opened(engine, catalog)
    kept = set(ids) - set(gone)
    assert len(index) == len(kept)
    assert not set(index.held(np.array(gone)[np.argsort(gone)]).tolist())
    for within in (None, np.array(sorted(ids))[::2]):
        for asked in (query, -query):
            assert set(index.nearest(asked, 50, within).ids.tolist()) <= kept
            assert set(index.sample([asked], within)[0].tolist()) <= kept
            if isinstance(index, EstimatingIndex):
                assert set(index.estimates([asked], within).ids.tolist()) <= kept
    assert nearest_first[len(gone)] in index.nearest(query, 400).ids
    check_index(engine, catalog, both_kinds(3))


def ids_by_cosine(catalog: Catalog, query: Floats) -> list[int]:
    found = reference(catalog).estimates([query])
    return found.ids[np.argsort(-found.cosines[0], kind="stable")].tolist()


@pytest.mark.parametrize("count", [40, 2_000])
def test_later_photos_are_found_and_sampled(engine: Engine, catalog: Catalog, count: int) -> None:
    fill(catalog)
    opened(engine, catalog)
    away = -GEOMETRY.images(count, seed=8).astype(np.float32)
    later = add_many(catalog, record_of(catalog).id, away)
    check_index(engine, catalog, both_kinds(3))
    index = opened(engine, catalog)
    nearest = index.nearest(away[0], 20)
    best = nearest.ids[np.argsort(-nearest.cosines)[:20]]
    assert set(best.tolist()) <= set(later)
    sampled, _ = index.sample([away[0]])
    share = count / (PHOTOS + count)
    assert np.isin(sampled, later).mean() == pytest.approx(share, abs=0.08)


@pytest.mark.parametrize("later", [0, 120])
def test_no_photo_that_is_left_out_is_above_the_ceiling(
    engine: Engine, catalog: Catalog, later: int
) -> None:
    """Later photos are few and mostly far from the query, so few of them are among the nearest."""
    fill(catalog)
    opened(engine, catalog)
    if later:
        add_many(catalog, record_of(catalog).id, -GEOMETRY.images(later, seed=8).astype(np.float32))
    right = reference(catalog).estimates([])
    retriever = Retriever(catalog, record_of(catalog), opened(engine, catalog))
    for query in both_kinds(3):
        for within in (None, right.ids[1::2]):
            asked = right.ids if within is None else within
            true = reference(catalog).estimates([query], within).cosines[0]
            found = [retriever.nearest(query, 5, within)]
            if within is not None:
                found.append(retriever.nearest_and_few(query, 5, within, 200)[0])
            for candidates in found:
                left_out = true[~np.isin(asked, candidates.ids)]
                assert len(left_out)
                assert left_out.max() <= candidates.ceiling
                assert candidates.ceiling < left_out.max() + 0.3, "and it tells something"


def test_photos_removed_and_as_many_added(engine: Engine, catalog: Catalog) -> None:
    """The library's counts are as before, and the photos are not."""
    ids = fill(catalog)
    opened(engine, catalog)
    remove_photos(catalog, ids[:60])
    fill(catalog, 60, seed=5)
    check_index(engine, catalog, both_kinds(3))
    assert len(opened(engine, catalog).held(np.array(ids[:60]))) == 0


def test_photos_embedded_again_count_as_they_are_now(engine: Engine, catalog: Catalog) -> None:
    ids = fill(catalog)
    opened(engine, catalog)
    query = random_unit(1, DIMENSION, seed=9)[0]
    embed_again(catalog, {ids[5]: query, ids[6]: -query})
    check_index(engine, catalog, both_kinds(3))
    index = opened(engine, catalog)
    for asked, near, far in ((query, ids[5], ids[6]), (-query, ids[6], ids[5])):
        found = index.nearest(asked, 1)
        cosines = dict(zip(found.ids.tolist(), found.cosines.tolist(), strict=True))
        assert cosines[near] == pytest.approx(1, abs=1e-3)
        assert cosines.get(far, -1) == pytest.approx(-1, abs=1e-3)


def test_an_opened_index_goes_on_as_it_was(engine: Engine, catalog: Catalog) -> None:
    fill(catalog)
    opened(engine, catalog)
    index = opened(engine, catalog)
    queries = both_kinds(3)
    before = [index.nearest(query, 400).ids.tolist() for query in queries]
    best = best_tens(catalog, queries)
    fill(catalog, 1_000, seed=2)
    opened(engine, catalog)
    engine.store.remove(record_of(catalog).token)
    after = [index.nearest(query, 400).ids.tolist() for query in queries]
    if engine.estimates:
        assert after == before
    else:  # what the server no longer has is compared one by one
        assert all(ten <= set(now) for ten, now in zip(best, after, strict=True))
    check_index(engine, catalog, queries)


def test_what_is_current_is_not_made_again(engine: Engine, catalog: Catalog) -> None:
    fill(catalog)
    engine.store.catch_up(CheckpointEmbeddings(catalog, record_of(catalog)))
    assert engine.store.is_current(CheckpointEmbeddings(catalog, record_of(catalog)))
    size = engine.store.bytes()
    fill(catalog, 5, seed=2)
    embeddings = CheckpointEmbeddings(catalog, record_of(catalog))
    assert engine.store.is_current(embeddings)
    assert engine.store.bytes() == size
    assert engine.store.check(embeddings).damaged == ()
    assert engine.store.check(embeddings).lacking == ()
    engine.store.remove(embeddings.token)
    assert engine.store.bytes() == 0


def best_tens(catalog: Catalog, queries: Sequence[Floats]) -> list[set[int]]:
    """Return the ids of the ten photos that are nearest to each query."""
    right = reference(catalog)
    return [set(right.nearest(query, 10).ids.tolist()) for query in queries]


def have_nine(found: Sequence[Sequence[int]], best: Sequence[set[int]]) -> bool:
    """Return whether answers have at least nine of the best ten each. A server's answers may differ
    from one moment to the next, because it estimates otherwise once it has made an index anew.
    """
    return all(len(ten.intersection(ids)) >= 9 for ten, ids in zip(best, found, strict=True))


def in_threads(count: int, work: Callable[[], None]) -> None:
    """Have several threads do the same at once; the first problem is raised."""
    problems: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]


def test_threads_may_open_at_the_same_time(engine: Engine, catalog: Catalog) -> None:
    fill(catalog)
    embeddings = CheckpointEmbeddings(catalog, record_of(catalog))
    queries = both_kinds(2)
    right = [engine.store.open(embeddings).nearest(query, 400).ids.tolist() for query in queries]
    best = best_tens(catalog, queries)
    engine.store.remove(embeddings.token)

    def open_and_search() -> None:
        index = engine.store.open(embeddings)
        assert len(index) == PHOTOS
        found = [index.nearest(query, 400).ids.tolist() for query in queries]
        assert found == right or (not engine.estimates and have_nine(found, best))

    in_threads(6, open_and_search)
    assert engine.store.check(embeddings).damaged == ()


def test_threads_may_search_one_index(engine: Engine, catalog: Catalog) -> None:
    ids = np.array(fill(catalog))
    index = opened(engine, catalog)
    queries, within = both_kinds(8), ids[::3]
    best = best_tens(catalog, queries)

    def answers(query: Floats) -> tuple[list[int], list[int], list[float]]:
        return (
            index.nearest(query, 400).ids.tolist(),
            index.nearest(query, 30, within).ids.tolist(),
            index.sample([query])[1][0].tolist(),
        )

    right = [answers(query) for query in queries]

    def search() -> None:
        for place in random.Random(threading.get_ident()).sample(range(len(queries)), len(queries)):
            nearest, *others = answers(queries[place])
            known, *known_others = right[place]
            assert others == known_others
            assert nearest == known or (
                not engine.estimates and have_nine([nearest], [best[place]])
            )

    in_threads(6, search)


_WRITER = """
import sys
from pathlib import Path
from sigseek.storage import Catalog
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss_build
from sigseek.storage.index.file_store import FileStore
faiss_build._QUANTISED_FROM = int(sys.argv[3])
catalog = Catalog(Path(sys.argv[1]))
store = FileStore(Path(sys.argv[2]))
print("ready", flush=True)
while True:
    embeddings = CheckpointEmbeddings(catalog, catalog.checkpoints()[0])
    store.remove(embeddings.token)
    store.open(embeddings)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_writers_leave_nothing_that_is_taken_for_an_index(
    engine: Engine, catalog: Catalog, tmp_path: Path
) -> None:
    if not isinstance(engine.store, FileStore):
        return  # it writes nothing
    fill(catalog)
    at = [tmp_path, tmp_path / "index", faiss_build._QUANTISED_FROM]
    for delay in (0.005, 0.02, 0.05, 0.08):
        command = [sys.executable, "-c", _WRITER, *map(str, at)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            threading.Event().wait(delay + random.random() * 0.02)
            writer.send_signal(signal.SIGKILL)
        check_index(engine, catalog, both_kinds(1))
    record = record_of(catalog)
    engine.store.tidy({record.token: record.generation})
    assert not [path for path in (tmp_path / "index").iterdir() if path.suffix == ".part"]
    assert engine.store.check(CheckpointEmbeddings(catalog, record)).damaged == ()


def test_tidying_removes_what_the_catalog_has_not_reached(engine: Engine, catalog: Catalog) -> None:
    fill(catalog)
    opened(engine, catalog)
    record = record_of(catalog)
    size = engine.store.bytes()
    engine.store.tidy({record.token: record.generation})
    assert engine.store.bytes() == size
    engine.store.tidy({record.token: record.generation - 1})
    assert engine.store.bytes() == 0


# Queries of several terms


class WithoutEstimates:
    """An index as an engine offers it that only finds nearest neighbours."""

    def __init__(self, index: VectorIndex) -> None:
        self.held = index.held
        self.nearest = index.nearest
        self.sample = index.sample
        self.kept = index.kept
        self._index = index

    def __len__(self) -> int:
        return len(self._index)


def random_query(rng: random.Random, leaves: Sequence[Leaf]) -> Query:
    one, two, three = rng.sample(leaves, 3)
    return rng.choice(
        [
            Not(one),
            And((one, two)),
            Or((one, two, three)),
            joined(And, [one, negated(two)]),
            joined(Or, [one, negated(joined(And, [two, three]))]),
        ]
    )


def test_an_index_without_estimates_gives_the_same_best(engine: Engine, catalog: Catalog) -> None:
    ids = fill(catalog)
    remove_photos(catalog, [])  # gives each photo a file
    leaves: list[Leaf] = [Text(name) for name in "abcd"]
    leaves.append(PhotoTerm("p.jpg"))
    vectors = dict(zip(leaves, both_kinds(4), strict=False))
    index = opened(engine, catalog)
    bare = WithoutEstimates(index)
    assert not isinstance(bare, EstimatingIndex)
    record = record_of(catalog)
    with_estimates, without = (Searcher(catalog, record, given) for given in (index, bare))
    rng = random.Random(1)
    for _ in range(12):
        query = random_query(rng, leaves)
        asked = {term: vectors[term] for term in terms(query)}
        first, second = (each.search(query, asked, 20) for each in (with_estimates, without))
        assert [hit.id for hit in first] == [hit.id for hit in second], str(query)
        assert [hit.probability for hit in first] == pytest.approx(
            [hit.probability for hit in second], rel=1e-5
        )
        assert {hit.id for hit in first} <= set(ids)


def test_an_index_without_estimates_counts_nothing_that_it_did_not_look_at(
    engine: Engine, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(catalog)
    remove_photos(catalog, [])
    index, record = opened(engine, catalog), record_of(catalog)
    query = Or((Text("a"), Text("b")))
    vectors: dict[Leaf, Floats] = dict(zip((Text("a"), Text("b")), both_kinds(2), strict=False))
    assert Searcher(catalog, record, WithoutEstimates(index)).search(query, vectors, 1).counted
    monkeypatch.setattr(retrieval, "_MOST_EXACT", 100)
    monkeypatch.setattr(retrieval, "NEAREST_TO_TERM", 50)
    found = Searcher(catalog, record, WithoutEstimates(index)).search(query, vectors, 1)
    # A sample is looked at, too. That of a small library has all photos.
    assert found.counted is (len(index.sample([], None)[0]) == len(index))


def test_a_file_serves_while_few_rows_are_out_of_date() -> None:
    assert index_files.may_serve(1_000, 0, 1_000)
    assert index_files.may_serve(1_000, 50, 1_000), "50 came and 50 went"
    assert not index_files.may_serve(1_000, 60, 1_000)
    assert not index_files.may_serve(1_000, 0, 899)
