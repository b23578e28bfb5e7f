"""Fits a checkpoint's calibration to captioned pictures. It is apart from
`sigseek.search.calibration` because scikit-learn loads slowly.
"""

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from sigseek.search.calibration import Calibration
from sigseek.search.errors import CalibrationError
from sigseek.siglip import Scoring
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.siglip.yardstick.evidence import evidence, text_floors

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

LEAST = 30
"""The least number of pictures and of captions: fewer do not show how often scores are right."""

BINS = 10_000
"""The number of bins for cosines from -1 to 1. With a logit scale of 100, the fit treats pairs
within 0.02 logits as equal.
"""

_BLOCK = 4_000_000  # pairs at a time: 32 MB of bin numbers, and less of the rest
_SHARES = (1.0, 0.3, 0.1, 0.03)
"""Shares of the pictures in libraries of several sizes, so that the fit learns the effect of size.
"""
_SMALLEST = 10
_STRENGTH = (
    1e4  # of the data over the prior of weights near 0: these are few weights for many pairs
)
_ROUNDS = 1000


def fit_calibration(
    texts: Floats, images: Floats, matching: Bools, yardstick: Yardstick, scoring: Scoring
) -> Calibration:
    """Fit a calibration to unit-norm embeddings float32: captions (m, dim) and pictures (n, dim). A
    mask (m, n) says which belong together.

    A caption belongs to every picture that was given it, and all other pairs count as not matching.
    Present texts are the captions of a library, absent ones the same captions with their pictures
    taken out, and the absent texts. Raises CalibrationError when there are fewer than 30 of either,
    or nothing matches.
    """
    if min(matching.shape) < LEAST:
        raise CalibrationError(
            f"too few pictures ({matching.shape[1]}) or different captions ({matching.shape[0]})",
            f"calibrate on {LEAST} or more of each",
        )
    if not matching.any():
        raise CalibrationError(
            f"none of the {len(texts)} captions belongs to any of the {len(images)} pictures",
            "give captions of these pictures",
        )
    counts, rows, present = _measured(texts, images, matching, yardstick)
    nowhere = np.zeros((len(yardstick.absent), len(images)), np.bool_)
    absent_counts, more_rows, more_present = _measured(yardstick.absent, images, nowhere, yardstick)
    if matching.all():  # otherwise the fit would know of no pair that does not match
        counts += absent_counts
    rows, present = np.concatenate([rows, more_rows]), np.concatenate([present, more_present])
    slope, intercept = fit_platt(counts, scoring)
    rows[:, 0] *= np.exp(scoring.logit_scale)
    judgement = _fitted(rows, present, balanced=True)
    if (
        judgement.coef_[0, 1] > 0
    ):  # by accident of few pictures: more photos never make a chance hit less likely
        rows[:, 1] = 0
        judgement = _fitted(rows, present, balanced=True)
    if slope <= 0 or judgement.coef_[0, 0] <= 0:
        raise CalibrationError(
            "the captions do not fit the pictures better than chance",
            "check that each line names its own picture",
        )
    return Calibration(
        slope=slope,
        intercept=intercept,
        evidence_weight=float(judgement.coef_[0, 0]),
        photos_weight=float(judgement.coef_[0, 1]),
        confidence_intercept=float(judgement.intercept_[0]),
        pictures=len(images),
        captions=len(texts),
    )


def fit_platt(counts: Ints, scoring: Scoring) -> tuple[float, float]:
    """Return slope and intercept of Platt's sigmoid, fitted to the numbers of pairs by cosine.

    `counts` (2, bins): pairs that match and the others, at least one of each, in bins of equal
    width of cosines from -1 to 1.
    """
    bins = counts.shape[1]
    logits = np.tile(scoring.logits((np.arange(bins, dtype=np.float32) + 0.5) * (2 / bins) - 1), 2)
    there = counts.ravel() > 0
    weights = counts.ravel()[there].astype(np.float32)
    platt = _fitted(
        logits[there, None], np.repeat([True, False], bins)[there], balanced=False, weights=weights
    )
    return float(platt.coef_[0, 0]), float(platt.intercept_[0])


def _measured(
    texts: Floats, images: Floats, matching: Bools, yardstick: Yardstick
) -> tuple[Ints, Floats, Bools]:
    """Count pairs by cosine, as `fit_platt` takes them, and collect the rows of `_best` for all
    texts in libraries of several sizes.

    It takes a block of texts at a time, because all pairs of a large collection would not fit into
    memory.
    """
    biases, floors = yardstick.biases(images), text_floors(texts, yardstick.pictures)[:, None]
    libraries = _libraries(len(images))
    counts = np.zeros((2, BINS), np.int64)
    best = []
    step = max(1, _BLOCK // len(images))
    for block in (slice(start, start + step) for start in range(0, len(texts), step)):
        cosines, right = texts[block] @ images.T, matching[block]
        bins = np.clip((cosines + 1) * (BINS / 2), 0, BINS - 1).astype(np.int64)
        counts += [
            np.bincount(bins[right], minlength=BINS),
            np.bincount(bins[~right], minlength=BINS),
        ]
        left = evidence(cosines, biases[None], floors[block])
        best += [_best(left[:, chosen], right[:, chosen]) for chosen in libraries]
    rows, present = (np.concatenate(parts) for parts in zip(*best, strict=True))
    return counts, rows, present


def _libraries(count: int) -> list[Ints]:
    """Draw the pictures, as positions, that make up the libraries of several sizes."""
    rng = np.random.default_rng(0)
    sizes = sorted({max(_SMALLEST, round(share * count)) for share in _SHARES})
    return [rng.choice(count, size, replace=False) for size in sizes]


def _best(inside: Floats, right: Bools) -> tuple[Floats, Bools]:
    """Return the best evidence and the logarithm of the library's size (rows, 2), and whether the
    library contains what was asked for.

    Both arguments are (texts, pictures). A text with pictures here gives one row with them and one
    without them. A text without pictures gives one row.
    """
    shown = right.any(axis=1)
    best = np.concatenate([inside[shown].max(axis=1), np.where(right, -np.inf, inside).max(axis=1)])
    present = np.repeat([True, False], [int(shown.sum()), len(inside)])
    some = np.isfinite(best)  # a text that every picture shows is never absent
    return np.stack([best, np.full_like(best, np.log(inside.shape[1]))], axis=1)[some], present[
        some
    ]


def _fitted(
    inputs: Floats, right: Bools, *, balanced: bool, weights: Floats | None = None
) -> LogisticRegression:
    model = LogisticRegression(
        C=_STRENGTH, class_weight="balanced" if balanced else None, max_iter=_ROUNDS
    )
    return model.fit(inputs.astype(np.float64), right, weights)
