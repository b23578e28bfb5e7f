"""Precision and recall of default lists, with known numbers."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sigseek.errors import StoppedError
from sigseek.evaluation.captions import CaptionedPicture, CaptionedPictures
from sigseek.evaluation.default_list import ListFigures, judge_of_pictures, measure_lists
from sigseek.progress import Stop
from sigseek.search.calibration import Calibration
from sigseek.siglip import Scoring
from sigseek.siglip.yardstick.embeddings import Yardstick
from tests.catalogs import random_unit

Floats = npt.NDArray[np.float32]

SCORING = Scoring(logit_scale=float(np.log(10)), logit_bias=-5.0)
CERTAIN = Calibration(1.0, 0.0, 1e-6, 0.0, 100.0, pictures=30, captions=30)
"""With it something is always there, and a picture matches from a cosine of 0.5 on."""
YARDSTICK = Yardstick(random_unit(256, 3), random_unit(200, 3, seed=1), random_unit(32, 3, seed=2))


def captioned(*captions: str) -> CaptionedPictures:
    """Return a picture for each argument, whose captions are its words."""
    return CaptionedPictures(
        tuple(
            CaptionedPicture(Path(f"/p/{place}.jpg"), tuple(words.split()))
            for place, words in enumerate(captions)
        )
    )


def at_cosines(*cosines: float) -> Floats:
    """Return unit-norm embeddings (n, 3) with these cosines to the first axis."""
    return np.array([[c, np.sqrt(1 - c * c), 0] for c in cosines], np.float32)


def figures(
    pictures: CaptionedPictures, images: Floats, texts: Floats, stop: Stop | None = None
) -> ListFigures:
    judge = judge_of_pictures(images, YARDSTICK, SCORING, CERTAIN)
    return measure_lists(pictures, images, texts, judge, stop)


X = np.array([[1, 0, 0]], np.float32)
Y = np.array([[0, 1, 0]], np.float32)


def test_one_caption_of_some_pictures() -> None:
    """Listed are the pictures at 0.9, 0.8 and 0.6; the caption is of those at 0.9, 0.6 and 0.3."""
    images = at_cosines(0.9, 0.8, 0.6, 0.3, 0.1)
    pictures = captioned("a", "b", "a", "a", "b")
    third = np.array([[0, 0, 1]], np.float32)  # the text of b is like no picture
    assert figures(pictures, images, np.concatenate([X, third])) == ListFigures(2 / 3, 2 / 5)


def test_a_picture_with_several_captions_is_right_for_each() -> None:
    images = at_cosines(0.7, 0.1)  # the cosines to the second axis are 0.71 and 0.99
    texts = np.concatenate([X, Y])
    assert figures(captioned("a b", "b"), images, texts) == ListFigures(1.0, 1.0)
    assert figures(captioned("a a", "b"), images, texts) == ListFigures(2 / 3, 1.0), (
        "a caption that is repeated counts once"
    )


def test_equal_pictures_are_listed_together() -> None:
    assert figures(captioned("a", "b"), at_cosines(0.9, 0.9), np.concatenate([X, X])) == (
        ListFigures(0.5, 1.0)
    )


@pytest.mark.parametrize(
    ("cosine", "found"), [(0.9, ListFigures(1.0, 1.0)), (0.1, ListFigures(None, 0.0))]
)
def test_one_picture(cosine: float, found: ListFigures) -> None:
    assert figures(captioned("a"), at_cosines(cosine), X) == found


def test_a_caption_of_which_nothing_is_there_lists_nothing() -> None:
    """A calibration that finds everything absent."""
    images = at_cosines(0.9, 0.9)
    absent = Calibration(1.0, 0.0, 1e-6, 0.0, -100.0, pictures=30, captions=30)
    judge = judge_of_pictures(images, YARDSTICK, SCORING, absent)
    assert measure_lists(captioned("a", "a"), images, X, judge) == ListFigures(None, 0.0)


def test_without_a_calibration_absent_texts_judge() -> None:
    """All pictures but the first are as like the text as absent texts are like pictures."""
    images = np.concatenate([at_cosines(1.0), YARDSTICK.absent[:99]])
    judge = judge_of_pictures(images, YARDSTICK, SCORING, None)
    assert judge.judge is not None
    biases = np.sort(images @ YARDSTICK.common.T, axis=1)[:, -20:].mean(axis=1)
    floors = np.sort(YARDSTICK.absent @ YARDSTICK.pictures.T, axis=1)[:, -2:].mean(axis=1)
    evidence = YARDSTICK.absent @ images.T - 0.5 * biases - 0.2 * floors[:, None]
    assert judge.judge.yardstick.absent_evidence == pytest.approx(evidence.max(axis=1), abs=1e-6)
    assert judge.judge.judged_by == "uncalibrated"
    assert judge.usual_bias() == pytest.approx(biases.mean(), abs=1e-6)


def test_it_can_be_stopped() -> None:
    stop = Stop()
    stop.set()
    with pytest.raises(StoppedError):
        figures(captioned("a"), at_cosines(0.9), X, stop)
