import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.calibration import Calibration
from sigseek.search.judgement import Judge
from sigseek.search.verdicts import MATCH, VERDICTS
from sigseek.storage import YardstickRecord
from tests.catalogs import unit

Floats = npt.NDArray[np.float32]

PICTURES = unit([[0, 1]] * 8)  # they give a text along the first axis a floor of 0
TEXT = unit([1, 0])
ABSENT = np.linspace(0.001, 0.2, 200, dtype=np.float32)[::-1]
"""The highest evidence for each of 200 absent texts: 0.001, 0.002, ... 0.2, in no order that
helps.
"""


def judge(
    calibration: Calibration | None = None, photos: int = 1, pictures: Floats = PICTURES
) -> Judge:
    return Judge(YardstickRecord(1, 1, 1, pictures, ABSENT), calibration, 10.0, photos)


def calibrated(photos_weight: float = 0.0) -> Calibration:
    return Calibration(
        1,
        0,
        evidence_weight=2,
        photos_weight=photos_weight,
        confidence_intercept=-5,
        pictures=30,
        captions=30,
    )


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def test_uncalibrated_confidence_is_the_share_of_absent_texts_with_less_evidence() -> None:
    found = judge().confidences(TEXT, floats(0, 0.0015, 0.1805, 0.1995, 0.5), floats(0, 0, 0, 0, 0))
    assert found == pytest.approx([0, 1 / 200, 180 / 200, 199 / 200, 1])
    assert judge().confidences(TEXT, floats(0.5), floats(0.8)) == pytest.approx(
        [100 / 200], abs=1.01 / 200
    ), "half of the bias"
    floored = judge(pictures=unit([[1, 0]] * 8))
    assert floored.confidences(TEXT, floats(0.3005), floats(0)) == pytest.approx([100 / 200]), (
        "a fifth of the floor"
    )


def test_uncalibrated_levels_allow_one_and_twenty_of_the_absent_texts() -> None:
    found = judge()
    confidences = np.arange(201, dtype=np.float32) / np.float32(200)
    levels = found.levels(confidences)
    assert levels.tolist() == [0] * 180 + [1] * 19 + [2] * 2
    assert levels.dtype == np.int8
    assert found.judged_by == "uncalibrated"
    assert VERDICTS[MATCH] == "match"


def test_as_much_evidence_as_an_absent_text_is_not_more() -> None:
    highest = ABSENT.max()
    found = judge().confidences(
        TEXT, np.array([highest, np.nextafter(highest, np.float32(1))]), floats(0, 0)
    )
    assert found.tolist() == pytest.approx([199 / 200, 1 - 1 / 400], abs=1e-6)


def test_beyond_all_absent_texts_hits_are_still_told_apart() -> None:
    more = judge().confidences(TEXT, ABSENT.max() + floats(0, 0.01, 0.02, 0.1), floats(0, 0, 0, 0))
    assert np.all(np.diff(more) > 0)
    chance = 1 - more[1:3]
    mean_excess = float((np.sort(ABSENT)[-20:] - np.sort(ABSENT)[-20]).mean())
    assert chance[1] / chance[0] == pytest.approx(np.exp(-0.01 / mean_excess), rel=1e-3)


def test_calibrated_levels() -> None:
    found = judge(calibrated())
    assert found.levels(floats(0, 0.2999, 0.3, 0.6999, 0.7, 1)).tolist() == [0, 0, 1, 1, 2, 2]
    assert found.judged_by == "calibrated"


def test_calibrated_confidence() -> None:
    """The evidence is 0.4 - 0.5 * 0.2 = 0.3, and the odds are 2 * 10 * 0.3 - 5 = 1."""
    assert judge(calibrated()).confidences(TEXT, floats(0.4), floats(0.2)) == pytest.approx(
        [1 / (1 + np.exp(-1))], abs=1e-6
    )


@pytest.mark.parametrize("calibration", [None, calibrated()])
def test_a_photo_that_was_not_measured_takes_the_mean_of_the_others(
    calibration: Calibration | None,
) -> None:
    cosines = floats(0.2, 0.2, 0.25)
    expected = judge(calibration).confidences(TEXT, cosines, floats(0.2, 0.3, 0.25))
    found = judge(calibration).confidences(TEXT, cosines, floats(0.2, 0.3, np.nan))
    assert found.tolist() == expected.tolist()
    none = judge(calibration).confidences(TEXT, cosines, floats(np.nan, np.nan, np.nan))
    assert none.tolist() == judge(calibration).confidences(TEXT, cosines, floats(0, 0, 0)).tolist()
    assert judge(calibration).confidences(TEXT, floats(), floats()).tolist() == []


def test_among_more_photos_the_same_evidence_says_less() -> None:
    confidences = [
        judge(calibrated(-0.5), photos).confidences(TEXT, floats(0.4), floats(0.2))[0]
        for photos in (1, 100, 10_000)
    ]
    assert confidences == pytest.approx(
        [1 / (1 + np.exp(-odds)) for odds in (1, 1 - np.log(10), 1 - np.log(100))], abs=1e-6
    )


@given(st.lists(st.floats(-1, 1, width=32), min_size=1), st.booleans())
def test_confidence_never_falls_with_the_cosine(
    cosines: list[float], with_calibration: bool
) -> None:
    ascending = np.sort(np.array(cosines, np.float32))
    found = judge(calibrated(-0.5) if with_calibration else None, 50)
    confidences = found.confidences(TEXT, ascending, np.full(len(ascending), 0.1, np.float32))
    assert np.all(np.diff(confidences) >= 0)
    assert np.all((confidences >= 0) & (confidences <= 1))
    assert np.all(np.diff(found.levels(confidences)) >= 0)
