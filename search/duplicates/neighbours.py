"""The nearest photos of each photo by embedding, for all photos of a library together."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.storage import CatalogReader
from sigseek.storage.records.arrays import Floats, Ids

_NEIGHBOURS = 8
_SAMPLE = 10_000
"""Photos by which the embeddings of all are described."""
_FEW = 20_000
"""Up to this many photos, all are compared with all."""
_DIMENSIONS = 128
"""How many dimensions of the embeddings are kept where there are many photos."""
_LISTS = 4
"""Lists of the index, in square roots of the number of photos."""
_PROBED = 12
_BLOCK = 1_000
_ROUNDING = 0.01
"""What 16 bits may add to a squared distance."""
_PAIRS = 2_000
"""Pairs whose embeddings are read together."""


@dataclass(frozen=True)
class NearPairs:
    """Pairs of photos whose embeddings are near, each once, the lower id first."""

    one: Ids
    other: Ids
    cosines: Floats
    usual: float
    """The mean cosine of two photos of the library."""


def alike_pairs(
    catalog: CatalogReader,
    checkpoint_id: int,
    ids: Ids,
    share: float,
    stop: Stop,
    advanced: Callable[[int], None],
) -> NearPairs:
    """Return pairs of these photos, whose ids are ascending, that are much nearer than usual.

    `share` says how much: 0 is the mean cosine of two photos, and 1 is that of equal ones. Each
    photo is paired with a few of its nearest. `advanced` is told how many photos are done.
    """
    space = _Space(catalog, checkpoint_id, ids)
    found, vectors = space.read(ids, stop)
    least = space.usual + share * (1 - space.usual)
    if len(found) < 2:
        nothing = np.empty(0, np.int64)
        return NearPairs(nothing, nothing, nothing.astype(np.float32), space.usual)
    pairs = _nearest(vectors, 2 - 2 * least + _ROUNDING, stop, advanced)
    one, other = found[pairs.min(axis=1)], found[pairs.max(axis=1)]
    cosines = exact_cosines(catalog, checkpoint_id, one, other, stop)
    kept = cosines >= least
    return NearPairs(one[kept], other[kept], cosines[kept], space.usual)


def exact_cosines(
    catalog: CatalogReader, checkpoint_id: int, one: Ids, other: Ids, stop: Stop
) -> Floats:
    """Return the cosine (n,) of each pair of photos; NaN where one of them has no embedding."""
    cosines = np.full(len(one), np.nan, np.float32)
    for first in range(0, len(one), _PAIRS):
        stop.check()
        some = slice(first, first + _PAIRS)
        wanted = np.union1d(one[some], other[some])
        ids, vectors = catalog.embeddings(checkpoint_id, wanted)
        if not len(ids):
            continue
        left, right = (
            np.minimum(np.searchsorted(ids, side[some]), len(ids) - 1) for side in (one, other)
        )
        known = (ids[left] == one[some]) & (ids[right] == other[some])
        floats = vectors.astype(np.float32)
        values = np.einsum("nd,nd->n", floats[left], floats[right])
        cosines[some] = np.where(known, values, np.nan)
    return cosines


class _Space:
    """A space to compare all embeddings in. For many photos it has fewer dimensions."""

    def __init__(self, catalog: CatalogReader, checkpoint_id: int, ids: Ids) -> None:
        self._catalog = catalog
        self._checkpoint_id = checkpoint_id
        sample = ids[:: max(1, len(ids) // _SAMPLE)]
        _, vectors = catalog.embeddings(checkpoint_id, sample)
        floats = vectors.astype(np.float32)
        self._mean = floats.mean(axis=0) if len(floats) else np.zeros(vectors.shape[1], np.float32)
        self.usual = float(self._mean @ self._mean) if len(floats) > 1 else 0.0
        self._axes: Floats | None = None
        if len(ids) > _FEW and vectors.shape[1] > _DIMENSIONS:
            spread = floats - self._mean
            self._axes = np.linalg.eigh(spread.T @ spread)[1][:, -_DIMENSIONS:].astype(np.float32)

    def read(self, ids: Ids, stop: Stop) -> tuple[Ids, Floats]:
        """Return the ids, ascending, of those that have embeddings, and their vectors."""
        parts: list[tuple[Ids, npt.NDArray[np.float16]]] = []
        for found, vectors in self._catalog.embedding_chunks(self._checkpoint_id, ids):
            stop.check()
            if self._axes is not None:
                spread = (vectors.astype(np.float32) - self._mean) @ self._axes
                vectors = spread.astype(np.float16)
            parts.append((found, vectors))
        found, vectors = (np.concatenate(side) for side in zip(*parts, strict=True))
        order = np.argsort(found)
        return found[order], vectors[order].astype(np.float32)


def _nearest(vectors: Floats, farthest: float, stop: Stop, advanced: Callable[[int], None]) -> Ids:
    """Return the pairs (n, 2) of rows of which one is among the nearest of the other, each once.

    Their squared distance is `farthest` at most. In fewer dimensions two embeddings are never
    farther from each other than in all.
    """
    import faiss

    count, dimension = vectors.shape
    lists = int(_LISTS * count**0.5)
    kind = f"IVF{lists},Flat" if count > _FEW else "Flat"
    index = faiss.index_factory(dimension, kind, faiss.METRIC_L2)
    if count > _FEW:
        faiss.extract_index_ivf(index).nprobe = _PROBED
        index.train(vectors[:: max(1, count // (40 * lists))])
    for first in range(0, count, _BLOCK):
        stop.check()
        index.add(vectors[first : first + _BLOCK])
    pairs = []
    for first in range(0, count, _BLOCK):
        stop.check()
        asked = np.arange(first, min(first + _BLOCK, count))
        far, near = index.search(vectors[asked], min(_NEIGHBOURS + 1, count))
        one = np.repeat(asked, near.shape[1])
        other = near.ravel()
        real = (other >= 0) & (other != one) & (far.ravel() <= farthest)
        pairs.append(np.stack([one[real], other[real]], axis=1))
        advanced(int(asked[-1]) + 1)
    both = np.sort(np.concatenate(pairs), axis=1)
    return np.stack(np.divmod(np.unique(both[:, 0] * count + both[:, 1]), count), axis=1)
