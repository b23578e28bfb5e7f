import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.algebra import combine, combine_bounds, combine_levels
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
    ("query", "expected"),
    [
        ("a", [2, 1, 0]),
        ("NOT a", [0, 1, 2]),
        ("a AND tag:b", [1, 1, 0]),
        ("a OR tag:b", [2, 2, 1]),
        ("a^3 AND NOT tag:b", [1, 0, 0]),
        ("a AND tag:b AND photo:c.jpg", [0, 1, 0]),
    ],
)
def test_known_levels(query: str, expected: list[int]) -> None:
    terms: dict[Leaf, npt.NDArray[np.int8]] = {
        A: np.array([2, 1, 0], np.int8),
        B: np.array([1, 2, 1], np.int8),
        C: np.array([0, 2, 2], np.int8),
    }
    found = combine_levels(parse(query), terms, 2)
    assert found.tolist() == expected
    assert found.dtype == np.int8


@given(parts, st.lists(st.lists(st.integers(0, 2), min_size=3, max_size=3), min_size=3, max_size=3))
def test_de_morgan_of_levels(parts: list[Query], values: list[list[int]]) -> None:
    terms: dict[Leaf, npt.NDArray[np.int8]] = {
        leaf: np.array(row, np.int8) for leaf, row in zip(LEAVES, values, strict=True)
    }
    for one, other in ((And, Or), (Or, And)):
        left, right = negated(joined(one, parts)), joined(other, [negated(part) for part in parts])
        found = combine_levels(left, terms, 2)
        assert found.tolist() == combine_levels(right, terms, 2).tolist()
        assert set(found.tolist()) <= {0, 1, 2}


def test_confidences_combine_as_levels_do() -> None:
    terms: dict[Leaf, npt.NDArray[np.float32]] = {
        A: np.array([0.25, 0.75], np.float32),
        B: np.array([0.5, 0.5], np.float32),
    }
    assert combine_levels(parse("a AND NOT tag:b"), terms, 1).tolist() == [0.25, 0.5]
    assert combine_levels(parse("NOT a OR tag:b"), terms, 1).tolist() == [0.75, 0.5]
