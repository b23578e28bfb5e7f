import json
import random
from dataclasses import asdict, replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import numbered_scene
from sigseek.demo.training.calibrate import random_queries
from sigseek.evaluation.metrics import auroc, calibration_error, reliability
from sigseek.search.calibration import Calibration
from sigseek.search.errors import CalibrationError
from sigseek.search.fitting import LEAST, fit_calibration
from sigseek.siglip import Checkpoint, ImageTower, Scoring, TextTower
from sigseek.siglip.scoring import sigmoid
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.siglip.yardstick.evidence import evidence, text_floors
from tests.catalogs import random_unit, unit

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

KNOWN = Calibration(0.5, -1.0, 2.0, -0.25, 3.0, pictures=40, captions=50)
finite = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(min_value=1e-300, allow_infinity=False)
counts = st.integers(0, 10**9)


@given(positive, finite, positive, finite, finite, counts, counts)
def test_json_round_trip(
    slope: float, intercept: float, weight: float, photos: float, odds: float, one: int, two: int
) -> None:
    calibration = Calibration(slope, intercept, weight, photos, odds, pictures=one, captions=two)
    line = calibration.as_json()
    assert "\n" not in line
    assert Calibration.from_json(line) == calibration


@pytest.mark.parametrize("name", ["slope", "evidence_weight"])
def test_constants_by_which_more_evidence_counts_for_less_are_refused(name: str) -> None:
    with pytest.raises(CalibrationError, match="more evidence would count for less"):
        Calibration.from_json(replace(KNOWN, **{name: -0.1}).as_json())


def damaged() -> list[str]:
    line, values = KNOWN.as_json(), asdict(KNOWN)
    slopes: list[object] = [None, "1", [1], {}, float("nan"), float("inf"), 10**400]
    wrong = [{**values, "slope": slope} for slope in slopes]
    wrong += [{**values, "another\nkey": 1}, {key: values[key] for key in list(values)[1:]}]
    texts = [
        "",
        "\n",
        "no JSON",
        "{}",
        "[]",
        "5",
        "null",
        '"x"',
        "[" * 100_000,
        line[:-1],
        line[1:],
        line + line,
    ]
    return texts + [json.dumps(values) for values in wrong]


@pytest.mark.parametrize("line", damaged(), ids=range(len(damaged())))
def test_damaged_json_is_told_in_one_line(line: str) -> None:
    with pytest.raises(
        CalibrationError,
        match=r"cannot be read .*; make a new one with: library.calibrate\(CAPTIONS\)$",
    ) as caught:
        Calibration.from_json(line)
    assert "\n" not in str(caught.value)


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_is_a_calibration_error(line: str) -> None:
    with pytest.raises(CalibrationError):
        Calibration.from_json(line)


def test_known_probabilities_and_confidences() -> None:
    logits = np.array([-1000, 0, 2, 4], np.float32)
    assert KNOWN.probabilities(logits) == pytest.approx(
        [0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-1))], abs=1e-6
    )
    found = KNOWN.confidences(np.array([0.1, -0.2], np.float32), scale=10, photos=1)
    assert found == pytest.approx([1 / (1 + np.exp(-5)), 1 / (1 + np.exp(1))], abs=1e-6)
    among_many = KNOWN.confidences(np.array([0.1], np.float32), scale=10, photos=100)
    assert among_many == pytest.approx([1 / (1 + np.exp(-5 + 0.25 * np.log(100)))], abs=1e-6)


SCORING = Scoring(logit_scale=float(np.log(20)), logit_bias=-2.0)
COMMON = 0.7
"""This is a part of every picture's embedding. No text of the library shares it, and the absent
texts have the opposite of it.
"""


def plain_yardstick(dimension: int) -> Yardstick:
    absent = np.zeros((20, dimension), np.float32)
    absent[:, 0] = -1
    return Yardstick(random_unit(50, dimension, seed=8), absent, random_unit(10, dimension, seed=9))


def pictures(count: int, dimension: int) -> Floats:
    return unit(
        np.c_[
            np.full(count, COMMON),
            np.sqrt(1 - COMMON**2) * random_unit(count, dimension - 1, seed=1),
        ]
    )


def texts(count: int, dimension: int) -> Floats:
    return np.pad(random_unit(count, dimension - 1, seed=2), ((0, 0), (1, 0)))


def test_a_known_curve_is_found() -> None:
    asked, shown = texts(150, 9), pictures(400, 9)
    logits = SCORING.logits(asked @ shown.T)
    matching = np.random.default_rng(3).random(logits.shape) < sigmoid(0.6 * logits - 1)
    found = fit_calibration(asked, shown, matching, plain_yardstick(9), SCORING)
    assert found.slope == pytest.approx(0.6, abs=0.02)
    assert found.intercept == pytest.approx(-1, abs=0.05)
    assert (found.pictures, found.captions) == (400, 150)
    assert (
        calibration_error(reliability(found.probabilities(logits.ravel()), matching.ravel())) < 0.01
    )


