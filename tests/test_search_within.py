"""Searches within a selection, against scoring every photo of it: over flat, quantised and exact
indexes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import text

from sigseek.search import retrieval
from sigseek.search.algebra import combine
from sigseek.search.parse import parse
from sigseek.search.query import And, Leaf, Query, Text, split_facts, terms
from sigseek.search.results import SearchResults
from sigseek.search.searcher import Searcher
from sigseek.search.verdicts import MATCH_FROM, MAYBE_FROM
from sigseek.siglip.yardstick import VERSION
from sigseek.storage import Catalog, YardstickRecord
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index import faiss as faiss_index
from sigseek.storage.index import faiss_build, milvus
from sigseek.storage.index.exact import ExactStore
from tests.catalogs import add_files, add_many, open_searcher, random_unit, unit, writing
from tests.databases import Databases

pytestmark = pytest.mark.both_databases(milvus=True)

DIMENSION, PHOTOS = 96, 6_000
SIZES = {"=1": 1, "=2": 30, "=3": 1_000}
"""The numbers of photos with each rating. The other half of the photos have four stars or more."""
Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass
class Library:
    searcher: Searcher
    kept: Floats
    vectors: dict[Leaf, Floats]
    ratings: npt.NDArray[np.int64]

    def search(self, typed: str, limit: int, *, include_all: bool = False) -> SearchResults:
        query = parse(typed)
        vectors = {term: self.vectors[term] for term in terms(query) if term in self.vectors}
        return self.searcher.search(query, vectors, limit, include_all=include_all, explain=True)

    def exactly(self, query: Query, within: npt.NDArray[np.int64]) -> Doubles:
        """Return the probabilities of the photos with these ids."""
        rest = split_facts(query)[1]
        assert rest is not None
        sample = self.searcher._retriever.sample(self.vectors, {})
        probabilities = {
            term: self.searcher._scorer._model(term, self.vectors, sample)(
                np.vecdot(self.kept[within - 1], self.vectors[term])
            )
            for term in terms(rest)
        }
        return combine(And((rest,)), probabilities)


def rated(size: str, ratings: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the ids of the photos of one of the selections below."""
    number = int(size.strip("=."))
    wanted = ratings == number if size.startswith("=") else ratings >= number
    return np.flatnonzero(wanted) + 1


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("flat", marks=pytest.mark.faiss_only("only FAISS has a flat index")),
        "quantised",
        pytest.param("exact", marks=pytest.mark.faiss_only("it asks no server")),
    ],
)
def library(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    databases: Databases,
) -> Iterator[Library]:
    directory = tmp_path_factory.mktemp("within")
    catalog = Catalog(directory / "library")
    with catalog.transaction() as transaction:
        checkpoint = transaction.add_checkpoint(
            name="gentle",
            fingerprint="f",
            preprocessing="p",
            dimension=DIMENSION,
            image_size=32,
            logit_scale=float(np.log(20)),  # so that hardly any probabilities are alike
            logit_bias=-4.0,
        )
    rng = np.random.default_rng(3)
    asked = random_unit(3, DIMENSION, seed=4)
    rows = random_unit(PHOTOS, DIMENSION, seed=5)
    near = rng.choice(PHOTOS, 900, replace=False)
    rows[near] = unit(asked[rng.integers(0, 2, 900)] + 0.1 * rng.standard_normal((900, DIMENSION)))
    add_many(catalog, checkpoint.id, rows)
    ratings = rng.permutation(
        np.concatenate(
            [np.full(count, int(size[1:])) for size, count in SIZES.items()]
            + [np.full(PHOTOS // 2, 5), np.zeros(PHOTOS - PHOTOS // 2 - sum(SIZES.values()))]
        )
    ).astype(np.int64)
    add_files(catalog)
    with writing(catalog) as connection:
        connection.execute(
            text("UPDATE photo SET rating = :rating WHERE id = :id"),
            [{"rating": rating, "id": id_} for id_, rating in enumerate(ratings.tolist(), 1)],
        )
    ids = np.arange(1, PHOTOS + 1)
    with catalog.transaction() as transaction:
        absent = np.linspace(0, 0.4, 200, dtype=np.float32)
        pictures = random_unit(8, DIMENSION, seed=9)
        transaction.put_yardstick(
            checkpoint.id, YardstickRecord(VERSION, 1, PHOTOS, pictures, absent)
        )
        transaction.put_biases(checkpoint.id, ids, np.full(PHOTOS, 0.3, np.float32))
    vectors: dict[Leaf, Floats] = dict(zip([Text("a"), Text("b"), Text("c")], asked, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss_build, "_QUANTISED_FROM", 2_000)
        if request.param == "flat":
            patch.setattr(faiss_build, "_QUANTISED_FROM", PHOTOS + 1)
        searcher = open_searcher(catalog, directory / "index")
        if request.param == "exact":
            record = catalog.checkpoints()[0]
            index = ExactStore().open(CheckpointEmbeddings(catalog, record))
            searcher = Searcher(catalog, record, index)
        patch.setattr(faiss_index, "_MOST_KEPT", 500)
        patch.setattr(milvus, "_MOST_EXACT", 500)
        yield Library(searcher, rows.astype(np.float16).astype(np.float32), vectors, ratings)
    catalog.close()


@pytest.mark.faiss_only("within a selection a server gives more than it is asked for")
@pytest.mark.parametrize("size", ["=3", "5"])
def test_one_scan_finds_what_two_scans_find(
    library: Library, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = rated(size, library.ratings)
    retriever = library.searcher._retriever
    if size == "=3":
        monkeypatch.setattr(retrieval, "_CANDIDATES", 200)
    for query in library.vectors.values():
        together = retriever.nearest_and_few(query, 10, within, 50)
        apart = retriever.nearest(query, 10, within), retriever.nearest_few(query, 50)
        for found, expected in zip(together, apart, strict=True):
            assert found[0].tolist() == expected[0].tolist()
            assert found[1].tolist() == expected[1].tolist()


def test_a_second_query_within_a_selection_reads_no_embeddings(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = rated("=2", library.ratings)
    a, b = (library.vectors[Text(name)] for name in "ab")
    retriever = library.searcher._retriever
    retriever.nearest(a, 10, within)
    with monkeypatch.context() as patch:
        patch.setattr(Catalog, "embedding_chunks", None)
        ids, cosines, _ = retriever.nearest(b, 10, within.copy())
    assert ids.tolist() == within.tolist()
    assert cosines == pytest.approx(np.vecdot(library.kept[within - 1], b), abs=1e-6)
    other = rated("=1", library.ratings)
    assert retriever.nearest(b, 10, other)[0].tolist() == other.tolist()


@pytest.mark.parametrize("asked", ["a", "c", "a OR b", "a NOT b", "a^2"])
@pytest.mark.parametrize("size", ["=1", "=2", "=3", "5", "0"])
def test_a_search_within_a_selection(library: Library, asked: str, size: str) -> None:
    query = parse(f"({asked}) rating:{size}")
    within = rated(size, library.ratings)
    probabilities = library.exactly(query, within)
    ranked_by = probabilities
    if asked in ("a", "c"):  # probabilities that are rounded to 1 are told apart by the cosine
        ranked_by = np.vecdot(library.kept[within - 1], library.vectors[Text(asked)])
    order = np.lexsort((within, -ranked_by))
    found = library.search(f"({asked}) rating:{size}", 20, include_all=True)
    assert [hit.id for hit in found] == within[order][:20].tolist()
    assert [hit.probability for hit in found] == pytest.approx(probabilities[order][:20].tolist())
    assert found.photos == len(within)
    assert found.selection == f'rating:"{parse(f"rating:{size}").value}"'  # type: ignore[union-attr]
    matches = int((probabilities >= MATCH_FROM).sum())
    maybes = int((probabilities >= MAYBE_FROM).sum()) - matches
    if found.counted:
        assert (found.matches, found.maybes) == (matches, maybes)
    else:
        assert found.matches == pytest.approx(matches, rel=0.2, abs=30)
    assert len(within) > 1_000 or found.counted
    assert found.expected == pytest.approx(probabilities.sum(), rel=0.2, abs=1)
    assert all(hit.terms and hit.terms[f"rating:{size}"] == 1 for hit in found)


def test_all_of_a_small_selection_are_listed(library: Library) -> None:
    found = library.search("c rating:=2", 100, include_all=True)
    assert sorted(hit.id for hit in found) == rated("=2", library.ratings).tolist()
    assert (len(found), found.photos) == (30, 30)


def test_a_selection_without_photos(library: Library) -> None:
    found = library.search("a rating:=4", 10, include_all=True)
    assert (len(found), found.photos, found.matches, found.best) == (0, 0, 0, None)
    assert found.selection == 'rating:"=4"'


def test_facts_under_or_and_not(library: Library) -> None:
    within = rated("=3", library.ratings)
    narrowed = library.search("a NOT (rating:4 OR rating:<3)", 50)
    assert narrowed.photos == len(within)
    assert [hit.id for hit in narrowed] == [hit.id for hit in library.search("a rating:=3", 50)]
    either = library.search("a OR rating:=2", 5_000)
    assert set(rated("=2", library.ratings).tolist()) <= {hit.id for hit in either}
    assert either.photos == PHOTOS


def test_facts_alone_list_the_photos_by_id(library: Library) -> None:
    found = library.search("rating:=3 NOT rating:4", 10)
    within = rated("=3", library.ratings)
    assert [hit.id for hit in found] == within[:10].tolist()
    assert (found.matches, found.photos, found.counted) == (1_000, 1_000, True)
    assert {(hit.probability, hit.verdict, hit.judged_by) for hit in found} == {
        (1, "match", "facts")
    }
    assert found[0].terms == {"rating:=3": 1, "rating:4": 0}
