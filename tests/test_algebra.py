import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search import algebra
from sigseek.search.algebra import combine, combine_bounds, held_back_by
from sigseek.search.parse import parse
from sigseek.search.query import And, Leaf, Or, PhotoTerm, Query, Tag, Text, joined, negated
from tests.trees import trees

A, B, C = Text("a"), Tag("b"), PhotoTerm("c.jpg")
LEAVES: tuple[Leaf, ...] = (A, B, C)

Doubles = npt.NDArray[np.float64]

KNOWN: dict[Leaf, Doubles] = {
    A: np.array([0.5, 0.9]),
    B: np.array([0.2, 1.0]),
    C: np.array([0.0, 0.1]),
}
parts = st.lists(trees(LEAVES), min_size=2, max_size=4)


def arrays(low: float = 0.0, high: float = 1.0) -> st.SearchStrategy[dict[Leaf, Doubles]]:
    """Return numbers for three photos, by leaf."""
    three = st.lists(st.floats(low, high), min_size=3, max_size=3).map(np.array)
    return st.fixed_dictionaries(dict.fromkeys(LEAVES, three))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a", [0.5, 0.9]),
        ("NOT a", [0.5, 0.1]),
        ("a AND tag:b", [0.1, 0.9]),
        ("a OR tag:b", [0.6, 1.0]),
        ("a AND NOT photo:c.jpg", [0.5, 0.81]),
        ("a^2 AND tag:b", [0.05, 0.81]),
        ("a^0.5 AND tag:b", [0.5**0.5 * 0.2, 0.9**0.5]),
        ("a^2 OR tag:b", [1 - 0.25 * 0.8, 1.0]),
        ("(a OR tag:b)^2 AND NOT photo:c.jpg", [0.36, 0.9]),
        ("NOT (a OR tag:b OR photo:c.jpg)", [0.4, 0.0]),
        ("tag:b AND (NOT a)^3", [0.2 * 0.125, 0.001]),
        ("a AND a", [0.25, 0.81]),
        ("a^5", [0.5, 0.9]),
    ],
)
def test_known_numbers(query: str, expected: list[float]) -> None:
    assert combine(parse(query), KNOWN) == pytest.approx(expected, abs=1e-12)


@given(trees(LEAVES), arrays())
def test_a_probability_stays_one(query: Query, terms: dict[Leaf, Doubles]) -> None:
    found = combine(query, terms)
    assert found.shape == (3,)
    assert np.all((found >= 0) & (found <= 1))
    np.testing.assert_allclose(combine(negated(query), terms), 1 - found, atol=1e-12)


@given(parts, arrays())
def test_de_morgan(parts: list[Query], terms: dict[Leaf, Doubles]) -> None:
    for one, other in ((And, Or), (Or, And)):
        left, right = negated(joined(one, parts)), joined(other, [negated(part) for part in parts])
        np.testing.assert_allclose(combine(left, terms), combine(right, terms), atol=1e-9)


@given(trees(LEAVES), arrays(), arrays(), arrays())
def test_bounds_hold_whatever_lies_between(
    query: Query, one: dict[Leaf, Doubles], other: dict[Leaf, Doubles], share: dict[Leaf, Doubles]
) -> None:
    low = {leaf: np.minimum(one[leaf], other[leaf]) for leaf in LEAVES}
    high = {leaf: np.maximum(one[leaf], other[leaf]) for leaf in LEAVES}
    between = {leaf: low[leaf] + share[leaf] * (high[leaf] - low[leaf]) for leaf in LEAVES}
    least, most = combine_bounds(query, low, high)
    found = combine(query, between)
    assert np.all(least - 1e-9 <= found)
    assert np.all(found <= most + 1e-9)


def test_bounds_of_a_known_query() -> None:
    low: dict[Leaf, Doubles] = {A: np.array([0.4]), B: np.array([0.3])}
    high: dict[Leaf, Doubles] = {A: np.array([0.6]), B: np.array([0.5])}
    least, most = combine_bounds(parse("a AND NOT tag:b"), low, high)
    assert (least[0], most[0]) == pytest.approx((0.4 * 0.5, 0.6 * 0.7))


@pytest.mark.parametrize(
    ("query", "terms", "term"),
    [
        ("a", {A: 0.2}, None),
        ("a AND tag:b", {A: 0.5, B: 0.9}, A),
        ("a AND tag:b", {A: 0.97, B: 0.99}, None),
        ("a AND NOT tag:b", {A: 0.9, B: 0.8}, B),
        ("a OR tag:b", {A: 0.3, B: 0.4}, None),
        ("NOT (a OR tag:b)", {A: 0.3, B: 0.4}, B),
        ("a^4 AND tag:b", {A: 0.8, B: 0.7}, A),
        ("a AND (tag:b OR photo:c.jpg)", {A: 0.9, B: 0.1, C: 0.3}, B),
    ],
)
def test_the_term_that_keeps_a_photo_down(
    query: str, terms: dict[Leaf, float], term: Leaf | None
) -> None:
    """Among terms that would change the result alike, the first is named."""
    assert held_back_by(parse(query), terms) == term


def test_many_terms_cost_no_more_passes_than_two(monkeypatch: pytest.MonkeyPatch) -> None:
    leaves: list[Leaf] = [Text(f"thing {number}") for number in range(300)]
    probable = dict.fromkeys(leaves, 0.9999) | {leaves[170]: 0.4}
    passes = []

    def counted(query: Query, terms: dict[Leaf, Doubles]) -> Doubles:
        passes.append(query)
        return combine(query, terms)

    monkeypatch.setattr(algebra, "combine", counted)
    assert held_back_by(And(tuple(leaves)), probable) == leaves[170]
    assert len(passes) == 2
