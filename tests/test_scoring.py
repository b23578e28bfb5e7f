import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.siglip import Scoring
from sigseek.siglip.scoring import cosines, sigmoid


def test_known_numbers() -> None:
    scoring = Scoring(logit_scale=math.log(100), logit_bias=-10)
    logits = scoring.logits(np.array([0.1, 0.12, 0.0], np.float32))
    np.testing.assert_allclose(logits, [0.0, 2.0, -10.0], atol=1e-5)
    np.testing.assert_allclose(
        scoring.probabilities(np.array([0.12], np.float32)), [1 / (1 + math.exp(-2))], rtol=1e-5
    )


@given(st.floats(width=32, allow_nan=False))
def test_sigmoid_never_overflows_and_is_symmetric(logit: float) -> None:
    with np.errstate(over="raise", invalid="raise"):
        value = float(sigmoid(np.array(logit, np.float32)))
        other = float(sigmoid(np.array(-logit, np.float32)))
    assert 0 <= value <= 1
    assert value + other == pytest.approx(1, abs=1e-6)


def test_cosines_of_known_vectors() -> None:
    queries = np.array([[1, 0], [0.6, 0.8]], np.float32)
    np.testing.assert_allclose(
        cosines(queries, np.array([[0, 1], [1, 0]], np.float32)), [[0, 1], [0.8, 0.6]], atol=1e-7
    )
