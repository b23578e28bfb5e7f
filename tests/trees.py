"""Random queries for hypothesis."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from sigseek.search.query import And, Leaf, Or, Query, joined, negated

WEIGHTS = st.sampled_from([1.0, 1.0, 1.0, 0.5, 2.0, 3.7])


def trees(leaves: Sequence[Leaf]) -> st.SearchStrategy[Query]:
    """Return a strategy for queries of these leaves, as `sigseek.search.parse` makes them."""

    def wider(parts: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
        several = st.lists(parts, min_size=2, max_size=4)
        return st.one_of(
            parts.map(negated),
            st.builds(joined, st.just(And), several),
            st.builds(joined, st.just(Or), several),
            weighted(parts),
        )

    return st.recursive(weighted(st.sampled_from(leaves)), wider, max_leaves=6)


def weighted(parts: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    return st.builds(lambda part, weight: replace(part, weight=weight), parts, WEIGHTS)
