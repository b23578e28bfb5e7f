import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from search import QueryError
from search import engine as engine_module
from search.engine import Searcher
from storage import Catalog
from tests.catalogs import add_checkpoint, add_photos, random_unit, unit


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library")
    yield catalog
    catalog.close()


def searcher(catalog: Catalog, directory: Path) -> Searcher:
    return Searcher(catalog, catalog.checkpoints()[0], directory / "index")


def test_known_neighbours_and_their_scores(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 0, 0, 0], [0.8, 0.6, 0, 0], [0, 1, 0, 0], [-1, 0, 0, 0]])
    add_photos(catalog, add_checkpoint(catalog, 4), vectors, tmp_path, ["same.jpg", "near.jpg", "far.jpg", "opposite.jpg"])
    hits = searcher(catalog, tmp_path).by_text("x", unit([1, 0, 0, 0]), 10, explain=True)
    assert [Path(hit.path).name for hit in hits] == ["same.jpg", "near.jpg", "far.jpg", "opposite.jpg"]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    for hit, cosine in zip(hits, [1, 0.8, 0, -1], strict=True):
        assert hit.cosine == pytest.approx(cosine, abs=1e-3)  # embeddings are kept in fp16
        assert hit.logit == pytest.approx(math.exp(4.7) * hit.cosine - 12.9, rel=1e-5)
        assert hit.score == pytest.approx(1 / (1 + math.exp(-hit.logit)), rel=1e-5)
        assert hit.terms == {"x": hit.score}


def test_by_photo_leaves_the_photo_itself_out(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 0], [0.6, 0.8], [0, 1]])
    ids = add_photos(catalog, add_checkpoint(catalog, 2), vectors, tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    hits = searcher(catalog, tmp_path).by_photo(vectors[0], 1, leave_out=ids[0])
    assert [(Path(hit.path).name, hit.rank) for hit in hits] == [("b.jpg", 1)]
    assert hits[0].cosine == pytest.approx(0.6, abs=1e-3)


def test_ranking_equals_numpys_with_few_candidates(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_CANDIDATES", 15)
    vectors = random_unit(300, 24)
    ids = add_photos(catalog, add_checkpoint(catalog, 24), vectors, tmp_path, [f"{n}.jpg" for n in range(300)])
    search = searcher(catalog, tmp_path)
    kept = vectors.astype(np.float16).astype(np.float32)
    for query in random_unit(10, 24, seed=5):
        nearest = np.argsort(-(kept @ query), kind="stable")
        for limit in (1, 5, 60, 300, 1000):
            paths = [hit.path for hit in search.by_photo(query, limit)]
            assert paths == [str(tmp_path / f"{n}.jpg") for n in nearest[:limit]]
    assert len(ids) == 300


def test_equal_scores_are_in_order_of_id(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 1]] * 6)
    add_photos(catalog, add_checkpoint(catalog, 2), vectors, tmp_path, [f"{n}.jpg" for n in (3, 1, 5, 0, 2, 4)])
    hits = searcher(catalog, tmp_path).by_photo(vectors[0], 6)
    assert [Path(hit.path).stem for hit in hits] == ["3", "1", "5", "0", "2", "4"]


def test_min_score_cuts_off(catalog: Catalog, tmp_path: Path) -> None:
    vectors = unit([[1, 0], [0.12, math.sqrt(1 - 0.12**2)], [0, 1]])
    add_photos(catalog, add_checkpoint(catalog, 2), vectors, tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    search = searcher(catalog, tmp_path)
    assert len(search.by_text("x", unit([1, 0]), 10, min_score=0.5)) == 2
    assert len(search.by_text("x", unit([1, 0]), 10, min_score=0.9)) == 1
    assert search.by_text("x", unit([0, -1]), 10, min_score=0.5) == []


@pytest.mark.parametrize("min_score", [-0.1, 1.1, math.nan])
def test_a_score_that_is_none(catalog: Catalog, tmp_path: Path, min_score: float) -> None:
    add_photos(catalog, add_checkpoint(catalog, 2), unit([[1, 0]]), tmp_path, ["a.jpg"])
    with pytest.raises(QueryError, match="outside 0 to 1"):
        searcher(catalog, tmp_path).by_text("x", unit([1, 0]), 10, min_score=min_score)


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_that_shows_nothing(catalog: Catalog, tmp_path: Path, limit: int) -> None:
    add_photos(catalog, add_checkpoint(catalog, 2), unit([[1, 0]]), tmp_path, ["a.jpg"])
    with pytest.raises(QueryError, match="shows nothing"):
        searcher(catalog, tmp_path).by_photo(unit([1, 0]), limit)


def test_files_there_copies_and_gone(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "there.jpg").touch()
    ids = add_photos(catalog, add_checkpoint(catalog, 2), unit([[1, 0], [0, 1]]), tmp_path, ["gone.jpg", "lost.jpg"])
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(tmp_path)
        transaction.put_files(folder.id, [("there.jpg", ids[0], 1, 1)])
    first, second = searcher(catalog, tmp_path).by_photo(unit([1, 0]), 2)
    assert (first.path, first.copies, first.available) == (str(tmp_path / "there.jpg"), (str(tmp_path / "gone.jpg"),), True)
    assert (second.path, second.copies, second.available) == (str(tmp_path / "lost.jpg"), (), False)


def test_a_photo_removed_since_the_index_was_written_is_no_hit(catalog: Catalog, tmp_path: Path) -> None:
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
