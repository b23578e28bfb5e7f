"""How right and how complete the list is that a search gives by default, on captioned pictures."""

from dataclasses import dataclass

import numpy as np

from sigseek.evaluation.captions import CaptionedPictures
from sigseek.evaluation.metrics import Floats, cosine_blocks
from sigseek.progress import Stop
from sigseek.search.calibration import Calibration
from sigseek.search.judged_text import TextJudge
from sigseek.search.judgement import Judge
from sigseek.search.verdicts import MATCH_FROM
from sigseek.siglip import Scoring
from sigseek.siglip.yardstick import VERSION
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.storage import YardstickRecord

_TOGETHER = 16_384
"""Pictures that are measured at a time, as many as an indexing run measures."""


@dataclass(frozen=True)
class ListFigures:
    """What the lists of all captions hold. Both figures count photos, over all lists together."""

    precision: float | None
    """The share of the listed pictures that have the caption; None where nothing is listed."""
    recall: float
    """The share of the pictures with the caption that are listed."""


def measure_lists(
    captioned: CaptionedPictures,
    images: Floats,
    texts: Floats,
    judge: TextJudge,
    stop: Stop | None = None,
) -> ListFigures:
    """Ask a library of all these pictures for each different caption, and compare the list with the
    pictures that have this caption.

    `images` (n, dim) and `texts` (m, dim) are unit-norm, of the pictures and of `captioned.texts`.
    A picture with several captions is right for each of them. A picture that was described in other
    words counts as wrong, even if the caption fits it. Raises StoppedError soon after `stop` is
    set.
    """
    given = captioned.matching()
    ids = np.arange(len(images))
    right = listed = 0
    for start, block in cosine_blocks(texts, images):
        for text, cosines in enumerate(block, start):
            if stop:
                stop.check()
            judged = judge.judged(texts[text], cosines, ids, cosines)
            matches = judged(cosines) >= MATCH_FROM
            listed += int(matches.sum())
            right += int((matches & given[text]).sum())
    return ListFigures(right / listed if listed else None, right / int(given.sum()))


def judge_of_pictures(
    images: Floats, yardstick: Yardstick, scoring: Scoring, calibration: Calibration | None
) -> TextJudge:
    """Return what judges texts in a library of these pictures, unit-norm (n, dim)."""
    biases = yardstick.biases(images)
    highest = np.full(len(yardstick.absent), -1, np.float32)
    for start in range(0, len(images), _TOGETHER):
        part = slice(start, start + _TOGETHER)
        found = yardstick.absent_evidence(images[part], biases[part])
        highest = np.maximum(highest, found.max(axis=1))
    measured = YardstickRecord(
        VERSION, 0, len(images), yardstick.pictures, highest, len(yardstick.common)
    )
    return TextJudge(
        Judge(measured, calibration, float(np.exp(scoring.logit_scale)), len(images)),
        calibration,
        scoring,
        biases=lambda ids: biases[ids],
        usual_bias=lambda: float(biases.mean()),
    )
