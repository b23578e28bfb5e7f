"""How many photos match a query: counted where that is possible, and otherwise estimated."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.search.verdicts import MATCH_FROM, MAYBE_FROM

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Others:
    """The photos that a query is about and that were not scored one by one."""

    count: int
    sampled: Doubles
    """The probabilities (n,) of a sample of these photos, or of all of them."""
    most: float
    """The highest probability that any of these photos may have."""


@dataclass(frozen=True)
class Counts:
    """The numbers of photos that a query is about, by verdict."""

    matches: int
    maybes: int
    exact: bool
    """Whether both numbers were counted. Otherwise one of them is an estimate from a sample."""
    expected: float
    """The number of matches that the probabilities add up to."""


def count_matches(best: Doubles, others: Others, least: float) -> Counts:
    """Count the photos with a probability of at least `least`, 0 to 1.

    `best` (n,) are the probabilities of the photos that were scored one by one.
    """
    match_from, maybe_from = max(MATCH_FROM, least), max(MAYBE_FROM, least)
    all_known = len(others.sampled) >= others.count
    each = others.count / max(len(others.sampled), 1)

    def at_least(bound: float) -> int:
        found = int((best >= bound).sum())
        if others.most < bound and not all_known:  # all that reach the bound are among the best
            return found
        return found + round(int((others.sampled >= bound).sum()) * each)

    matches = at_least(match_from)
    return Counts(
        matches,
        maybes=max(at_least(maybe_from) - matches, 0),
        exact=all_known or others.most < maybe_from,
        expected=float(best.sum() + others.sampled.sum() * each),
    )
