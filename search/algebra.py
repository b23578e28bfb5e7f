"""Combines the probabilities and bounds of a query's terms into the whole query's."""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt

from sigseek.search.query import And, Leaf, Not, Or, Query, unweighted

Doubles = npt.NDArray[np.float64]

_LEAST_GAIN = 0.05
"""A term that costs a photo less than this is not worth naming."""
_SUPPOSED = 512
"""Terms whose values are supposed in one pass. Each takes 16 bytes for every term of the query."""


def combine(query: Query, terms: Mapping[Leaf, Doubles]) -> Doubles:
    """Return the query's probability (n,), 0 to 1, from its terms' probabilities: AND multiplies
    them, OR and NOT work by complements.

    The terms are assumed independent. A part's weight is an exponent (docs/queries.md).
    """
    return combine_bounds(query, terms, terms)[0]


def combine_bounds(
    query: Query, low: Mapping[Leaf, Doubles], high: Mapping[Leaf, Doubles]
) -> tuple[Doubles, Doubles]:
    """Return the least and greatest possible probability of the query from those of its terms."""
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


def held_back_by(query: Query, terms: Mapping[Leaf, float]) -> Leaf | None:
    """Return the term that holds the query's probability back most: if the term were certain, or
    certainly not true, the probability would rise more than by any other. `terms` has the terms'
    probabilities. None for a query of one term or of alternatives, and if the probability can
    hardly rise.
    """
    if len(terms) < 2 or isinstance(query, Or):
        return None
    now = combine(query, {term: np.array([probable]) for term, probable in terms.items()})
    # Many suppositions are combined at once, two for each term: every pass goes through all terms.
    gains = np.concatenate(
        [
            combine(query, _supposed(terms, start)).max(axis=1) - now
            for start in range(0, len(terms), _SUPPOSED)
        ]
    )
    most = int(gains.argmax())
    return list(terms)[most] if gains[most] >= _LEAST_GAIN else None


def _supposed(terms: Mapping[Leaf, float], start: int) -> dict[Leaf, Doubles]:
    """Return the terms' probabilities (n, 2), where each of n terms from `start` on is certainly
    not true, and certainly true.
    """
    count = min(_SUPPOSED, len(terms) - start)
    supposed = {term: np.full((count, 2), probable) for term, probable in terms.items()}
    for row, term in enumerate(list(terms)[start : start + count]):
        supposed[term][row] = 0.0, 1.0
    return supposed


def _product(factors: Sequence[Doubles], weights: Sequence[float]) -> Doubles:
    return reduce(
        np.multiply, [factor**weight for factor, weight in zip(factors, weights, strict=True)]
    )
