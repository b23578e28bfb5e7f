"""The nearest vectors of each of many: a comparison of all with all, for which no index is kept."""

import math
from collections.abc import Callable

import faiss
import numpy as np

from sigseek.progress import Stop
from sigseek.storage.records.arrays import Floats, Rows

_FEW_FOR_LISTS = 20_000
"""Up to this many vectors, all are compared with all."""
_LISTS = 4
"""Lists of the index, in square roots of the number of vectors."""
_PROBED = 14
"""Lists that are searched for each vector."""
_TRAINED = 20
"""Vectors that the index learns its lists from, for each list. With twice as many, or with more
rounds, as many pairs are found.
"""
_ROUNDS = 4
"""How often the index moves its lists to the middle of their vectors."""
_BLOCK = 10_000
"""Vectors that are added to the index, or searched for, together."""


def most_alike(queries: Floats, others: Floats, count: int) -> tuple[Floats, Rows]:
    """Return the highest cosines (n, count) of each query with others, the highest first, and the
    rows (n, count) of these others. All vectors have unit norm.
    """
    cosines, rows = faiss.knn(queries, others, count, metric=faiss.METRIC_INNER_PRODUCT)
    return cosines, rows


def nearest_pairs(
    vectors: Floats, neighbours: int, farthest: float, stop: Stop, told: Callable[[int], None]
) -> Rows:
    """Return the pairs (n, 2) of rows of which one is among the nearest `neighbours` of the other,
    each once. Their squared distance is `farthest` at most. Among many vectors a few pairs are
    missed. `told` is called with how many vectors are done.
    """
    count, dimension = vectors.shape
    lists = int(_LISTS * count**0.5)
    kind = f"IVF{lists},Flat" if count > _FEW_FOR_LISTS else "Flat"
    index = faiss.index_factory(dimension, kind, faiss.METRIC_L2)
    if count > _FEW_FOR_LISTS:
        of_lists = faiss.extract_index_ivf(index)
        of_lists.nprobe, of_lists.cp.niter = _PROBED, _ROUNDS
        of_lists.cp.min_points_per_centroid = 1  # with fewer, FAISS prints a warning
        index.train(vectors[:: math.ceil(count / (_TRAINED * lists))])
    for first in range(0, count, _BLOCK):
        stop.check()
        index.add(vectors[first : first + _BLOCK])
    order = np.arange(count)
    if count > _FEW_FOR_LISTS:
        # Vectors of one list search nearly the same lists, which the processor's cache then has.
        order = np.concatenate([_listed(of_lists, number) for number in range(lists)])
    pairs = []
    for first in range(0, count, _BLOCK):
        stop.check()
        asked = order[first : first + _BLOCK]
        far, near = index.search(vectors[asked], min(neighbours + 1, count))
        one = np.repeat(asked, near.shape[1])
        other = near.ravel()
        real = (other >= 0) & (other != one) & (far.ravel() <= farthest)
        pairs.append(np.stack([one[real], other[real]], axis=1))
        told(min(first + _BLOCK, count))
    both = np.sort(np.concatenate(pairs), axis=1)
    return np.stack(np.divmod(np.unique(both[:, 0] * count + both[:, 1]), count), axis=1)


def _listed(index: faiss.IndexIVF, number: int) -> Rows:
    """Return the rows (n,) of the vectors in a list of the index."""
    lists = index.invlists
    assert lists is not None
    size = lists.list_size(number)
    if not size:
        return np.empty(0, np.int64)
    rows: Rows = faiss.rev_swig_ptr(lists.get_ids(number), size).copy()
    return rows
