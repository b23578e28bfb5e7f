"""Platt's sigmoid, fitted twice, so that no picture is judged by a fit to itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sigseek.evaluation.metrics import Bools, Floats, Ints, pair_counts
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import sigmoid

SEED = 0


@dataclass(frozen=True)
class CrossFit:
    """Two fits of Platt's sigmoid, each to one half of the pictures, for the other half."""

    halves: Ints
    """The half (n,), 0 or 1, that each picture is in."""
    slopes: Floats
    """The slope of each fit (2,), by the half that it judges."""
    intercepts: Floats
    """The intercept of each fit (2,), by the half that it judges."""

    def probabilities(self, logits: Floats, pictures: Ints) -> Floats:
        """Return the probability of a match, 0 to 1, for logits and the numbers of their pictures.

        All three have one shape.
        """
        half = self.halves[pictures]
        return sigmoid(self.slopes[half] * logits + self.intercepts[half])


def cross_fit(
    texts: Floats, images: Floats, pictures_of: Sequence[Ints], scoring: Scoring
) -> CrossFit | None:
    """Fit to unit-norm embeddings of texts (m, dim) and pictures (n, dim); `pictures_of` are the
    pictures of each text.

    The halves are random. Each is paired with all the texts, so that a match is as rare among its
    pairs as among those to be judged. None with fewer than 30 pictures, or where a half has no
    match or nothing else.
    """
    from sigseek.search.fitting import BINS, LEAST, fit_platt  # scikit-learn comes with it

    if len(images) < LEAST:
        return None
    halves = np.zeros(len(images), np.int64)
    halves[np.random.default_rng(SEED).permutation(len(images))[: len(images) // 2]] = 1
    fits = []
    for half in (0, 1):
        counts = _counts(texts, images, pictures_of, halves != half, BINS)
        if not counts.any(axis=1).all():
            return None
        fits.append(fit_platt(counts, scoring))
    slopes, intercepts = np.array(fits, np.float32).T
    return CrossFit(halves, slopes, intercepts)


def _counts(
    texts: Floats, images: Floats, pictures_of: Sequence[Ints], among: Bools, bins: int
) -> Ints:
    """Count the pairs with the pictures of the mask `among` (n,) by cosine: those that match and
    the others, (2, bins).
    """
    place = np.cumsum(among) - 1
    everything, matching = pair_counts(
        texts, images[among], [place[own[among[own]]] for own in pictures_of], bins
    )
    return np.stack([matching, everything - matching])
