"""Probabilities and verdicts of a query's terms combined to those of the whole query."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import reduce

import numpy as np
import numpy.typing as npt

from search.query import And, Leaf, Not, Or, Query, unweighted

Doubles = npt.NDArray[np.float64]
Levels = npt.NDArray[np.int8]


class Verdict(IntEnum):
    """What is to be thought of a hit."""

    NO_MATCH = 0
    MAYBE = 1
    MATCH = 2

    def __str__(self) -> str:
        return self.name.lower().replace("_", " ")


def combine(query: Query, terms: Mapping[Leaf, Doubles]) -> Doubles:
    """The query's probability (n,) of those of its terms, 0 to 1: AND their product, OR and NOT by complements.

    The terms are taken as independent. A part's weight is an exponent: docs/queries.md.
    """
    return combine_bounds(query, terms, terms)[0]


def combine_bounds(query: Query, low: Mapping[Leaf, Doubles], high: Mapping[Leaf, Doubles]) -> tuple[Doubles, Doubles]:
    """The least and the most that the query's probability can be, of those that its terms' can be."""
    match query:
        case Not(part=part):
            least, most = combine_bounds(part, low, high)
            return 1 - most, 1 - least
        case And(parts=parts):
            bounds = [combine_bounds(part, low, high) for part in parts]
            weights = [part.weight for part in parts]
            least, most = (_product(factors, weights) for factors in zip(*bounds, strict=True))
            return least, most
        case Or(parts=parts):
            bounds = [combine_bounds(part, low, high) for part in parts]
            weights = [part.weight for part in parts]
            least, most = (1 - _product([1 - value for value in values], weights) for values in zip(*bounds, strict=True))
            return least, most
        case _:
            return low[unweighted(query)], high[unweighted(query)]


def combine_verdicts(query: Query, terms: Mapping[Leaf, Levels]) -> Levels:
    """The query's verdicts (n,) of those of its terms: the worst with AND, the best with OR, the opposite with NOT."""
    match query:
        case Not(part=part):
            return np.int8(Verdict.MATCH) - combine_verdicts(part, terms)
        case And(parts=parts):
            return reduce(np.minimum, [combine_verdicts(part, terms) for part in parts])
        case Or(parts=parts):
            return reduce(np.maximum, [combine_verdicts(part, terms) for part in parts])
        case _:
            return terms[unweighted(query)]


def _product(factors: Sequence[Doubles], weights: Sequence[float]) -> Doubles:
    return reduce(np.multiply, [factor**weight for factor, weight in zip(factors, weights, strict=True)])
