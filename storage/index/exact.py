"""A vector index in plain numpy: exact, slow, kept in memory alone. The reference that other
indexes are held to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from sigseek.storage.index.contract import Embeddings, Estimates, IndexCheck, Neighbours

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


class ExactIndex:
    """All embeddings in memory, compared one by one."""

    def __init__(self, ids: Ids, vectors: npt.NDArray[np.float16] | Floats) -> None:
        """Take ids (n,), ascending, and unit-norm embeddings (n, dim)."""
        self._ids = ids
        self._vectors = vectors.astype(np.float32, copy=False)

    def __len__(self) -> int:
        """Return how many photos are searched."""
        return len(self._ids)

    def held(self, ids: Ids) -> Ids:
        """See `VectorIndex.held`."""
        return np.intersect1d(self._ids, ids, assume_unique=True)

    def nearest(self, query: Floats, count: int, within: Ids | None = None) -> Neighbours:
        """See `VectorIndex.nearest`."""
        found = self.estimates([query], within)
        best = np.sort(np.argsort(-found.cosines[0], kind="stable")[: max(count, 0)])
        return Neighbours(found.ids[best], found.cosines[0][best], exact=True)

    def sample(
        self, queries: Sequence[Floats], within: Ids | None = None
    ) -> tuple[Ids, list[Floats]]:
        """Return all photos; see `VectorIndex.sample`."""
        found = self.estimates(queries, within)
        return found.ids, list(found.cosines)

    def kept(self, ids: Ids) -> Iterator[tuple[Ids, npt.NDArray[np.float16]]]:
        """Yield nothing; see `VectorIndex.kept`."""
        yield from ()

    def estimates(self, queries: Sequence[Floats], within: Ids | None = None) -> Estimates:
        """Return exact cosines; see `EstimatingIndex.estimates`."""
        rows = slice(None) if within is None else np.isin(self._ids, within, assume_unique=True)
        # Summed row by row: in a matrix product the last bit depends on a row's place.
        cosines = tuple(np.vecdot(self._vectors[rows], query) for query in queries)
        return Estimates(self._ids[rows], cosines, exact=True)


class ExactStore:
    """Keeps nothing: each opening reads all embeddings."""

    def open(self, embeddings: Embeddings) -> ExactIndex:
        """Read all embeddings."""
        chunks = list(embeddings.chunks())
        ids = np.concatenate([np.zeros(0, np.int64), *(ids for ids, _ in chunks)])
        empty = np.zeros((0, embeddings.dimension), np.float16)
        vectors = np.concatenate([empty, *(vectors for _, vectors in chunks)])
        order = np.argsort(ids)
        return ExactIndex(ids[order], vectors[order])

    def is_current(self, embeddings: Embeddings) -> bool:
        """Return True: there is nothing to make."""
        return True

    def catch_up(self, embeddings: Embeddings) -> None:
        """Do nothing."""

    def remove(self, token: str) -> None:
        """Do nothing."""

    def tidy(self, generations: Mapping[str, int]) -> None:
        """Do nothing."""

    def bytes(self) -> int:
        """Return 0."""
        return 0

    def check(self, embeddings: Embeddings) -> IndexCheck:
        """Return that nothing is wrong."""
        return IndexCheck((), ())
