"""How many photos match is counted where that is possible."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.counts import Counts, Others, count_matches

NOBODY = Others(0, np.zeros(0), 0.0)


def test_all_photos_are_looked_at() -> None:
    found = count_matches(np.array([0.9, 0.5, 0.49, 0.1, 0.05]), NOBODY, 0.0)
    assert found == Counts(2, 2, True, pytest.approx(2.04))


def test_a_least_probability() -> None:
    best = np.array([0.95, 0.9, 0.6, 0.4, 0.2])
    counted = [count_matches(best, NOBODY, least) for least in (0.3, 0.9, 0.99)]
    assert [(found.matches, found.maybes) for found in counted] == [(3, 1), (2, 0), (0, 0)]


def test_others_that_cannot_match_leave_the_count_exact() -> None:
    sampled = np.array([0.04, 0.01])
    found = count_matches(np.array([0.9, 0.3, 0.05]), Others(1_000, sampled, 0.09), 0.0)
    assert (found.matches, found.maybes, found.exact) == (1, 1, True)
    assert found.expected == pytest.approx(1.25 + 1_000 * 0.025)


def test_others_that_may_match_are_estimated() -> None:
    """A quarter of 1,000 others match, and another quarter may."""
    sampled = np.array([0.8, 0.3, 0.02, 0.01])
    found = count_matches(np.array([0.99, 0.9]), Others(1_000, sampled, 0.9), 0.0)
    assert (found.matches, found.maybes, found.exact) == (252, 250, False)
    only_maybes = count_matches(np.array([0.99, 0.4]), Others(1_000, sampled[1:], 0.4), 0.0)
    assert (only_maybes.matches, only_maybes.maybes, only_maybes.exact) == (1, 334, False)


def test_others_that_are_known_are_counted() -> None:
    found = count_matches(np.array([0.99, 0.9]), Others(3, np.array([0.8, 0.3, 0.02]), 0.9), 0.0)
    assert (found.matches, found.maybes, found.exact) == (3, 1, True)


@given(
    st.lists(st.floats(0, 1), max_size=30),
    st.integers(0, 30),
    st.sampled_from([0.0, 0.2, 0.5, 0.7]),
)
def test_a_count_is_that_of_all_photos(values: list[float], looked: int, least: float) -> None:
    ordered = np.sort(np.array(values))[::-1]
    best, rest = ordered[:looked], ordered[looked:]
    found = count_matches(best, Others(len(rest), rest, float(rest.max(initial=0))), least)
    assert found.matches == sum(value >= max(0.5, least) for value in values)
    assert found.maybes == sum(max(0.1, least) <= value < 0.5 for value in values)
    assert found.exact
    assert found.expected == pytest.approx(sum(values))


def test_the_counts_of_photos_that_were_not_all_scored_can_be_written_as_json() -> None:
    best, sampled = np.array([0.9, 0.3]), np.array([0.01, 0.02])
    counts = count_matches(best, Others(1000, sampled, 0.3), 0.0)
    assert json.loads(json.dumps(asdict(counts)))["exact"] is False
    assert count_matches(best, Others(1000, sampled, 0.01), 0.0).exact is True
