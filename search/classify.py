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


@dataclass(frozen=True)
class LabelScore:
    """A label and its sigmoid probability, 0 to 1. Each label is judged by itself: the scores do
    not add up to 1.
    """

    label: str
    score: float


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
) -> tuple[LabelScore, ...]:
    """Return the labels' scores for a photo's embedding float32 (dim,), the highest first.

    `texts` are the embeddings (labels, dim) of the text of each label. The scores are those of
    transformers' zero-shot image classification pipeline.
    """
    import numpy as np

    scores = scoring.probabilities(cosines(image[None], texts))[0]
    order = np.argsort(-scores, kind="stable")
    return tuple(LabelScore(labels[place].name, float(scores[place])) for place in order)