def test_every_caption_of_every_picture() -> None:
    found = fit_calibration(
        texts(30, 9), pictures(30, 9), np.ones((30, 30), np.bool_), plain_yardstick(9), SCORING
    )
    assert found.slope > 0
    assert np.isfinite(list(asdict(found).values())).all()


def test_a_caption_of_no_picture_tells_nothing() -> None:
    matching = np.zeros((30, 40), np.bool_)
    with pytest.raises(
        CalibrationError, match=r"^none of the 30 captions belongs to any of the 40 pictures; "
    ):
        fit_calibration(texts(30, 9), pictures(40, 9), matching, plain_yardstick(9), SCORING)


def test_one_pair_that_matches_is_enough_not_to_fail() -> None:
    matching = np.zeros((30, 40), np.bool_)
    matching[3, 4] = True
    found = fit_calibration(texts(30, 9), pictures(40, 9), matching, plain_yardstick(9), SCORING)
    assert np.isfinite(list(asdict(found).values())).all()


@pytest.mark.parametrize(("captions", "shown"), [(LEAST - 1, 100), (100, LEAST - 1), (0, 0)])
def test_too_few_to_fit(captions: int, shown: int) -> None:
    matching = np.ones((captions, shown), np.bool_)
    with pytest.raises(
        CalibrationError,
        match=rf"^too few pictures \({shown}\) or different captions \({captions}\); ",
    ):
        fit_calibration(
            texts(captions, 9), pictures(shown, 9), matching, plain_yardstick(9), SCORING
        )


def drawings(
    mini: Checkpoint, towers: tuple[ImageTower, TextTower], seed: int
) -> tuple[Floats, Floats, Bools]:
    """Return texts (60, dim) that are true of some of 60 drawn scenes, the drawings (60, dim), and
    which are true of which.
    """
    images, tower = towers
    scenes = [numbered_scene(seed, number) for number in range(60)]
    pixels = [
        mini.preprocessing.resize(draw_scene(scene, (192, 144), number))
        for number, scene in enumerate(scenes)
    ]
    queries = random_queries(scenes, 60, random.Random(seed))
    matching = [
        [statement.facts() <= scene.facts() for scene in scenes] for statement in queries.values()
    ]
    return tower.embed(list(queries)), images.embed(np.stack(pixels)), np.array(matching)


def test_a_checkpoint_whose_bias_is_off_is_put_right_on_pictures_never_seen(
    mini: Checkpoint, mini_towers: tuple[ImageTower, TextTower], mini_yardstick: Yardstick
) -> None:
    off = replace(mini.scoring, logit_bias=mini.scoring.logit_bias + 6)
    calibration = fit_calibration(*drawings(mini, mini_towers, 71), mini_yardstick, off)
    asked, shown, matching = drawings(mini, mini_towers, 72)
    logits = off.logits(asked @ shown.T)

    def error(probabilities: Floats) -> float:
        return calibration_error(reliability(probabilities.ravel(), matching.ravel()))

    before, after = error(sigmoid(logits)), error(calibration.probabilities(logits))
    assert before > 0.01, "of 3% that match"
    assert after < before / 4
    assert calibration.slope > 0.3
    assert calibration.evidence_weight > 0


def test_confidence_tells_texts_that_a_library_shows_from_those_that_it_does_not(
    mini: Checkpoint, mini_towers: tuple[ImageTower, TextTower], mini_yardstick: Yardstick
) -> None:
    calibration = fit_calibration(*drawings(mini, mini_towers, 71), mini_yardstick, mini.scoring)
    asked, shown, matching = drawings(mini, mini_towers, 73)
    floors = text_floors(asked, mini_yardstick.pictures)[:, None]
    left = evidence(asked @ shown.T, mini_yardstick.biases(shown)[None], floors)
    scale = float(np.exp(mini.scoring.logit_scale))
    present = calibration.confidences(left.max(axis=1), scale, 60)
    absent = calibration.confidences(np.where(matching, -1, left).max(axis=1), scale, 60)
    assert auroc(present, absent) > 0.8
    assert present.mean() > 0.6
    assert absent.mean() < 0.4


def test_captions_of_the_wrong_pictures_are_refused() -> None:
    asked, shown = texts(60, 9), pictures(80, 9)
    matching = asked @ shown.T < -0.3
    with pytest.raises(
        CalibrationError,
        match=r"^the captions do not fit the pictures better than chance; check that ",
    ):
        fit_calibration(asked, shown, matching, plain_yardstick(9), SCORING)


def test_blocks_of_texts_give_what_all_at_once_give(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, shown = texts(150, 9), pictures(400, 9)
    matching = np.random.default_rng(3).random((150, 400)) < sigmoid(
        0.6 * SCORING.logits(asked @ shown.T) - 1
    )
    whole = fit_calibration(asked, shown, matching, plain_yardstick(9), SCORING)
    monkeypatch.setattr("sigseek.search.fitting._BLOCK", 2800)
    parts = fit_calibration(asked, shown, matching, plain_yardstick(9), SCORING)
    assert list(asdict(parts).values()) == pytest.approx(list(asdict(whole).values()), rel=1e-3)
