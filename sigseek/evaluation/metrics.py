"""Figures of merit, each with its definition and source. Equal scores count against the checkpoint, never for it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sigseek.evaluation.results import ReliabilityBin
from sigseek.siglip.scoring import cosines

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

RECALLS = (1, 5, 10)
BINS = 15
_BLOCK = 4_000_000  # cosines at a time: 16 MB, and as much again where they are sorted


def cosine_blocks(queries: Floats, candidates: Floats) -> Iterator[tuple[int, Floats]]:
    """All cosines of unit-norm embeddings (q, dim) and (n, dim): the first query's number and
    (rows, n) at a time.
    """
    rows = max(1, _BLOCK // max(1, len(candidates)))
    for start in range(0, len(queries), rows):
        yield start, cosines(queries[start : start + rows], candidates)


def pair_counts(
    queries: Floats, candidates: Floats, relevant: Sequence[Ints], bins: int
) -> tuple[Ints, Ints]:
    """Pairs of a query (q, dim) and a candidate (n, dim) by cosine: all of them and the relevant
    ones, each (bins,).

    The bins are of equal width from -1 to 1; `relevant` holds the numbers of each query's
    candidates, or of none.
    """
    everything, matching = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    for start, block in cosine_blocks(queries, candidates):
        numbers = np.clip((block + 1) * (bins / 2), 0, bins - 1).astype(np.int64)
        everything += np.bincount(numbers.ravel(), minlength=bins)
        own = [row[relevant[query]] for query, row in enumerate(numbers, start)]
        matching += np.bincount(np.concatenate(own), minlength=bins)
    return everything, matching


def positions(scores: Floats, relevant: Ints | Bools) -> Ints:
    """Ascending places, from 1, of the relevant items in the ranking of scores (n,) by descending
    score.

    Of equal scores the relevant ones come last, so that a checkpoint that tells nothing apart is
    given no luck. `relevant` holds their numbers, each once, or is a mask (n,).
    """
    own = np.sort(scores[relevant])[::-1]
    others = np.sort(np.delete(scores, relevant))
    ahead = len(others) - np.searchsorted(others, own, side="left")
    return (ahead + np.arange(1, len(own) + 1)).astype(np.int64)


def average_precision(scores: Floats, relevant: Ints | Bools) -> float:
    """Mean, over the relevant items (at least one), of the precision down to each (Manning et al.
    2008, section 8.4).
    """
    return _average_precision(positions(scores, relevant))


def _average_precision(places: Ints) -> float:
    return float(np.mean(np.arange(1, len(places) + 1) / places))


@dataclass(frozen=True)
class Ranks:
    """How a checkpoint ranks the candidates for each query."""

    first: Ints
    """(q,) The place, from 1, of the best relevant candidate."""
    precision: npt.NDArray[np.float64]
    """(q,) The average precision, over 0 to 1."""

    def recall(self, k: int, weights: Ints | None = None) -> float:
        """Share of the queries with a relevant candidate among the first k: recall@k as in COCO's
        retrieval protocol.

        (Karpathy and Fei-Fei 2015, arXiv 1412.2306, section 4.1.) `weights` (q,): how often each
        query counts.
        """
        return float(np.average(self.first <= k, weights=weights))

    def figures(self, weights: Ints | None = None) -> dict[str, float]:
        """Recall@1, 5 and 10 and the mean average precision, each 0 to 1."""
        recalls = {f"R@{k}": self.recall(k, weights) for k in RECALLS}
        return recalls | {"mAP": float(np.average(self.precision, weights=weights))}


def rank(queries: Floats, candidates: Floats, relevant: Sequence[Ints]) -> Ranks:
    """Rank the candidates (n, dim) for each query (q, dim) by cosine, both unit-norm; `relevant`
    are at least one a query.
    """
    first = np.zeros(len(queries), np.int64)
    precision = np.zeros(len(queries))
    for start, block in cosine_blocks(queries, candidates):
        for query, scores in enumerate(block, start):
            places = positions(scores, relevant[query])
            first[query] = places[0]
            precision[query] = _average_precision(places)
    return Ranks(first, precision)


def zero_shot_accuracy(images: Floats, labels: Floats, truth: Ints) -> float:
    """Share of the images (n, dim) whose own label, `truth` (n,), has the highest cosine of all
    labels (c, dim).

    Top-1 accuracy as of Radford et al. 2021 (arXiv 2103.00020, section 3.1); another label as high
    makes it wrong.
    """
    return rank(images, labels, list(truth[:, None])).recall(1)


def auroc(present: Floats, absent: Floats) -> float:
    """Chance that a score drawn from `present` (p,) exceeds one from `absent` (a,), equal ones
    counting half.

    The area under the ROC curve is that very chance (Hanley and McNeil 1982). Exact. ValueError
    where either is empty.
    """
    if not len(present) or not len(absent):
        raise ValueError("no scores on one of the two sides")
    ordered = np.sort(absent)
    below = np.searchsorted(ordered, present, side="left").sum(dtype=np.int64)
    not_above = np.searchsorted(ordered, present, side="right").sum(dtype=np.int64)
    return float((below + not_above) / (2 * len(present) * len(absent)))


def reliability(
    probabilities: Floats, matches: Bools, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Predictions (n,) sorted into `bins` bins of equal numbers, the lowest probabilities first.

    Equal probabilities stay together, so that the order of the predictions means nothing: there may
    be fewer bins, and unequal ones. Bins of equal mass, as in Nguyen and O'Connor 2015 (arXiv
    1508.05154), since most probabilities are tiny.
    """
    if not len(probabilities):
        return ()
    order = np.argsort(probabilities, kind="stable")
    ranked, matched = probabilities[order].astype(np.float64), matches[order]
    edges = ranked[np.arange(bins) * len(ranked) // bins]
    starts = np.unique(np.searchsorted(ranked, edges, side="left"))
    return tuple(
        ReliabilityBin(
            float(ranked[start:end].mean()), float(matched[start:end].mean()), int(end - start)
        )
        for start, end in pairwise([*starts, len(ranked)])
    )


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Expected calibration error: the mean, over predictions, of |predicted probability - share
    that matches| of their pool.

    (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599, section 2.) 0 is perfect. ValueError
    without bins.
    """
    if not bins:
        raise ValueError("no predictions to judge")
    return sum(pool.count * abs(pool.probability - pool.matching) for pool in bins) / sum(
        pool.count for pool in bins
    )
