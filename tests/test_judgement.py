import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigseek.search.calibration import Calibration
from sigseek.search.judgement import Judge
from sigseek.search.verdicts import verdict
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


def odds(fitted: float) -> float:
    """The confidence where the regression gives these log odds."""
    return float(1 / (1 + np.exp(-fitted) * 6 / 4))


def confidences(found: Judge, *cosines: float, bias: float = 0.0) -> list[float]:
    """The confidence for each of the cosines, were it the best photo's."""
    biases = floats(bias)
    return [found.confidence(TEXT, floats(cosine), biases) for cosine in cosines]


def test_uncalibrated_confidence_falls_with_the_share_of_absent_texts_with_more_evidence() -> None:
    """It is 1 / (1 + (share / 0.005) ** 0.75): a half at 1 of 200, a tenth at 20, 0.02 at all."""
    found = confidences(judge(), 0, 0.1805, 0.1995)
    assert found == pytest.approx([1 / (1 + 200**0.75), 1 / (1 + 20**0.75), 0.5])
    assert found[1] == pytest.approx(0.0956, abs=1e-4)
    halved = confidences(judge(), 0.9805 - 0.4, bias=0.8)
    assert halved == confidences(judge(), 0.9805 - 0.8), "half of the bias"
    floored = judge(pictures=unit([[1, 0]] * 8))
    assert confidences(floored, 0.3805) == pytest.approx(confidences(judge(), 0.1805)), (
        "a fifth of the floor"
    )
    assert judge().judged_by == "uncalibrated"


def test_as_much_evidence_as_an_absent_text_is_not_more() -> None:
    highest = float(ABSENT.max())
    more = float(np.nextafter(np.float32(highest), np.float32(1)))
    found = confidences(judge(), highest, more)
    assert found == pytest.approx([0.5, 1 / (1 + 0.5**0.75)], abs=1e-4)


def test_beyond_all_absent_texts_queries_are_still_told_apart() -> None:
    found = np.array(confidences(judge(), *(float(ABSENT.max()) + floats(0, 0.01, 0.02, 0.1))))
    assert np.all(np.diff(found) > 0)
    chance = (1 / found - 1) ** (1 / 0.75)
    mean_excess = float((np.sort(ABSENT)[-20:] - np.sort(ABSENT)[-20]).mean())
    assert chance[2] / chance[1] == pytest.approx(np.exp(-0.01 / mean_excess), rel=1e-3)


def test_calibrated_confidence() -> None:
    """Evidence 0.4 - 0.5 * 0.2 = 0.3; log odds 2 * 10 * 0.3 - 5 = 1, and odds of 4 to 6."""
    found = judge(calibrated())
    assert confidences(found, 0.4, bias=0.2) == pytest.approx([odds(1)], abs=1e-6)
    assert odds(np.log(6 / 4)) == pytest.approx(0.5)
    assert found.judged_by == "calibrated"


@pytest.mark.parametrize("calibration", [None, calibrated()])
def test_the_photo_of_the_most_evidence_decides(calibration: Calibration | None) -> None:
    """It need not be that of the highest cosine: here 0.3 - 0.5 * 0.1 is more than 0.35 - 0.5."""
    found = judge(calibration).confidence(TEXT, floats(0.35, 0.3), floats(1, 0.1))
    assert [found] == confidences(judge(calibration), 0.3, bias=0.1)
    assert judge(calibration).confidence(TEXT, floats(), floats()) == 0


def test_among_more_photos_the_same_evidence_says_less() -> None:
    found = [
        confidences(judge(calibrated(-0.5), photos), 0.4, bias=0.2)[0]
        for photos in (1, 100, 10_000)
    ]
    assert found == pytest.approx([odds(1), odds(1 - np.log(10)), odds(1 - np.log(100))], abs=1e-6)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1), st.booleans())
def test_confidence_never_falls_with_the_cosine(
    cosines: list[float], with_calibration: bool
) -> None:
    found = judge(calibrated(-0.5) if with_calibration else None, 50)
    ascending = confidences(found, *sorted(cosines), bias=0.1)
    assert np.all(np.diff(ascending) >= 0)
    assert all(0 <= confidence <= 1 for confidence in ascending)


def test_the_cosine_of_chance() -> None:
    """One in fifty of 0.001 to 0.2 is above 0.196; half of the bias and the floor come on top."""
    assert judge(photos=5000).chance_cosine(TEXT, 0.0) == pytest.approx(0.19602, abs=1e-5)
    floored = judge(photos=5000, pictures=unit([[1, 0]] * 8))
    assert floored.chance_cosine(TEXT, 0.4) == pytest.approx(0.19602 + 0.2 + 0.2, abs=1e-5)


@pytest.mark.parametrize(
    ("photos", "higher"),
    [(5000, 0.0), (500, 0.230259), (40, 0.482831), (1, 0.851719), (0, 0.851719)],
)
def test_fewer_photos_do_not_lower_what_counts_as_chance(photos: int, higher: float) -> None:
    """The logarithm of 5,000 / photos is added in logits, of which a cosine of 1 has 10 here."""
    found = judge(photos=photos).chance_cosine(TEXT, 0.0)
    assert found == pytest.approx(0.19602 + higher, abs=1e-5)
    assert judge(photos=1_000_000).chance_cosine(TEXT, 0.0) == pytest.approx(0.19602, abs=1e-5)


def test_verdicts_follow_from_the_probability() -> None:
    assert [verdict(value) for value in (0, 0.0999, 0.1, 0.4999, 0.5, 1)] == [
        "no match",
        "no match",
        "maybe",
        "maybe",
        "match",
        "match",
    ]
