import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from sigseek.search import retrieval
from sigseek.search.errors import QueryError
from sigseek.search.known_photo import KnownPhoto
from sigseek.search.query import Text
from sigseek.search.results import PhotoHit, SearchResults
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog, ReadFile
from sigseek.storage.index import faiss_build, index_files
from tests.catalogs import (
    add_checkpoint,
    add_files,
    add_many,
    add_photos,
    open_searcher,
    random_unit,
    unit,
)
from tests.databases import Databases

pytestmark = pytest.mark.both_databases(milvus=True)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library")
    yield catalog
    catalog.close()


def searcher(catalog: Catalog, directory: Path) -> Searcher:
    return open_searcher(catalog, directory / "index")


def by_text(
    search: Searcher, vector: npt.NDArray[np.float32], limit: int, **options: object
) -> SearchResults:
    return search.search(Text("x"), {Text("x"): vector}, limit, **options)  # type: ignore[arg-type]


def test_known_neighbours_and_their_scores(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 0, 0, 0], [0.8, 0.6, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0]])
    added = add_photos(
        catalog,
        add_checkpoint(catalog, 4),
        vectors,
        tmp_path,
        ["same.jpg", "near.jpg", "far.jpg", "opposite.jpg"],
    )
    hits = by_text(searcher(catalog, tmp_path), unit([1, 0, 0, 0]), 10, explain=True)
    assert [Path(hit.path).name for hit in hits] == [
        "same.jpg",
        "near.jpg",
        "far.jpg",
        "opposite.jpg",
    ]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert [hit.id for hit in hits] == added
    for hit, cosine in zip(hits, [1, 0.8, 0, -1], strict=True):
        assert hit.cosine == pytest.approx(cosine, abs=1e-3)  # embeddings are kept in fp16
        assert hit.logit == pytest.approx(math.exp(4.7) * hit.cosine - 12.9, rel=1e-5)
        assert hit.score == pytest.approx(1 / (1 + math.exp(-hit.logit)), rel=1e-5)
        assert hit.terms == {"x": hit.score}
        assert (hit.probability, hit.verdict, hit.judged_by) == (hit.score, None, "nothing")


def test_by_photo_leaves_the_photo_itself_out(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 0], [0.6, 0.8], [0, 1]])
    ids = add_photos(
        catalog, add_checkpoint(catalog, 2), vectors, tmp_path, ["a.jpg", "b.jpg", "c.jpg"]
    )
    hits = searcher(catalog, tmp_path).by_photo(
        vectors[0], 1, known=KnownPhoto(ids[0], frozenset(), has_copies=False)
    )
    assert [(Path(hit.path).name, hit.rank) for hit in hits] == [("b.jpg", 1)]
    assert hits[0].cosine == pytest.approx(0.6, abs=1e-3)


def test_ranking_equals_numpys_with_few_candidates(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrieval, "_CANDIDATES", 15)
    vectors = random_unit(300, 24)
    ids = add_photos(
        catalog, add_checkpoint(catalog, 24), vectors, tmp_path, [f"{n}.jpg" for n in range(300)]
    )
    search = searcher(catalog, tmp_path)
    kept = vectors.astype(np.float16).astype(np.float32)
    for query in random_unit(10, 24, seed=5):
        nearest = np.argsort(-cosines_by_row(kept, query), kind="stable")
        for limit in (1, 5, 60, 300, 1000):
            paths = [hit.path for hit in search.by_photo(query, limit)]
            assert paths == [str(tmp_path / f"{n}.jpg") for n in nearest[:limit]]
    assert len(ids) == 300


def test_equal_scores_are_in_order_of_id(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 1]] * 6)
    add_photos(
        catalog,
        add_checkpoint(catalog, 2),
        vectors,
        tmp_path,
        [f"{n}.jpg" for n in (3, 1, 5, 0, 2, 4)],
    )
    hits = searcher(catalog, tmp_path).by_photo(vectors[0], 6)
    assert [Path(hit.path).stem for hit in hits] == ["3", "1", "5", "0", "2", "4"]


