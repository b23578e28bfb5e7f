"""Fits a checkpoint's calibration to captioned pictures. Apart from `search.calibration`, for scikit-learn loads slowly."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from search.calibration import Calibration
from search.errors import CalibrationError
from siglip import Scoring
from siglip.references import References, evidence, text_floors

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

LEAST = 30
"""Pictures and captions; fewer say nothing of how often scores are right."""

_SHARES = (1.0, 0.3, 0.1, 0.03)
"""Of the pictures: libraries of several sizes, so that it is learned what size does."""
_SMALLEST = 10
_STRENGTH = 1e4  # of the data over the prior of weights near 0: these are few weights for many pairs
_ROUNDS = 1000


def fit_calibration(texts: Floats, images: Floats, matching: Bools, references: References, scoring: Scoring) -> Calibration:
    """The calibration of unit-norm embeddings float32: captions (m, dim), pictures (n, dim), and (m, n) which belong together.

    A caption belongs to every picture that was given it; all other pairs, and all pairs with the absent texts, count as not
    matching. Present texts are the captions of a library, absent ones the same captions with their pictures taken out, and
    the absent texts. CalibrationError when there are fewer than 30 of either, or nothing matches.
    """
    if min(matching.shape) < LEAST:
        raise CalibrationError(
            f"only {matching.shape[1]} pictures with {matching.shape[0]} different captions; calibrate on {LEAST} or more of each"
        )
    if not matching.any():
        raise CalibrationError(
            f"none of the {len(texts)} captions belongs to any of the {len(images)} pictures; give captions of these pictures"
        )
    everything = np.concatenate([texts, references.absent])
    matching = np.concatenate([matching, np.zeros((len(references.absent), len(images)), np.bool_)])
    cosines = everything @ images.T
    slope, intercept = fit_platt(scoring.logits(cosines).ravel(), matching.ravel())
    scale = float(np.exp(scoring.logit_scale))
    left = evidence(cosines, references.biases(images)[None], text_floors(everything, references.pictures)[:, None]) * scale
    rows, present = (np.concatenate(parts) for parts in zip(*_libraries(left, matching), strict=True))
    judgement = _fitted(rows, present, balanced=True)
    if judgement.coef_[0, 1] > 0:  # by accident of few pictures: more photos never make a chance hit less likely
        rows[:, 1] = 0
        judgement = _fitted(rows, present, balanced=True)
    return Calibration(
        slope=slope,
        intercept=intercept,
        evidence_weight=float(judgement.coef_[0, 0]),
        photos_weight=float(judgement.coef_[0, 1]),
        confidence_intercept=float(judgement.intercept_[0]),
        pictures=len(images),
        captions=len(texts),
    )


def fit_platt(logits: Floats, matching: Bools, weights: Floats | None = None) -> tuple[float, float]:
    """Slope and intercept of Platt's sigmoid over the logits (n,) of pairs, some of which match and some not.

    `weights` (n,) tell for how many pairs each one stands.
    """
    platt = _fitted(logits[:, None], matching, balanced=False, weights=weights)
    return float(platt.coef_[0, 0]), float(platt.intercept_[0])


def _libraries(evidences: Floats, matching: Bools) -> Iterator[tuple[Floats, Bools]]:
    """Best evidence and logarithm of the size (rows, 2), and whether what was asked is there, for libraries of several sizes."""
    rng = np.random.default_rng(0)
    count = matching.shape[1]
    for size in sorted({max(_SMALLEST, round(share * count)) for share in _SHARES}):
        chosen = rng.choice(count, size, replace=False)
        inside, right = evidences[:, chosen], matching[:, chosen]
        shown = right.any(axis=1)
        best = np.concatenate([inside[shown].max(axis=1), np.where(right, -np.inf, inside).max(axis=1)])
        present = np.repeat([True, False], [int(shown.sum()), len(inside)])
        some = np.isfinite(best)  # a text that every picture shows is never absent
        yield np.stack([best, np.full_like(best, np.log(size))], axis=1)[some], present[some]


def _fitted(inputs: Floats, right: Bools, *, balanced: bool, weights: Floats | None = None) -> LogisticRegression:
    model = LogisticRegression(C=_STRENGTH, class_weight="balanced" if balanced else None, max_iter=_ROUNDS)
    return model.fit(inputs.astype(np.float64), right, weights)
