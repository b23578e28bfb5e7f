"""What is known of a query's terms combined to what is known of the whole query."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sigseek.search.query import And, Leaf, Not, Or, Query, unweighted

Doubles = npt.NDArray[np.float64]
_Levels = TypeVar("_Levels", npt.NDArray[np.int8], npt.NDArray[np.float64])


def combine(query: Query, terms: Mapping[Leaf, Doubles]) -> Doubles:
    """The query's probability (n,) of those of its terms, 0 to 1: AND their product, OR and NOT by
    complements.

    The terms are taken as independent. A part's weight is an exponent: docs/queries.md.
    """
    return combine_bounds(query, terms, terms)[0]


def combine_bounds(
    query: Query, low: Mapping[Leaf, Doubles], high: Mapping[Leaf, Doubles]
) -> tuple[Doubles, Doubles]:
    """The least and the most that the query's probability can be, of those that its terms' can
    be.
    """
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
            least, most = (
                1 - _product([1 - value for value in values], weights)
                for values in zip(*bounds, strict=True)
            )
            return least, most
        case _:
            return low[unweighted(query)], high[unweighted(query)]


def combine_levels(query: Query, terms: Mapping[Leaf, _Levels], most: int) -> _Levels:
    """The query's levels (n,), 0 to `most`, of those of its terms: the least with AND, the greatest
    with OR, the rest with NOT.

    So the weakest term decides on a photo that must show all of them.
    """
    match query:
        case Not(part=part):
            return most - combine_levels(part, terms, most)
        case And(parts=parts):
            return reduce(np.minimum, [combine_levels(part, terms, most) for part in parts])
        case Or(parts=parts):
            return reduce(np.maximum, [combine_levels(part, terms, most) for part in parts])
        case _:
            return terms[unweighted(query)]


def _product(factors: Sequence[Doubles], weights: Sequence[float]) -> Doubles:
    return reduce(
        np.multiply, [factor**weight for factor, weight in zip(factors, weights, strict=True)]
    )
