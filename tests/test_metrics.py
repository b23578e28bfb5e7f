import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from sigseek.evaluation import metrics
from sigseek.evaluation.metrics import (
    auroc,
    average_precision,
    calibration_error,
    positions,
    rank,
    reliability,
    zero_shot_accuracy,
)
from sigseek.evaluation.results import ReliabilityBin

seeds = st.integers(0, 2**32 - 1)


def unit(rng: np.random.Generator, count: int, dim: int = 16) -> np.ndarray:
    rows = rng.standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_positions_of_known_rankings() -> None:
    scores = np.array([0.6, 0.9, 0.7, 0.8], np.float32)
    assert positions(scores, np.array([0, 3])).tolist() == [2, 4]
    assert positions(scores, np.array([True, False, False, True])).tolist() == [2, 4]


def test_equal_scores_count_against_the_relevant() -> None:
    assert positions(np.zeros(5, np.float32), np.array([0, 2])).tolist() == [4, 5]
    assert positions(np.array([0.5, 0.7, 0.5, 0.5], np.float32), np.array([0])).tolist() == [4]
    assert positions(np.array([0.5, 0.5], np.float32), np.array([0, 1])).tolist() == [1, 2]


def test_average_precision_of_known_rankings() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    assert average_precision(scores, np.array([True, False, True, False])) == pytest.approx(
        (1 + 2 / 3) / 2
    )
    assert average_precision(scores, np.array([False, False, False, True])) == 0.25
    assert average_precision(scores, np.array([True, True, False, False])) == 1


@given(seeds)
def test_average_precision_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permutation(40).astype(
        np.float32
    )  # all different: there equal ones mean another thing
    relevant = rng.random(40) < 0.3
    relevant[0] = True
    assert average_precision(scores, relevant) == pytest.approx(
        average_precision_score(relevant, scores), abs=1e-12
    )


def test_ranks_of_known_cosines() -> None:
    candidates = np.eye(4, dtype=np.float32)
    queries = np.array([[0.8, 0.6, 0, 0], [0, 0.6, 0.8, 0], [0.5, 0.5, 0.5, 0.5]], np.float32)
    ranks = rank(queries, candidates, [np.array([0]), np.array([0, 1]), np.array([2])])
    assert ranks.first.tolist() == [1, 2, 4]
    # The second: place 2 for 1, and 0 shares its cosine of nought with candidate 3, so place 4:
    # (1/2 + 2/4) / 2.
    assert ranks.precision.tolist() == pytest.approx([1, 0.5, 0.25])
    assert ranks.figures() == pytest.approx({"R@1": 1 / 3, "R@5": 1, "R@10": 1, "mAP": 1.75 / 3})
    assert ranks.recall(2) == pytest.approx(2 / 3)
    assert ranks.figures(np.array([1, 0, 3])) == pytest.approx(
        {"R@1": 0.25, "R@5": 1, "R@10": 1, "mAP": 1.75 / 4}
    )


@given(seeds)
def test_ranks_are_those_of_a_plain_sort(seed: int) -> None:
    rng = np.random.default_rng(seed)
    queries, candidates = unit(rng, 7), unit(rng, 30)
    relevant = [np.flatnonzero(rng.random(30) < 0.1) for _ in queries]
    relevant = [own if len(own) else np.array([3]) for own in relevant]
    ranks = rank(queries, candidates, relevant)
    for query, own in enumerate(relevant):
        order = np.argsort(-(candidates @ queries[query])).tolist()
        places = sorted(order.index(item) + 1 for item in own)
        assert ranks.first[query] == places[0]
        assert ranks.precision[query] == pytest.approx(
            np.mean([(n + 1) / place for n, place in enumerate(places)])
        )


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, candidates, relevant = (
        unit(rng, 50),
        unit(rng, 20),
        [np.array([n % 20]) for n in range(50)],
    )
    whole = rank(queries, candidates, relevant)
    monkeypatch.setattr(metrics, "_BLOCK", 60)
    assert [len(block) for _, block in metrics.cosine_blocks(queries, candidates)] == [3] * 16 + [2]
    assert rank(queries, candidates, relevant).first.tolist() == whole.first.tolist()


