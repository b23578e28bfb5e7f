"""Turns the cosine of a term and a photo into the probability that the photo shows the term."""

import math
from collections.abc import Callable
from dataclasses import astuple, dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sigseek.search.calibration import Calibration
from sigseek.search.mixture import Mixture, fit_mixture
from sigseek.search.results import DecidedBy
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import sigmoid

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]

TermModel = Callable[[Floats], Doubles]
"""A function from cosines, of any shape, to probabilities, 0 to 1. A higher cosine never has a
lower probability.
"""

_FEWEST = 2


@dataclass(frozen=True)
class TextModel:
    """A TermModel of a text, with the numbers that it consists of."""

    decided_by: DecidedBy
    parameters: tuple[float, ...]
    """The fields of a `Mixture`, the slope and intercept of a calibration, or the logit that the
    sigmoid was moved to.
    """
    scoring: Scoring

    def __call__(self, cosines: Floats) -> Doubles:
        """Return the probabilities of photos, whose cosines may have any shape."""
        logits = self.scoring.logits(cosines)
        if self.decided_by == "two groups":
            return Mixture(*self.parameters).probabilities(logits.astype(np.float64))
        if self.decided_by == "calibration":
            slope, intercept = map(np.float32, self.parameters)
            return sigmoid(slope * logits + intercept).astype(np.float64)
        (moved,) = map(np.float32, self.parameters)
        return sigmoid(logits - moved).astype(np.float64)


@dataclass(frozen=True)
class PhotoModel:
    """A TermModel of likeness to a photo, by the middle and spread of the library's cosines and the
    distance, in spreads, that one photo in all would reach by chance.
    """

    middle: float
    spread: float
    chance: float

    def __call__(self, cosines: Floats) -> Doubles:
        """Return the probabilities of photos, whose cosines may have any shape."""
        distances = (cosines.astype(np.float64) - self.middle) / self.spread
        # The logarithm of a normal tail falls by the distance itself with every spread.
        return 1 / (1 + np.exp(-np.clip(self.chance * (distances - self.chance), -500, 500)))


def plain_model(scoring: Scoring, calibration: Calibration | None) -> TermModel:
    """Use SigLIP's probability, corrected by the checkpoint's calibration if it has one."""

    def probabilities(cosines: Floats) -> Doubles:
        logits = scoring.logits(cosines)
        return (calibration.probabilities(logits) if calibration else sigmoid(logits)).astype(
            np.float64
        )

    return probabilities


def text_model(
    sample: Floats, scoring: Scoring, calibration: Calibration | None, chance_logit: float = 0.0
) -> TextModel:
    """Use the two components of the text's logits in this library if they are clearly apart, which
    happens for what is common in it.

    Rare things leave no visible component, so the checkpoint's calibration is used. Without a
    calibration it is SigLIP's sigmoid, whose logits are often too low as a whole: it is moved so
    that the probability is 0.5 at `chance_logit`, if that is below 0. `sample` holds the cosines
    (n,) of the library.
    """
    mixture = fit_mixture(scoring.logits(sample).astype(np.float64))
    if mixture:
        return TextModel("two groups", astuple(mixture), scoring)
    if calibration:
        return TextModel("calibration", (calibration.slope, calibration.intercept), scoring)
    moved = min(chance_logit, 0.0)
    return TextModel("raised sigmoid" if moved < 0 else "sigmoid", (moved,), scoring)


def photo_model(sample: Floats, photos: int) -> TermModel:
    """Use the distance of a photo's cosine above those of the library. The probability is 0.5 at
    the cosine that one photo in the library is expected to reach by chance.

    The sigmoid was trained on pairs of a text and a photo and says nothing here. `sample` holds
    cosines (n,) of the library, which are assumed to be normally distributed. Their spread is taken
    from the lower half, because similar photos do not reach it.
    """
    if len(sample) < _FEWEST:
        # Nothing to compare with: 0.25 for every photo, which may be alike.
        return PhotoModel(0.0, math.inf, math.sqrt(math.log(3)))
    middle = float(np.median(sample))
    spread = max(float(middle - np.quantile(sample, NormalDist().cdf(-1))), 1e-6)
    return PhotoModel(middle, spread, NormalDist().inv_cdf(1 - 1 / max(photos, _FEWEST + 1)))


def tag_model() -> TermModel:
    """Return a tag's value as its probability: 1 for a photo with the tag and 0 without."""
    return lambda cosines: cosines.astype(np.float64)
