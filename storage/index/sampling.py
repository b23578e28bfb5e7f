"""Random choices of photos, and the embeddings of those chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Float16s = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

SAMPLED = 5_000
"""The photos in a sample. They are enough to estimate a share of a few percent to within a tenth of
its value, and are scored in a millisecond.
"""


class Sample:
    """The embeddings of photos that stand for others, in memory."""

    def __init__(self, ids: Ids, vectors: Floats) -> None:
        """Take ids (n,), ascending, and unit-norm embeddings (n, dim)."""
        self._ids = ids
        self._vectors = vectors

    def cosines(
        self, queries: Sequence[Floats], within: Ids | None = None
    ) -> tuple[Ids, list[Floats]]:
        """Return the ids, ascending, of all photos or of those of `within`, and each query's
        cosines.

        They are summed in half of the time of those by which photos are ranked, from which the last
        bit may differ. No photo of a sample is told from the others by it.
        """
        rows = slice(None) if within is None else np.isin(self._ids, within, assume_unique=True)
        vectors = self._vectors[rows]
        return self._ids[rows], [np.vecdot(vectors, query) for query in queries]


def collected(chunks: Iterable[tuple[Ids, Float16s]], dimension: int) -> tuple[Ids, Float16s]:
    """Return the ids (n,) and embeddings (n, dim) of all chunks together."""
    found = list(chunks)
    return (
        np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in found)]),
        np.concatenate([np.zeros((0, dimension), np.float16), *(rows for _, rows in found)]),
    )


def draw(values: Ids, count: int) -> Ids:
    """Return a random choice of the values, which ascend, as it does; always the same of the same
    values.

    Importing numpy's random numbers takes 10 ms, so it is left to where something is left out.
    """
    if count >= len(values):
        return values
    return np.sort(np.random.default_rng(0).choice(values, count, replace=False))
