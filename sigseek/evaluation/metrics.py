"""Figures of merit, with definitions and sources. Equal scores count against the checkpoint."""

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
    """Yield the cosines of unit-norm queries (q, dim) and candidates (n, dim), some rows at a time.

    Yields the number of the first query of a block, and the block (rows, n).
    """
    rows = max(1, _BLOCK // max(1, len(candidates)))
    for start in range(0, len(queries), rows):
        yield start, cosines(queries[start : start + rows], candidates)


def pair_counts(
    queries: Floats, candidates: Floats, relevant: Sequence[Ints], bins: int
) -> tuple[Ints, Ints]:
    """Count pairs of a query (q, dim) and a candidate (n, dim) by their cosine.

    Returns the counts of all pairs and of the relevant ones, each (bins,), for bins of equal width
    from -1 to 1. `relevant` holds the numbers of each query's candidates; there may be none.
    """
    everything, matching = np.zeros(bins, np.int64), np.zeros(bins, np.int64)
    for start, block in cosine_blocks(queries, candidates):
        numbers = np.clip((block + 1) * (bins / 2), 0, bins - 1).astype(np.int64)
        everything += np.bincount(numbers.ravel(), minlength=bins)
        own = [row[relevant[query]] for query, row in enumerate(numbers, start)]
        matching += np.bincount(np.concatenate(own), minlength=bins)
    return everything, matching


def positions(scores: Floats, relevant: Ints | Bools) -> Ints:
    """Return the places, from 1 and ascending, of the relevant items when scores (n,) are ranked.

    The highest score is first. Among equal scores the relevant ones are last, so a checkpoint that
    tells nothing apart gains nothing. `relevant` holds their numbers, each once, or is a mask (n,).
    """
    own = np.sort(scores[relevant])[::-1]
    others = np.sort(np.delete(scores, relevant))
    ahead = len(others) - np.searchsorted(others, own, side="left")
    return (ahead + np.arange(1, len(own) + 1)).astype(np.int64)


def average_precision(scores: Floats, relevant: Ints | Bools) -> float:
    """Return the average precision: the mean of the precision at each relevant item, of which there
    is one at least.

    See Manning et al. 2008, section 8.4.
    """
    return _average_precision(positions(scores, relevant))


def _average_precision(places: Ints) -> float:
    return float(np.mean(np.arange(1, len(places) + 1) / places))


@dataclass(frozen=True)
class Ranks:
    """How a checkpoint ranks the candidates for each query."""

    first: Ints
    """The place (q,), from 1, of the best relevant candidate."""
    precision: npt.NDArray[np.float64]
    """The average precision (q,), over 0 to 1."""

    def recall(self, k: int, weights: Ints | None = None) -> float:
        """Return recall@k: the share of the queries with a relevant candidate among the first k.

        This is COCO's retrieval protocol (Karpathy and Fei-Fei 2015, arXiv 1412.2306, section 4.1).
        `weights` (q,) say how often each query counts.
        """
        return float(np.average(self.first <= k, weights=weights))

    def figures(self, weights: Ints | None = None) -> dict[str, float]:
        """Return recall@1, 5 and 10 and the mean average precision, each 0 to 1."""
        recalls = {f"R@{k}": self.recall(k, weights) for k in RECALLS}
        return recalls | {"mAP": float(np.average(self.precision, weights=weights))}


def rank(queries: Floats, candidates: Floats, relevant: Sequence[Ints]) -> Ranks:
    """Rank the candidates (n, dim) for each query (q, dim) by cosine, both unit-norm.

    `relevant` holds the numbers of each query's candidates, at least one per query.
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
    """Return the share of images (n, dim) whose own label, `truth` (n,), is the best of labels (c,
    dim).

    This is the top-1 accuracy of Radford et al. 2021 (arXiv 2103.00020, section 3.1). If another
    label has the same cosine, the image counts as wrong.
    """
    return rank(images, labels, list(truth[:, None])).recall(1)


def auroc(present: Floats, absent: Floats) -> float:
    """Return the chance that a score drawn from `present` (p,) exceeds one drawn from `absent`
    (a,).

    Equal scores count half. The area under the ROC curve is exactly this chance (Hanley and McNeil
    1982). Raises ValueError when either is empty.
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
    """Sort predictions (n,) into `bins` bins of equal size, the lowest probabilities first.

    Equal probabilities stay in one bin, so the order of the predictions does not matter, but there
    may be fewer bins, of unequal size. The bins have equal mass, as in Nguyen and O'Connor 2015
    (arXiv 1508.05154), because most probabilities are tiny.
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
    """Return the expected calibration error; 0 is perfect.

    It is the mean, over predictions, of |mean probability - share that matches| of their bin
    (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599, section 2). Raises ValueError without
    bins.
    """
    if not bins:
        raise ValueError("no predictions to judge")
    return sum(pool.count * abs(pool.probability - pool.matching) for pool in bins) / sum(
        pool.count for pool in bins
    )
