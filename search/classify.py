"""Zero-shot classification: how well each label fits a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.search.labels import Label
from sigseek.siglip import Scoring, TextTower
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
    """The labels of one photo, the best first."""

    path: str
    scores: tuple[LabelScore, ...]


def classify(
    images: npt.NDArray[np.float32],
    labels: Sequence[Label],
    texts: Sequence[str],
    tower: TextTower,
    scoring: Scoring,
) -> list[tuple[LabelScore, ...]]:
    """The label scores of each embedding float32 (n, dim), by what the model is to read for each
    label.

    They are those of transformers' zero-shot image classification pipeline.
    """
    import numpy as np

    scores = scoring.probabilities(cosines(images, tower.embed(texts)))
    order = np.argsort(-scores, axis=1, kind="stable")
    return [
        tuple(LabelScore(labels[column].name, float(row[column])) for column in columns)
        for row, columns in zip(scores, order, strict=True)
    ]
