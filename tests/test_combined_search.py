"""Queries of several terms over a quantised index give what exact evaluation over every photo
gives.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sigseek.search import retrieval
from sigseek.search import searcher as searching
from sigseek.search.algebra import combine
from sigseek.search.calibration import Calibration
from sigseek.search.closer import CloserLook
from sigseek.search.errors import QueryError
from sigseek.search.parse import parse
from sigseek.search.query import (
    And,
    Leaf,
    Not,
    Or,
    PhotoTerm,
    Query,
    Tag,
    Text,
    joined,
    negated,
    split_facts,
    terms,
)
from sigseek.search.results import SearchResults
from sigseek.search.searcher import Searcher
from sigseek.search.terms import TermModel, photo_model, tag_model, text_model
from sigseek.search.verdicts import verdict
from sigseek.siglip import Scoring
from sigseek.siglip.yardstick import VERSION
from sigseek.storage import (
    Catalog,
    CheckpointRecord,
    EmbeddingRecord,
    YardstickRecord,
)
from sigseek.storage.index import faiss_build, index_files, milvus
from tests.catalogs import (
    add_checkpoint,
    add_files,
    add_many,
    add_photos,
    open_searcher,
    opened,
    random_unit,
    remove_photos,
    unit,
)
from tests.databases import Databases
from tests.trees import trees

pytestmark = pytest.mark.both_databases(milvus=True)

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

DIMENSION = 24
PHOTOS, LATER = 3_000, 300
SCORING = Scoring(
    float(np.log(20)), -4.0
)  # logits within -24 and 16, so that hardly any probabilities are alike

TEXTS = [Text(name) for name in "abcdefgh"]
"""The last two texts lie among photos, 300 each, and so are common in the library."""
PHOTO, TAG = PhotoTerm("p.jpg"), Tag("t")
LEAVES: tuple[Leaf, ...] = (*TEXTS, PHOTO, TAG)


@dataclass
class Library:
    """A searcher over a quantised index, and the same photos' embeddings as they are kept; ids are
    row + 1.
    """

    searcher: Searcher
    kept: Floats
    vectors: dict[Leaf, Floats]
    tagged: npt.NDArray[np.int64]

    def search(self, query: Query, limit: int = 10) -> SearchResults:
        vectors = {term: self.vectors[term] for term in terms(query) if term in self.vectors}
        return self.searcher.search(query, vectors, limit, explain=True)

    def cosines(self, term: Leaf) -> Floats:
        if isinstance(term, Tag):
            return np.isin(np.arange(1, PHOTOS + 1), self.tagged).astype(np.float32)
        cosines: Floats = np.vecdot(self.kept, self.vectors[term])  # every photo in the same order
        return cosines

    def model(self, term: Leaf) -> TermModel:
        """Return the term's model as the engine makes it of the sample: what is common in the
        sample decides on the model.
        """
        if isinstance(term, Tag):
            return tag_model()
        _, sample = self.searcher._retriever.sample({term: self.vectors[term]}, {})
        return (
            text_model(sample[term], SCORING, None)
            if isinstance(term, Text)
            else photo_model(sample[term], PHOTOS)
        )

    def exactly(self, query: Query) -> Doubles:
        """Return the probability of every photo."""
        return combine(query, {term: self.model(term)(self.cosines(term)) for term in terms(query)})


def add_gentle_checkpoint(catalog: Catalog) -> CheckpointRecord:
    with catalog.transaction() as transaction:
        return transaction.add_checkpoint(
            name="gentle",
            fingerprint="f",
            preprocessing="p",
            dimension=DIMENSION,
            image_size=32,
            **vars(SCORING),
        )


def around(direction: Floats, count: int, seed: int) -> Floats:
    return unit(direction + 0.12 * np.random.default_rng(seed).standard_normal((count, DIMENSION)))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Library]:
    """3,000 photos, the last 300 later than the index; few candidates, so that estimates decide on
    who is scored exactly.
    """
    directory = tmp_path_factory.mktemp("combined")
    catalog = Catalog(directory / "library")
    checkpoint = add_gentle_checkpoint(catalog)
    asked = random_unit(len(TEXTS) + 1, DIMENSION, seed=4)
    rows = np.concatenate(
        [random_unit(PHOTOS - 600, DIMENSION), around(asked[6], 300, 5), around(asked[7], 300, 6)]
    )
    rows = np.random.default_rng(7).permutation(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss_build, "_QUANTISED_FROM", 2_000)
        patch.setattr(faiss_build, "SAMPLED", 2_000)
        patch.setattr(index_files, "_STALE_SHARE", 0.5)
        patch.setattr(retrieval, "_CANDIDATES", 60)
        patch.setattr(retrieval, "_CANDIDATES_PER_HIT", 6)
        add_many(catalog, checkpoint.id, rows[:-LATER])
        open_searcher(catalog, directory / "index")
        add_many(catalog, checkpoint.id, rows[-LATER:])
        add_files(catalog)
        tagged = np.sort(
            np.random.default_rng(8).choice(np.arange(1, PHOTOS + 1), 500, replace=False)
        )
        with catalog.transaction() as transaction:
            transaction.put_tag(TAG.name, checkpoint.id, tagged, np.ones(500, np.float32))
        searcher = open_searcher(catalog, directory / "index")
        assert not opened(catalog, directory / "index").nearest(asked[0], 1).exact
        vectors: dict[Leaf, Floats] = dict(zip((*TEXTS, PHOTO), asked, strict=True))
        yield Library(searcher, rows.astype(np.float16).astype(np.float32), vectors, tagged)
    catalog.close()


def ids(results: SearchResults) -> list[int]:
    return [int(Path(hit.path).name) for hit in results]


def check(library: Library, query: Query, limit: int = 10) -> None:
    """Check that the hits are exactly the best, in their order, of equal ones those of the lowest
    ids.
    """
    expected = library.exactly(query)
    order = np.argsort(-expected, kind="stable")
    facts = split_facts(query)[0]
    if facts:  # they narrow the search: nothing else is listed
        order = order[library.exactly(facts)[order] == 1]
    order = order[:limit]
    found = library.search(query, limit)
    assert ids(found) == (order + 1).tolist(), str(query)
    assert [hit.probability for hit in found] == pytest.approx(expected[order].tolist(), rel=1e-9)


def random_query(rng: random.Random, shape: str) -> Query:
    one, two, three = rng.sample(TEXTS, 3)
    match shape:
        case "NOT":
            return negated(one)
        case "AND":
            return And((one, two))
        case "OR":
            return Or((one, two, three))
        case "AND NOT":
            return joined(And, [one, negated(two)])
        case "OR NOT":
            return joined(Or, [one, negated(joined(And, [two, three]))])
        case _:
            return negated(joined(Or, [one, two]))


@pytest.mark.parametrize("shape", ["NOT", "AND", "OR", "AND NOT", "OR NOT", "NOT OR"])
def test_a_combined_querys_best_are_those_of_exact_evaluation(library: Library, shape: str) -> None:
    rng = random.Random(shape)
    for _ in range(20):
        check(library, random_query(rng, shape))


@settings(max_examples=60)
@given(query=trees(LEAVES), limit=st.sampled_from([1, 10, 100]))
def test_any_tree_too(library: Library, query: Query, limit: int) -> None:
    # A single text goes another way: tests/test_retrieval.py, tests/test_search_within.py.
    if isinstance(split_facts(query)[1], Text):
        query = Not(query)
    check(library, query, limit)


def test_terms_of_all_kinds(library: Library) -> None:
    for query in (
        PHOTO,
        TAG,
        Not(PHOTO),
        Not(TAG),
        And((TAG, PHOTO)),
        Or((TEXTS[6], TAG)),
        And((TEXTS[0], TAG, Not(PHOTO))),
    ):
        check(library, query)


def test_a_tag_narrows_a_text_down(library: Library) -> None:
    found = library.search(And((TEXTS[7], TAG)), 20)
    assert len(found) == 20
    assert set(ids(found)) <= set(library.tagged.tolist())
    assert all(hit.terms and hit.terms["tag:t"] == 1 for hit in found)
    assert not set(ids(library.search(And((TEXTS[7], Not(TAG))), 20))) & set(
        library.tagged.tolist()
    )


def test_likeness_to_a_photo_is_a_term(library: Library) -> None:
    found = library.search(And((PHOTO, Not(TEXTS[3]))), 1)[0]
    assert found.terms is not None
    row = int(Path(found.path).name) - 1
    assert found.terms["photo:p.jpg"] == pytest.approx(
        float(library.model(PHOTO)(library.cosines(PHOTO)[row : row + 1])[0])
    )


def test_of_a_query_of_several_terms_there_is_no_cosine(library: Library) -> None:
    hit = library.search(parse("a OR b"))[0]
    assert (hit.cosine, hit.logit, hit.verdict, hit.closer) == (None, None, None, None)
    texts = [
        1 / (1 + np.exp(-SCORING.logits(library.cosines(text)[int(Path(hit.path).name) - 1])))
        for text in TEXTS[:2]
    ]
    assert hit.score == pytest.approx(1 - (1 - texts[0]) * (1 - texts[1]), abs=1e-5)


@pytest.mark.parametrize("text", TEXTS)
def test_the_expected_number_is_near_the_sum_over_all_photos(library: Library, text: Text) -> None:
    near = (
        0.09 if text in TEXTS[6:] else 0.05
    )  # common: most of these are not scored, and the sample's own error is 0.035
    for query in (text, Not(text), And((text, Not(TAG)))):
        found = library.search(query)
        assert found.photos == PHOTOS - (len(library.tagged) if isinstance(query, And) else 0)
        assert found.expected == pytest.approx(
            float(library.exactly(query).sum()), rel=near, abs=1.5
        )


def test_what_is_common_is_counted(library: Library) -> None:
    """300 photos lie around each of the last two texts."""
    assert library.search(TEXTS[7]).expected == pytest.approx(300, abs=20)
    assert library.search(Or((TEXTS[6], TEXTS[7]))).expected == pytest.approx(600, abs=30)
    assert library.search(Not(TEXTS[7])).expected == pytest.approx(PHOTOS - 300, abs=20)


def test_an_unknown_tag(library: Library) -> None:
    with pytest.raises(QueryError, match=r"^column 15: there is no tag 'zebra'; existing tags: t$"):
        library.search(parse("a AND NOT tag:zebra"))


# Small libraries, all of which is looked at


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    catalog = Catalog(tmp_path / "library")
    yield catalog
    catalog.close()


def searcher(catalog: Catalog, directory: Path) -> Searcher:
    return open_searcher(catalog, directory / "index")


def test_an_unknown_tag_where_there_are_none(catalog: Catalog, tmp_path: Path) -> None:
    add_photos(catalog, add_checkpoint(catalog, 2), unit([[1, 0]]), tmp_path, ["a.jpg"])
    with pytest.raises(
        QueryError,
        match=r"^there is no tag 'zebra'; make tags with: library\.tag\(LABELS\)$",
    ):
        searcher(catalog, tmp_path).search(Tag("zebra"), {}, 10)


def test_the_expected_number_is_the_sum_where_all_are_looked_at(
    catalog: Catalog, tmp_path: Path
) -> None:
    vectors = random_unit(150, 8)
    add_photos(catalog, add_checkpoint(catalog, 8), vectors, tmp_path, [f"{n}" for n in range(150)])
    one, two = random_unit(2, 8, seed=5)
    asked: dict[Leaf, Floats] = {Text("a"): one, Text("b"): two}
    search = searcher(catalog, tmp_path)
    kept = vectors.astype(np.float16).astype(np.float32)
    a, b = (
        1 / (1 + np.exp(-(np.exp(4.7) * (kept @ vector).astype(np.float64) - 12.9)))
        for vector in (one, two)
    )
    for query, expected in (
        ("a", a),
        ("NOT a", 1 - a),
        ("a AND b", a * b),
        ("a OR b", 1 - (1 - a) * (1 - b)),
    ):
        tree = parse(query)
        found = search.search(tree, {term: asked[term] for term in terms(tree)}, 3)
        assert found.expected == pytest.approx(expected.sum(), rel=1e-4)


def test_the_expected_number_falls_with_the_doubt_that_there_is_any(
    catalog: Catalog, tmp_path: Path
) -> None:
    """Of 200 absent texts 100 found more evidence than the best photo gives for this one."""
    checkpoint = add_checkpoint(catalog, 2)
    add_photos(catalog, checkpoint, unit([[0.6, 0.8], [0, 1]]), tmp_path, ["a.jpg", "b.jpg"])
    absent = np.repeat([0.1, 0.9], 100).astype(np.float32)
    with catalog.transaction() as transaction:
        transaction.put_yardstick(
            checkpoint.id, YardstickRecord(VERSION, 1, 1, unit([[0, 1]] * 8), absent)
        )
    search, text = searcher(catalog, tmp_path), Text("a")
    found = search.search(text, {text: unit([1, 0])}, 10, include_all=True)
    doubt = 1 / (1 + (0.5 / 0.005) ** 0.75)
    assert found.confidence == pytest.approx(doubt, abs=1e-6)
    # A logit of 53 says that the first photo shows it, and one of -13 that the second does not.
    assert [hit.probability for hit in found] == pytest.approx([doubt, 0], abs=1e-3)
    assert found.expected == pytest.approx(doubt, abs=1e-3)
    assert [(hit.verdict, hit.confidence, hit.judged_by) for hit in found] == [
        ("no match", found.confidence, "uncalibrated")
    ] * 2
    assert list(search.search(text, {text: unit([1, 0])}, 10)) == []
    assert found.best is not None
    assert Path(found.best.path).name == "a.jpg"


def test_what_another_version_measured_judges_nothing(catalog: Catalog, tmp_path: Path) -> None:
    checkpoint = add_checkpoint(catalog, 2)
    add_photos(catalog, checkpoint, unit([[0.6, 0.8]]), tmp_path, ["a.jpg"])
    judged = []
    for version in (VERSION - 1, VERSION, VERSION + 1):
        yardstick = YardstickRecord(version, 1, 1, unit([[0, 1]] * 8), np.ones(200, np.float32))
        with catalog.transaction() as transaction:
            transaction.put_yardstick(checkpoint.id, yardstick)
        search = searcher(catalog, tmp_path)
        (hit,) = search.search(Text("a"), {Text("a"): unit([1, 0])}, 10, include_all=True)
        judged.append((search.judged_by, hit.verdict))
    assert judged == [("nothing", None), ("uncalibrated", "no match"), ("nothing", None)]


def test_the_photo_of_the_least_bias_decides_whether_there_is_anything(
    catalog: Catalog, tmp_path: Path
) -> None:
    """The log odds that there is are 50 * (cosine - bias / 2) - 5 for a text without a floor, and
    then odds of 3 to 7. Photos of the same cosine come in order of their ids, with the same
    probability.
    """
    checkpoint = add_checkpoint(catalog, 2)
    vectors = unit([[0.25, np.sqrt(1 - 0.25**2)]] * 3)
    added = add_photos(catalog, checkpoint, vectors, tmp_path, ["3", "1", "2"])
    with catalog.transaction() as transaction:
        transaction.put_yardstick(
            checkpoint.id,
            YardstickRecord(VERSION, 1, 1, unit([[0, 1]] * 8), np.zeros(200, np.float32)),
        )
    scale = np.exp(checkpoint.logit_scale)
    calibration, text = Calibration(1, 0, 50 / scale, 0, -5, pictures=30, captions=30), Text("a")
    for least, odds, judged in ((0.22, 2, "match"), (0.1, 5, "match"), (0.5, -5, "no match")):
        biases = np.array([0.5, least, 0.6], np.float32)
        with catalog.transaction() as transaction:
            transaction.put_biases(checkpoint.id, np.array(added), biases)
        search = open_searcher(catalog, tmp_path, calibration)
        found = search.search(text, {text: unit([1, 0])}, 10, include_all=True)
        assert found.confidence == pytest.approx(4 / (4 + 6 * np.exp(-odds)), abs=0.01)
        assert [Path(hit.path).name for hit in found] == ["3", "1", "2"]
        # Each photo's logit is 14.6: if the library shows it, these photos do.
        assert [hit.probability for hit in found] == pytest.approx([found.confidence] * 3, abs=1e-6)
        assert {(hit.verdict, hit.confidence) for hit in found} == {(judged, found.confidence)}
        assert found.expected == pytest.approx(3 * (found.confidence or 0), abs=1e-4)
        opposite = search.search(Not(text), {text: unit([1, 0])}, 10)
        assert len(opposite) == (3 if judged == "no match" else 0)
    assert {hit.judged_by for hit in found} == {"calibrated"}


def test_a_closer_look_judges_the_first_anew(catalog: Catalog, tmp_path: Path) -> None:
    cosines = [0.5, 0.45, 0.4, 0.35, 0.3]
    names = [f"{place}.jpg" for place in range(5)]
    for name in names:
        (tmp_path / name).touch()
    vectors = unit([[cosine, np.sqrt(1 - cosine**2)] for cosine in cosines])
    add_photos(catalog, add_checkpoint(catalog, 2), vectors, tmp_path, names)
    views = {
        "0.jpg": [[0, 1], [0, 1]],
        "1.jpg": None,
        "2.jpg": [[1, 0], [0.6, 0.8]],
        "4.jpg": [[1, 0], [1, 0]],
    }
    looked_at: list[str] = []

    def embed(photos: Sequence[tuple[Path, int]]) -> Iterator[Floats | None]:
        for path, _ in photos:
            looked_at.append(path.name)
            parts = views[path.name]
            yield None if parts is None else unit(parts)

    query = Text("a")
    found = searcher(catalog, tmp_path).search(
        query, {query: unit([1, 0])}, 5, closer=CloserLook(3, embed)
    )
    assert looked_at == ["0.jpg", "1.jpg", "2.jpg"]
    assert [Path(hit.path).name for hit in found] == ["2.jpg", "1.jpg", "3.jpg", "4.jpg", "0.jpg"]
    # The whole picture, half of its best part, half of the mean of its parts; a photo that cannot
    # be read is its only part.
    mixed = [(0.4 + 0.5 + 0.4) / 2, 0.45, 0.5 / 2]
    assert [found[place].closer for place in (0, 1, 4)] == pytest.approx(
        [np.exp(4.7) * value - 12.9 for value in mixed], abs=0.1
    )
    assert [hit.closer for hit in found[2:4]] == [None, None]
    assert [hit.probability for hit in found] == sorted(
        (hit.probability for hit in found), reverse=True
    )
    assert [hit.cosine for hit in found] == pytest.approx([0.4, 0.45, 0.35, 0.3, 0.5], abs=1e-3), (
        "as without the closer look"
    )


def test_a_closer_look_at_a_query_with_operators(catalog: Catalog, tmp_path: Path) -> None:
    add_photos(catalog, add_checkpoint(catalog, 2), unit([[1, 0]]), tmp_path, ["a.jpg"])
    with pytest.raises(QueryError, match="a closer look is for one description"):
        searcher(catalog, tmp_path).search(
            Not(Text("a")), {Text("a"): unit([1, 0])}, 5, closer=CloserLook(3, lambda photos: [])
        )


# Verdicts, pages and selections


def judged_library(catalog: Catalog) -> tuple[list[int], dict[Leaf, Floats]]:
    """Make 1,500 photos with biases. Returns ids, and the embeddings of two texts that many of them
    match.
    """
    checkpoint = add_gentle_checkpoint(catalog)
    one, two = unit(random_unit(1, DIMENSION) + 0.3 * random_unit(2, DIMENSION, seed=1))
    vectors = np.concatenate([random_unit(500, DIMENSION), around(one, 1_000, 5)])
    given = add_many(catalog, checkpoint.id, vectors)
    add_files(catalog)
    record = catalog.checkpoints()[0]
    biases = np.random.default_rng(2).uniform(0, 1, 1_400).astype(np.float32)
    with catalog.transaction() as transaction:
        absent = np.linspace(0, 0.4, 200, dtype=np.float32)
        pictures = random_unit(8, DIMENSION, seed=9)
        transaction.put_yardstick(
            checkpoint.id, YardstickRecord(VERSION, record.generation, 1_400, pictures, absent)
        )
        transaction.put_biases(checkpoint.id, np.array(given[100:]), biases)
    return given, {Text("a"): one, Text("b"): two}


JUDGED = Calibration(1, 0, 1, -0.2, -2, pictures=30, captions=30)


@pytest.mark.parametrize("calibration", [None, JUDGED])
def test_a_verdict_does_not_depend_on_how_many_hits_are_asked_for(
    catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calibration: Calibration | None,
) -> None:
    monkeypatch.setattr(milvus, "_MOST_EXACT", 1_500)  # each photo is compared, as in FAISS
    _, vectors = judged_library(catalog)
    search = open_searcher(catalog, tmp_path, calibration)
    for query in (Text("a"), parse("a AND b"), parse("a NOT b")):
        asked = {term: vectors[term] for term in terms(query)}
        everything = search.search(query, asked, 1_500, include_all=True)
        known = {hit.id: (hit.verdict, hit.confidence) for hit in everything}
        verdicts = [hit.verdict for hit in everything]
        assert verdicts == sorted(verdicts, key=["match", "maybe", "no match"].index)
        assert len(set(verdicts)) > (not isinstance(query, And))
        for limit in (1, 10, 100, 600):
            page = search.search(query, asked, limit)
            assert {hit.id: (hit.verdict, hit.confidence) for hit in page}.items() <= known.items()
            assert (page.matches, page.counted) == (verdicts.count("match"), True)
            assert page.maybes == verdicts.count("maybe")
            assert len(page) == min(limit, page.matches)
            assert page.expected == pytest.approx(everything.expected, rel=1e-6)
            longer = search.search(query, asked, limit + 40)
            assert [hit.id for hit in longer[: len(page)]] == [hit.id for hit in page]


FLAT = pytest.mark.faiss_only("only FAISS has a flat index")


@pytest.fixture(scope="module", params=[pytest.param("flat", marks=FLAT), "quantised"])
def judged(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    databases: Databases,
) -> Iterator[tuple[Searcher, Searcher, dict[Leaf, Floats]]]:
    """A calibrated and an uncalibrated searcher of a judged library, and its texts."""
    directory = tmp_path_factory.mktemp("judged")
    catalog = Catalog(directory / "library")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faiss_build, "_QUANTISED_FROM", 1_000 if request.param != "flat" else 20_000)
        patch.setattr(faiss_build, "SAMPLED", 800)
        patch.setattr(retrieval, "_CANDIDATES", 120)
        _, vectors = judged_library(catalog)
        yield (
            open_searcher(catalog, directory / "index", JUDGED),
            open_searcher(catalog, directory / "index"),
            vectors,
        )
    catalog.close()


@settings(max_examples=40)
@given(
    query=trees((Text("a"), Text("b"))),
    calibrated=st.booleans(),
    limit=st.sampled_from([1, 10, 300, 1_500]),
    include_all=st.booleans(),
    least=st.sampled_from([0.0, 0.3, 0.8]),
)
def test_no_photo_stands_above_one_of_a_higher_number_or_has_a_better_verdict(
    judged: tuple[Searcher, Searcher, dict[Leaf, Floats]],
    query: Query,
    calibrated: bool,
    limit: int,
    include_all: bool,
    least: float,
) -> None:
    search, asked = judged[0 if calibrated else 1], judged[2]
    found = search.search(
        query,
        {term: asked[term] for term in terms(query)},
        limit,
        include_all=include_all,
        min_probability=least,
    )
    numbers = [hit.probability for hit in found]
    assert numbers == sorted(numbers, reverse=True), str(query)
    assert [hit.verdict for hit in found] == list(map(verdict, numbers))
    assert {hit.confidence for hit in found} <= {found.confidence}
    if not include_all:
        assert all(number >= max(0.5, least) for number in numbers)
        assert len(found) <= limit
        if found.counted:
            assert len(found) == min(limit, found.matches)


@pytest.mark.parametrize("most_counted", [1_499, 1_500])
@pytest.mark.parametrize("words", ["a", "NOT (NOT a AND NOT b)"])
def test_more_matches_than_candidates_are_estimated_or_counted_but_never_cut(
    judged: tuple[Searcher, Searcher, dict[Leaf, Floats]],
    words: str,
    most_counted: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the 1,500 photos some 1,000 lie around the texts, and 120 candidates are looked at."""
    monkeypatch.setattr(searching, "_MOST_COUNTED", most_counted)
    search, asked = judged[0], judged[2]
    query = parse(words)
    vectors = {term: asked[term] for term in terms(query)}
    everything = search.search(query, vectors, 1_500)
    assert everything.counted
    assert 900 < everything.matches == len(everything) < 1_200
    page = search.search(query, vectors, 5)
    assert len(page) == 5
    assert page.counted or most_counted < 1_500
    if page.counted:
        assert (page.matches, page.maybes) == (everything.matches, everything.maybes)
        assert page.expected == pytest.approx(everything.expected)
    assert page.matches == pytest.approx(everything.matches, rel=0.1)