def test_the_least_probability_cuts_off(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 0], [0.12, math.sqrt(1 - 0.12**2)], [0, 1]])
    add_photos(catalog, add_checkpoint(catalog, 2), vectors, tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    search = searcher(catalog, tmp_path)
    assert len(by_text(search, unit([1, 0]), 10, min_probability=0.5)) == 2
    assert len(by_text(search, unit([1, 0]), 10, min_probability=0.9)) == 1
    assert list(by_text(search, unit([0, -1]), 10, min_probability=0.5)) == []


@pytest.mark.parametrize("min_probability", [-0.1, 1.1, math.nan])
def test_a_score_that_is_none(catalog: Catalog, tmp_path: Path, min_probability: float) -> None:
    add_photos(catalog, add_checkpoint(catalog, 2), unit([[1, 0]]), tmp_path, ["a.jpg"])
    with pytest.raises(QueryError, match="outside 0 to 1"):
        by_text(searcher(catalog, tmp_path), unit([1, 0]), 10, min_probability=min_probability)


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_that_shows_nothing(catalog: Catalog, tmp_path: Path, limit: int) -> None:
    add_photos(catalog, add_checkpoint(catalog, 2), unit([[1, 0]]), tmp_path, ["a.jpg"])
    with pytest.raises(
        QueryError, match=f"^{limit} hits cannot be shown; limit must be at least 1$"
    ):
        searcher(catalog, tmp_path).by_photo(unit([1, 0]), limit)


def test_files_there_copies_and_gone(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "there.jpg").touch()
    ids = add_photos(
        catalog,
        add_checkpoint(catalog, 2),
        unit([[1, 0], [0, 1]]),
        tmp_path,
        ["gone.jpg", "lost.jpg"],
    )
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.put_files(folder.id, [ReadFile("there.jpg", ids[0], 1, 1)])
    first, second = searcher(catalog, tmp_path).by_photo(unit([1, 0]), 2)
    assert (first.path, first.copies, first.available) == (
        str(tmp_path / "there.jpg"),
        (str(tmp_path / "gone.jpg"),),
        True,
    )
    assert (second.path, second.copies, second.available) == (str(tmp_path / "lost.jpg"), (), False)


def test_a_photo_removed_since_the_index_was_written_is_no_hit(
    catalog: Catalog, tmp_path: Path
) -> None:
    names = [f"{n}.jpg" for n in range(30)]
    vectors = random_unit(30, 4)
    add_photos(catalog, add_checkpoint(catalog, 4), vectors, tmp_path, names)
    searcher(catalog, tmp_path)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.remove_files(folder.id, ["0.jpg"])
        transaction.remove_photos_without_files()
    hits = searcher(catalog, tmp_path).by_photo(vectors[0], 29)
    assert len(hits) == 29
    assert str(tmp_path / "0.jpg") not in [hit.path for hit in hits]


def test_forgotten_photos_are_neither_found_nor_counted(catalog: Catalog, tmp_path: Path) -> None:
    """The photos are so few that the index file is not made again."""
    checkpoint, asked = add_checkpoint(catalog, 8), random_unit(1, 8, seed=3)[0]
    houses = unit(asked + 0.01 * random_unit(20, 8, seed=4))
    add_photos(
        catalog, checkpoint, random_unit(300, 8), tmp_path / "a", [f"{n}" for n in range(300)]
    )
    before = by_text(searcher(catalog, tmp_path), asked, 30)
    add_photos(catalog, checkpoint, houses, tmp_path / "b", [f"house {n}" for n in range(20)])
    assert by_text(searcher(catalog, tmp_path), asked, 30).expected > 19
    shutil.rmtree(tmp_path / "index", ignore_errors=True)  # a server keeps none there
    searcher(catalog, tmp_path)
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path / "b")
        transaction.remove_folder(folder.id)
        transaction.remove_photos_without_files()
    found = by_text(searcher(catalog, tmp_path), asked, 30)
    assert found == before
    assert found.best is not None
    assert found.photos == 300


@pytest.mark.parametrize("count", [20, 2_000])
def test_what_was_indexed_later_is_expected_too(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """The later photos are of a kind of which the library had none, few or nearly twice as many."""
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 1_000)
    monkeypatch.setattr(faiss_build, "SAMPLED", 1_000)
    monkeypatch.setattr(retrieval, "_CANDIDATES", 15)
    monkeypatch.setattr(retrieval, "_CANDIDATES_PER_HIT", 1)
    checkpoint, asked = add_checkpoint(catalog, 16), random_unit(1, 16, seed=3)[0]
    add_many(catalog, checkpoint.id, random_unit(1_200, 16))
    searcher(catalog, tmp_path)
    beaches = unit(asked + 0.02 * random_unit(count, 16, seed=4))
    add_many(catalog, checkpoint.id, beaches)
    found = by_text(searcher(catalog, tmp_path), asked, 1)
    others = 1 / (1 + np.exp(-(np.exp(4.7) * (random_unit(1_200, 16) @ asked) - 12.9)))
    assert found.expected == pytest.approx(count + others.sum(), rel=0.2)


