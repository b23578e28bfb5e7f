"""How probable it is that a photo shows a term of a query, from the cosine of their embeddings."""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sigseek.search.calibration import Calibration
from sigseek.search.mixture import fit_mixture
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import sigmoid

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

TermModel = Callable[[Floats], Doubles]
"""Cosines, any shape, to probabilities 0 to 1; never falling."""

_FEWEST = 2


def plain_model(scoring: Scoring, calibration: Calibration | None) -> TermModel:
    """SigLIP's probability, by the checkpoint's calibration where there is one."""

    def probabilities(cosines: Floats) -> Doubles:
        logits = scoring.logits(cosines)
        return (calibration.probabilities(logits) if calibration else sigmoid(logits)).astype(
            np.float64
        )

    return probabilities


def text_model(sample: Floats, scoring: Scoring, calibration: Calibration | None) -> TermModel:
    """By the two components of the text's own logits in this library, where they stand clearly
    apart: what is common in it.

    Of what is rare there is too little to see, and `plain_model` holds. `sample` are the cosines
    (n,) of the library.
    """
    mixture = fit_mixture(scoring.logits(sample).astype(np.float64))
    if mixture is None:
        return plain_model(scoring, calibration)
    return lambda cosines: mixture.probabilities(scoring.logits(cosines).astype(np.float64))


def photo_model(sample: Floats, photos: int) -> TermModel:
    """By how far a photo's cosine to a photo lies above those of the library: 0.5 where one photo
    in all would by chance.

    The sigmoid was trained on pairs of a text and a photo and says nothing here. `sample` are the
    cosines (n,) of a library of so many photos, taken as normal, their spread from the lower half,
    which likeness does not reach.
    """
    if len(sample) < _FEWEST:
        return lambda cosines: np.full(np.shape(cosines), 0.5)
    middle = float(np.median(sample))
    spread = max(float(middle - np.quantile(sample, NormalDist().cdf(-1))), 1e-6)
    chance = NormalDist().inv_cdf(1 - 1 / max(photos, _FEWEST + 1))

    def probabilities(cosines: Floats) -> Doubles:
        distances = (cosines.astype(np.float64) - middle) / spread
        # The logarithm of a normal tail falls by the distance itself with every spread.
        return 1 / (1 + np.exp(-np.clip(chance * (distances - chance), -500, 500)))

    return probabilities


def tag_model() -> TermModel:
    """A photo has a tag or has not: what stands for its cosine is the probability."""
    return lambda cosines: cosines.astype(np.float64)
