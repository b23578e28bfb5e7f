"""Zero-shot classification: how well each label fits a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.search.labels import Label
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import cosines

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.search.calibration import Calibration


@dataclass(frozen=True)
class LabelScore:
    """A label and how well it fits a photo. Each label is judged by itself: the numbers of all
    labels do not add up to 1.
    """

    label: str
    score: float
    """SigLIP's own sigmoid, 0 to 1."""
    probability: float
    """How likely the photo shows the label, 0 to 1, by the checkpoint's calibration. Without a
    calibration it is the score. A search also knows the library's other photos (docs/scores.md).
    """


@dataclass(frozen=True)
class Classification:
    """A photo and the scores of its labels, the best first."""

    path: str
    scores: tuple[LabelScore, ...]


def rank_labels(
    image: npt.NDArray[np.float32],
    labels: Sequence[Label],
    texts: npt.NDArray[np.float32],
    scoring: Scoring,
    calibration: Calibration | None,
) -> tuple[LabelScore, ...]:
    """Return the labels with their scores and probabilities for a photo's embedding float32 (dim,),
    the best first.

    `texts` are the embeddings (labels, dim) of the text of each label. The scores are those of
    transformers' zero-shot image classification pipeline.
    """
    import numpy as np

    from sigseek.search.terms import plain_model

    found = cosines(image[None], texts)[0]
    scores = scoring.probabilities(found)
    probabilities = plain_model(scoring, calibration)(found)
    return tuple(
        LabelScore(labels[place].name, float(scores[place]), float(probabilities[place]))
        for place in np.argsort(-found, kind="stable")
    )
