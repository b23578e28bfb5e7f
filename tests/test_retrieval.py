import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.retrieval import highest


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), max_size=40), st.integers(0, 45))
def test_the_highest_values_are_those_of_a_stable_sort(values: list[float], count: int) -> None:
    array = np.array(values)
    expected = sorted(range(len(values)), key=lambda position: (-values[position], position))
    assert highest(array, count).tolist() == expected[:count]


def test_of_equal_values_the_first_are_taken() -> None:
    assert highest(np.array([0.5, 1.0, 0.5, 1.0, 0.5]), 3).tolist() == [1, 3, 0]
