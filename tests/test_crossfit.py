import numpy as np
import pytest

from sigseek.evaluation.crossfit import CrossFit, cross_fit
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import sigmoid

SCORING = Scoring(logit_scale=float(np.log(20)), logit_bias=-8.0)
PICTURES = 400


def pictures_on_a_circle(
    slope: float, intercept: float
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Sixty texts and many pictures at random angles; they match with the probability of Platt's
    sigmoid over the logit.
    """
    rng = np.random.default_rng(3)
    turns = rng.uniform(0, np.pi, 60), rng.uniform(0, np.pi, PICTURES)
    texts, images = (
        np.stack([np.cos(turn), np.sin(turn)], axis=1).astype(np.float32) for turn in turns
    )
    matches = rng.uniform(size=(60, PICTURES)) < sigmoid(
        slope * SCORING.logits(texts @ images.T) + intercept
    )
    return texts, images, [np.flatnonzero(row) for row in matches]


def test_both_halves_find_the_sigmoid_that_the_matches_were_drawn_by() -> None:
    texts, images, matches = pictures_on_a_circle(0.5, -2.0)
    fit = cross_fit(texts, images, matches, SCORING)
    assert fit is not None
    assert fit.slopes == pytest.approx([0.5, 0.5], abs=0.05)
    assert fit.intercepts == pytest.approx([-2, -2], abs=0.3)
    assert np.bincount(fit.halves).tolist() == [PICTURES / 2, PICTURES / 2]


def test_a_picture_has_no_part_in_its_own_probability() -> None:
    texts, images, matches = pictures_on_a_circle(0.5, -2.0)
    before = cross_fit(texts, images, matches, SCORING)
    assert before is not None
    first = np.flatnonzero(before.halves == 0)
    after = cross_fit(
        texts, images, [np.union1d(row, first) for row in matches[:20]] + matches[20:], SCORING
    )
    assert after is not None
    assert np.array_equal(after.halves, before.halves)
    assert (after.slopes[0], after.intercepts[0]) == (before.slopes[0], before.intercepts[0])
    assert after.slopes[1] < before.slopes[1] - 0.05, (
        "the other half learns that matches may score low"
    )


def test_each_picture_is_judged_by_the_fit_of_its_half() -> None:
    fit = CrossFit(np.array([0, 1, 1]), np.array([1, 2], np.float32), np.array([0, -1], np.float32))
    logits = np.array([[0.5, 0.5], [3, -1]], np.float32)
    found = fit.probabilities(logits, np.array([[0, 1], [2, 0]]))
    assert found == pytest.approx(1 / (1 + np.exp(-np.array([[0.5, 0], [5, -1]]))))


def test_too_little_to_fit_to() -> None:
    texts, images, matches = pictures_on_a_circle(0.5, -2.0)
    assert cross_fit(texts, images[:29], [row[row < 29] for row in matches], SCORING) is None
    assert cross_fit(texts, images, [np.zeros(0, np.int64)] * 60, SCORING) is None
    assert cross_fit(texts, images, [np.arange(PICTURES)] * 60, SCORING) is None