@pytest.mark.parametrize("words", ["a", "b", "a OR b", "a NOT b", "NOT a"])
def test_what_is_called_counted_is_the_number_of_all_matches(
    judged: tuple[Searcher, Searcher, dict[Leaf, Floats]],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many candidates there are, estimates may have put a photo among them in the place of
    one that matches.
    """
    monkeypatch.setattr(searching, "_MOST_COUNTED", 0)
    search, query = judged[0], parse(words)
    vectors = {term: judged[2][term] for term in terms(query)}
    everything = search.search(query, vectors, 1_500, include_all=True)
    counted = 0
    for candidates in range(50, 1_500, 50):
        monkeypatch.setattr(retrieval, "_CANDIDATES", candidates)
        found = search.search(query, vectors, 1)
        if found.counted:
            counted += 1
            assert (found.matches, found.maybes) == (everything.matches, everything.maybes)
    assert counted or words.startswith("NOT"), "the estimates of so few photos are rough"


@pytest.mark.parametrize("quantised", [True, pytest.param(False, marks=FLAT)])
@pytest.mark.parametrize("tagged", [0, 1, 40, 700, 1_500])
def test_a_tag_that_every_hit_must_have_says_the_same_as_one_beside_other_terms(
    catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    databases: Databases,
    quantised: bool,
    tagged: int,
) -> None:
    """`a AND (tag:t OR tag:t)` means the same and does not narrow the search.

    The estimates of Milvus put one of the nearest 20 photos as far back as the 600th, because they
    have four bits for a part of a vector, and all photos of a text are in one corner.
    """
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 1_000 if quantised else 20_000)
    monkeypatch.setattr(faiss_build, "SAMPLED", 800)
    monkeypatch.setattr(retrieval, "_CANDIDATES", 900 if databases.kind == "milvus" else 120)
    monkeypatch.setattr(retrieval, "_CANDIDATES_PER_HIT", 6)
    given, vectors = judged_library(catalog)
    with catalog.transaction() as transaction:
        having = np.sort(np.random.default_rng(4).choice(given, tagged, replace=False))
        transaction.put_tag("t", 1, having, np.ones(tagged))
    search = open_searcher(catalog, tmp_path, JUDGED)
    for words in ("a", "a^2", "NOT a", "a AND b", "(a OR b)", "b NOT a"):
        narrow = search.search(parse(f"tag:t AND {words}"), vectors_of(words, vectors), 20)
        wide = search.search(parse(f"{words} AND (tag:t OR tag:t)"), vectors_of(words, vectors), 20)
        assert [(hit.id, hit.verdict) for hit in narrow] == [(hit.id, hit.verdict) for hit in wide]
        for hit, other in zip(narrow, wide, strict=True):
            assert hit.probability == pytest.approx(other.probability, rel=1e-5)
            assert hit.confidence == pytest.approx(other.confidence, rel=1e-5)
            assert hit.score == pytest.approx(other.score, rel=1e-5)
        assert narrow.expected == pytest.approx(wide.expected, rel=0.1, abs=15 if quantised else 1)
        assert narrow.photos == tagged
    alone = search.search(Tag("t"), {}, 2_000)
    assert [hit.id for hit in alone] == having.tolist()
    assert (alone.expected, alone.photos) == (tagged, tagged)


def vectors_of(words: str, vectors: dict[Leaf, Floats]) -> dict[Leaf, Floats]:
    return {term: vectors[term] for term in terms(parse(words))}


# Photos that left the catalog


@pytest.mark.parametrize("quantised", [True, pytest.param(False, marks=FLAT)])
def test_photos_removed_since_take_no_candidates_place(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quantised: bool
) -> None:
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 200 if quantised else 2_000)
    monkeypatch.setattr(index_files, "_STALE_SHARE", 0.5)
    monkeypatch.setattr(retrieval, "_CANDIDATES", 150)
    monkeypatch.setattr(retrieval, "_CANDIDATES_PER_HIT", 1)
    checkpoint, vectors = add_gentle_checkpoint(catalog), random_unit(700, DIMENSION)
    query = random_unit(1, DIMENSION, seed=3)[0]
    nearest = np.argsort(-(vectors.astype(np.float16).astype(np.float32) @ query)) + 1
    add_many(catalog, checkpoint.id, vectors)
    add_files(catalog)
    searcher(catalog, tmp_path)
    remove_photos(catalog, nearest[:250].tolist())
    search = searcher(catalog, tmp_path)
    expected = nearest[250:255].tolist()
    text = Text("a")
    assert [int(Path(hit.path).name) for hit in search.by_photo(query, 5)] == expected
    assert ids(search.search(text, {text: query}, 5)) == expected
    assert ids(search.search(Or((text, text)), {text: query}, 5)) == expected


def test_a_photo_embedded_again_counts_as_it_is_now(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faiss_build, "_QUANTISED_FROM", 200)
    monkeypatch.setattr(retrieval, "_CANDIDATES", 20)
    checkpoint, vectors = add_gentle_checkpoint(catalog), random_unit(700, DIMENSION)
    query = random_unit(1, DIMENSION, seed=3)[0]
    add_many(catalog, checkpoint.id, vectors)
    add_files(catalog)
    searcher(catalog, tmp_path)
    with catalog.transaction() as transaction:
        transaction.add_embeddings(
            checkpoint.id,
            {77: EmbeddingRecord(query, "fp32", 1), 78: EmbeddingRecord(-query, "fp32", 1)},
        )
    search, text = searcher(catalog, tmp_path), Text("a")
    assert ids(search.search(Or((text, text)), {text: query}, 1)) == [77]
    assert ids(search.search(And((Not(text), Not(text))), {text: query}, 700))[-1] == 77
    assert 78 in ids(search.search(Not(text), {text: query}, 400))
