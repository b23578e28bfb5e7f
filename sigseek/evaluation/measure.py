"""Computing the figures of an Evaluation from captioned pictures and their embeddings."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from sigseek.evaluation.captions import CaptionedPictures
from sigseek.evaluation.crossfit import cross_fit
from sigseek.evaluation.metrics import (
    Bools,
    Floats,
    Ints,
    Ranks,
    auroc,
    calibration_error,
    cosine_blocks,
    pair_counts,
    rank,
    reliability,
    zero_shot_accuracy,
)
from sigseek.evaluation.results import Evaluation, Histogram, Miss, ReliabilityBin
from sigseek.siglip import Scoring
from sigseek.siglip.scoring import cosines, sigmoid

Probability = Callable[[Floats], Floats]
"""Turns logits of any shape into probabilities, 0 to 1, of the same shape."""
PairProbability = Callable[[Floats, Ints], Floats]
"""Turns logits and the numbers of their pictures, of one shape, into probabilities."""
Statistic = Callable[[Floats, Floats], Floats]
"""Turns texts (m, dim) and the images of a library (n, dim) into numbers (m,).

The higher a number is, the likelier the library has a match.
"""

SHOWN = 10
"""How many pictures a person is shown. Calibration is judged over them."""
MISSES = 12
SEED = 0
_BINS = 200  # of the cosines from -1 to 1


def measure(
    captioned: CaptionedPictures,
    images: Floats,
    texts: Floats,
    probability: Probability | None,
    scoring: Scoring,
    *,
    model: str = "",
    statistic: Statistic | None = None,
) -> Evaluation:
    """Evaluate unit-norm float32 embeddings: `images` (n, dim) and `texts` (m, dim).

    `images` belong to the pictures and `texts` to `captioned.texts`, in their order.

    - Recall: a caption should find every picture it was given to, and a caption given twice is two
      queries. A picture should find each of its captions among all different ones. So equal
      captions do not compete with each other.
    - The expected calibration errors, with the sigmoid alone and with `probability`, are computed
      over the ten best pictures of each different caption, because a person sees those. Over all
      pairs any error would be small, since nearly all obviously do not match. Without
      `probability`, Platt's sigmoid is fitted, and each half of the pictures is judged by a fit to
      the other half.
    - The no-match AUROC is that of `no_match_auroc`, with the best logit unless a `statistic` is
      given.

    The caller adds `skipped` and the latencies. Raises ValueError when the numbers of embeddings
    and captions differ.
    """
    given = _Given.of(captioned)
    if (len(texts), len(images)) != (len(given.pictures_of), len(given.texts_of)) or not len(
        images
    ):
        raise ValueError(
            f"{len(images)} image and {len(texts)} text embeddings for {len(given.texts_of)} "
            f"pictures with {len(given.pictures_of)} different captions; there must be one "
            "embedding for each, in their order"
        )
    found = rank(texts, images, given.pictures_of)
    by_logit = partial(best_logits, scoring=scoring)
    by_logit_auroc = no_match_auroc(captioned, images, texts, by_logit)
    calibrated = _calibrated(probability, texts, images, given, scoring)
    before, after = _reliabilities(texts, images, given, scoring, calibrated)
    return Evaluation(
        text_to_image=found.figures(given.counts),
        image_to_text=rank(images, texts, given.texts_of).figures(),
        no_match_auroc=no_match_auroc(captioned, images, texts, statistic)
        if statistic
        else by_logit_auroc,
        no_match_auroc_raw=by_logit_auroc,
        ece=calibration_error(after) if after else None,
        calibration=None if calibrated is None else "given" if probability else "cross-fitted",
        queries=int(given.counts.sum()),
        images=len(images),
        zero_shot_accuracy=_accuracy(captioned, images, texts, given),
        ece_before=calibration_error(before),
        model=model,
        reliability_before=before,
        reliability=after,
        histogram=_histogram(texts, images, given, scoring),
        misses=_misses(
            captioned, images, texts, found, given, scoring, calibrated or _uncalibrated
        ),
    )


def best_logits(texts: Floats, images: Floats, scoring: Scoring) -> Floats:
    """Return the highest logit (m,) of each text (m, dim) over images (n, dim), at least one."""
    blocks = [block.max(axis=1) for _, block in cosine_blocks(texts, images)]
    return scoring.logits(np.concatenate(blocks) if blocks else np.zeros(0, np.float32))


def no_match_auroc(
    captioned: CaptionedPictures, images: Floats, texts: Floats, statistic: Statistic
) -> float | None:
    """Return how well `statistic` tells captions with a picture in a library from those without, as
    an AUROC.

    The library is a random half of the pictures. Captions of these are present; captions that only
    the other half has are absent. None when there are no absent captions, as with class folders.
    """
    given = _Given.of(captioned)
    shuffled = np.random.default_rng(SEED).permutation(len(images))
    library = np.sort(shuffled[: (len(images) + 1) // 2])
    present = np.zeros(len(texts), bool)
    present[np.concatenate([given.texts_of[picture] for picture in library])] = True
    if present.all():
        return None
    return auroc(
        statistic(texts[present], images[library]), statistic(texts[~present], images[library])
    )


@dataclass(frozen=True)
class _Given:
    """Which different captions, by number, belong to which pictures."""

    texts_of: list[Ints]
    """The captions of each picture, each once."""
    pictures_of: list[Ints]
    """The pictures of each caption, ascending."""
    counts: Ints
    """How often each caption was given, (m,)."""

    @classmethod
    def of(cls, captioned: CaptionedPictures) -> "_Given":
        numbers = {text: number for number, text in enumerate(captioned.texts)}
        texts_of: list[Ints] = []
        pictures_of: list[list[int]] = [[] for _ in numbers]
        counted = Counter(caption for picture in captioned.pictures for caption in picture.captions)
        for number, picture in enumerate(captioned.pictures):
            texts_of.append(np.unique([numbers[caption] for caption in picture.captions]))
            for text in texts_of[-1]:
                pictures_of[text].append(number)
        return cls(
            texts_of,
            [np.array(own, np.int64) for own in pictures_of],
            np.array([counted[text] for text in numbers]),
        )


def _calibrated(
    probability: Probability | None, texts: Floats, images: Floats, given: _Given, scoring: Scoring
) -> PairProbability | None:
    """Return the given probability, which is the same for every picture, or a fitted one. Returns
    None where there is too little to fit to.
    """
    if probability:
        return lambda logits, pictures: probability(logits)
    fit = cross_fit(texts, images, given.pictures_of, scoring)
    return fit.probabilities if fit else None


def _uncalibrated(logits: Floats, pictures: Ints) -> Floats:
    return sigmoid(logits)


def _reliabilities(
    texts: Floats,
    images: Floats,
    given: _Given,
    scoring: Scoring,
    calibrated: PairProbability | None,
) -> tuple[tuple[ReliabilityBin, ...], tuple[ReliabilityBin, ...]]:
    """Return the reliability of the pairs that are shown, by the sigmoid alone and calibrated."""
    logits, pictures, matches = _shown_pairs(texts, images, given, scoring)
    return reliability(sigmoid(logits), matches), reliability(
        calibrated(logits, pictures), matches
    ) if calibrated else ()


def _shown_pairs(
    texts: Floats, images: Floats, given: _Given, scoring: Scoring
) -> tuple[Floats, Ints, Bools]:
    """Return the logits of each caption's best pictures, their numbers, and whether the two belong
    together, each (m x min(SHOWN, n),).
    """
    shown = min(SHOWN, len(images))
    logits, pictures, matches = [], [], []
    for start, block in cosine_blocks(texts, images):
        best = np.argpartition(-block, shown - 1, axis=1)[:, :shown]
        logits.append(scoring.logits(np.take_along_axis(block, best, axis=1)).ravel())
        pictures.append(best.ravel())
        matches += [np.isin(row, given.pictures_of[text]) for text, row in enumerate(best, start)]
    return np.concatenate(logits), np.concatenate(pictures), np.concatenate(matches)


def _histogram(texts: Floats, images: Floats, given: _Given, scoring: Scoring) -> Histogram:
    """Count all pairs by logit, in the bins that hold any and those between."""
    everything, matching = pair_counts(texts, images, given.pictures_of, _BINS)
    first, last = np.flatnonzero(everything)[[0, -1]]
    edges = scoring.logits(np.linspace(-1, 1, _BINS + 1, dtype=np.float32)[first : last + 2])
    matching, everything = matching[first : last + 1], everything[first : last + 1]
    return Histogram(
        tuple(edges.tolist()), tuple(matching.tolist()), tuple((everything - matching).tolist())
    )


def _accuracy(
    captioned: CaptionedPictures, images: Floats, texts: Floats, given: _Given
) -> float | None:
    """Return the zero-shot accuracy where there are classes. Each picture's one caption then is its
    label.
    """
    return (
        zero_shot_accuracy(images, texts, np.concatenate(given.texts_of))
        if captioned.classes
        else None
    )


def _misses(
    captioned: CaptionedPictures,
    images: Floats,
    texts: Floats,
    found: Ranks,
    given: _Given,
    scoring: Scoring,
    probabilities: PairProbability,
) -> tuple[Miss, ...]:
    """Return the captions whose pictures come latest, at most MISSES; of equal ones the first
    mentioned.
    """
    worst = np.argsort(-found.first, kind="stable")[:MISSES]
    captions = captioned.texts
    misses = []
    for text in worst[found.first[worst] > 1]:
        scores = cosines(texts[text : text + 1], images)[0]
        own = given.pictures_of[text]
        others = scores.copy()
        others[own] = -np.inf
        right, first = int(own[scores[own].argmax()]), int(others.argmax())
        both = np.array([right, first])
        of_right, of_first = probabilities(scoring.logits(scores[both]), both).tolist()
        paths = captioned.pictures[right].path, captioned.pictures[first].path
        misses.append(
            Miss(captions[text], paths[0], int(found.first[text]), of_right, paths[1], of_first)
        )
    return tuple(misses)