def test_zero_shot_accuracy_of_known_labels() -> None:
    labels = np.eye(3, dtype=np.float32)
    images = np.array([[1, 0, 0], [0, 1, 0], [0.6, 0, 0.8], [0.6, 0.6, 0.53]], np.float32)
    assert zero_shot_accuracy(images, labels, np.array([0, 1, 2, 2])) == 0.75
    assert zero_shot_accuracy(images[3:], labels, np.array([0])) == 0, "another label is as near"


@pytest.mark.parametrize(
    ("present", "absent", "area"),
    [
        ([3, 4], [1, 2], 1),
        ([1, 2], [3, 4], 0),
        ([1], [1, 1], 0.5),
        ([2, 3], [1, 2, 4], (1.5 + 2) / 6),
    ],
)
def test_auroc_of_known_scores(present: list[float], absent: list[float], area: float) -> None:
    assert auroc(np.array(present, np.float32), np.array(absent, np.float32)) == pytest.approx(
        area, abs=1e-15
    )


@given(seeds, st.integers(2, 20))
def test_auroc_is_scikit_learns(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    present, absent = (
        rng.integers(1, levels + 1, 30).astype(np.float32),
        rng.integers(0, levels, 50).astype(np.float32),
    )
    expected = roc_auc_score([1] * 30 + [0] * 50, np.concatenate([present, absent]))
    assert auroc(present, absent) == pytest.approx(expected, abs=1e-12)


def test_auroc_and_calibration_need_something_to_judge() -> None:
    nothing = np.zeros(0, np.float32)
    with pytest.raises(ValueError, match="no scores on one of the two sides"):
        auroc(nothing, np.ones(3, np.float32))
    assert reliability(nothing, np.zeros(0, bool)) == ()
    with pytest.raises(ValueError, match="no predictions"):
        calibration_error(())


def test_reliability_of_known_predictions() -> None:
    probabilities = np.array([0.75, 0.25, 0.5, 0.125, 1.0, 0.875], np.float32)
    matches = np.array([True, False, True, False, True, False])
    bins = reliability(probabilities, matches, bins=3)
    assert bins == (
        ReliabilityBin(0.1875, 0, 2),
        ReliabilityBin(0.625, 1, 2),
        ReliabilityBin(0.9375, 0.5, 2),
    )
    assert calibration_error(bins) == pytest.approx((0.1875 + 0.375 + 0.4375) / 3)


def test_bins_hold_equal_numbers() -> None:
    bins = reliability(np.linspace(0, 1, 151, dtype=np.float32), np.zeros(151, bool))
    assert [pool.count for pool in bins] == [10] * 14 + [11]


def test_equal_probabilities_stay_in_one_bin() -> None:
    probabilities = np.array([0.1] * 5 + [0.3] * 5, np.float32)
    matches = np.array([True] * 5 + [False] * 5)
    expected = [(5, 1.0), (5, 0.0)]
    for order in (np.arange(10), np.arange(10)[::-1]):
        bins = reliability(probabilities[order], matches[order], bins=5)
        assert [(pool.count, pool.matching) for pool in bins] == expected
    assert calibration_error(bins) == pytest.approx((0.9 + 0.3) / 2, abs=1e-6)


@given(seeds, st.integers(1, 200))
def test_the_error_is_nought_for_what_is_right_and_one_for_what_is_wrong(
    seed: int, count: int
) -> None:
    matches = np.random.default_rng(seed).random(count) < 0.5
    assert calibration_error(reliability(matches.astype(np.float32), matches)) == 0
    assert calibration_error(reliability((~matches).astype(np.float32), matches)) == 1