def test_equal_scores_are_in_order_of_id_however_the_embeddings_are_read(
    catalog: Catalog, tmp_path: Path
) -> None:
    add_photos(
        catalog,
        add_checkpoint(catalog, 24),
        random_unit(1, 24).repeat(1_003, axis=0),
        tmp_path,
        [f"{n}" for n in range(1_003)],
    )
    search = searcher(catalog, tmp_path)
    for limit in (7, 1_003):
        hits = search.by_photo(random_unit(1, 24, seed=5)[0], limit)
        assert [Path(hit.path).name for hit in hits] == [str(n) for n in range(limit)]


@pytest.fixture(scope="module")
def large(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> Iterator[tuple[Searcher, npt.NDArray[np.float32]]]:
    """A library of 3,000 photos, the 500 last ones later than the quantised index, and their
    embeddings as they are kept. Ids are row + 1.
    """
    directory = tmp_path_factory.mktemp("large")
    catalog = Catalog(directory / "library")
    checkpoint, vectors = add_checkpoint(catalog, 24), random_unit(3_000, 24)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss_build, "_QUANTISED_FROM", 2_000)
        patch.setattr(index_files, "_STALE_SHARE", 0.5)
        add_many(catalog, checkpoint.id, vectors[:2_500])
        searcher(catalog, directory)
        add_many(catalog, checkpoint.id, vectors[2_500:])
        add_files(catalog)
        yield searcher(catalog, directory), vectors.astype(np.float16).astype(np.float32)
    catalog.close()


def cosines_by_row(
    vectors: npt.NDArray[np.float32], query: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return cosines that are summed in the same order for every row, as a matrix product does not:
    of 3,000 photos some differ by the last bit.
    """
    return np.vecdot(vectors, query)


def found_ids(hits: Sequence[PhotoHit]) -> list[int]:
    return [int(Path(hit.path).name) for hit in hits]


@settings(max_examples=30)
@given(
    few=st.sets(st.integers(1, 3_000), max_size=60),
    every=st.sampled_from([1, 2, 3, 7]),
    wide=st.booleans(),
    limit=st.sampled_from([1, 10, 80, 400, 5_000]),
    seed=st.integers(0, 99),
    left_out=st.none() | st.integers(1, 3_000),
)
def test_a_filters_hits_equal_numpys(
    large: tuple[Searcher, npt.NDArray[np.float32]],
    few: set[int],
    every: int,
    wide: bool,
    limit: int,
    seed: int,
    left_out: int | None,
) -> None:
    search, kept = large
    among = np.arange(1, 3_001, every) if wide else np.array(sorted(few), np.int64)
    query = random_unit(1, 24, seed)[0]
    cosines = cosines_by_row(kept[among - 1], query)
    nearest = [
        id_ for id_ in among[np.argsort(-cosines, kind="stable")].tolist() if id_ != left_out
    ][:limit]
    known = KnownPhoto(left_out, frozenset(), has_copies=False) if left_out is not None else None
    hits = search.by_photo(query, limit, known=known, among=among)
    assert found_ids(hits) == nearest
    assert [hit.cosine for hit in hits] == pytest.approx(
        [float(kept[id_ - 1] @ query) for id_ in nearest], abs=1e-6
    )


def test_a_quantised_ranking_equals_numpys(large: tuple[Searcher, npt.NDArray[np.float32]]) -> None:
    search, kept = large
    for query in random_unit(3, 24, seed=5):
        nearest = (np.argsort(-cosines_by_row(kept, query), kind="stable") + 1).tolist()
        for limit in (1, 10, 200, 2_999, 4_000):
            assert found_ids(search.by_photo(query, limit)) == nearest[:limit]


@pytest.mark.sqlite_only("it reads SQLite's plan of the query")
def test_a_search_reads_none_but_the_candidates_embeddings(
    large: tuple[Searcher, npt.NDArray[np.float32]],
) -> None:
    """SQLite's own plan of the query goes by the primary key and scans no table."""
    search, _ = large
    statements: list[str] = []
    engine = search._catalog._dialect.readers
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    search.by_photo(random_unit(1, 24)[0], 1)
    (reading,) = [statement for statement in statements if "embedding.vector" in statement]
    with engine.connect() as connection:
        plan = [
            row[3]
            for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + reading, (1, "[1, 2]"))
        ]
    assert (
        plan[0] == "SEARCH embedding USING INDEX sqlite_autoindex_embedding_1 (checkpoint_id=? AND "
        "photo_id=?)"
    )
