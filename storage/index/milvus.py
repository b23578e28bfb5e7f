"""The vector index in Milvus, a vector database that several machines share.

The server gives candidates by estimated cosines. The catalog remains the truth: it has the photos
that exist, exact cosines, and what came after the generation that the server has reached. So an
answer is complete however far the server lags behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from sigseek.storage.errors import LibraryError
from sigseek.storage.index.contract import FEWEST_SAMPLED, Embeddings, Neighbours
from sigseek.storage.index.exact import ExactIndex
from sigseek.storage.index.milvus_collection import (
    MOST_NEAREST,
    MilvusCollection,
    sorted_rows,
)
from sigseek.storage.index.sampling import SAMPLED, collected, draw

Floats = npt.NDArray[np.float32]
Float16s = npt.NDArray[np.float16]
Ids = npt.NDArray[np.int64]

_MOST_EXACT = 10_000
"""The most photos, of a selection or of the library, that are scored from the catalog instead of
asking the server.
"""
_MOST_ASKED = MOST_NEAREST - 1
"""The most photos that one question to the server gives, beside the row of the generation."""
_SPARE = 1.5
"""How many times as many neighbours are taken as must be, if the photos of a selection are spread
among all.
"""


class MilvusIndex:
    """The embeddings of one checkpoint, as they were when the index was opened.

    Beside the server's rows it keeps the ids of all photos, 8 bytes each, and the embeddings that
    came after the generation that the server has reached.
    """

    def __init__(
        self,
        collection: MilvusCollection,
        embeddings: Embeddings,
        later: tuple[Ids, Float16s],
        rows: int,
    ) -> None:
        """Take `later`, the embeddings that the collection has not yet, or not as they are now:
        ids (n,) and float16 (n, dim); and how many rows it has.
        """
        self._collection = collection
        self._embeddings = embeddings.without_stop()
        self._ids = embeddings.ids()
        order = np.argsort(later[0])
        self._later = ExactIndex(later[0][order], later[1][order])
        self._stored = np.setdiff1d(self._ids, later[0], assume_unique=True)
        self._removed = max(rows - len(self._stored), 0)
        """How many of the server's rows count no longer."""
        self._sample: ExactIndex | None = None
        self._selection: tuple[Ids, ExactIndex] | None = None
        """The last small selection that was asked for, and an index of it."""

    def __len__(self) -> int:
        """Return how many photos are searched."""
        return len(self._ids)

    def held(self, ids: Ids) -> Ids:
        """See `VectorIndex.held`."""
        return np.intersect1d(self._ids, ids, assume_unique=True)

    def nearest(self, query: Floats, count: int, within: Ids | None = None) -> Neighbours:
        """See `VectorIndex.nearest`."""
        inside = self._ids if within is None else self.held(within)
        if len(inside) <= _MOST_EXACT:
            return self._small(inside).nearest(query, count)
        found = self._estimated(query, count, inside)
        if found is None:  # the server cannot give so many
            return self._compared(query, count, inside)
        return Neighbours(*found, exact=False)

    def sample(
        self, queries: Sequence[Floats], within: Ids | None = None
    ) -> tuple[Ids, list[Floats]]:
        """See `VectorIndex.sample`."""
        if self._sample is None:
            self._sample = self._index_of(draw(self._ids, SAMPLED))
        if within is None:
            return self._sample.sample(queries)
        sampled, cosines = self._sample.sample(queries, within)
        if len(sampled) >= FEWEST_SAMPLED or len(self._sample) == len(self):
            return sampled, cosines
        inside = self.held(within)
        if len(inside) <= _MOST_EXACT:
            return self._small(inside).sample(queries)
        return self._index_of(draw(inside, SAMPLED)).sample(queries)

    def kept(self, ids: Ids) -> Iterator[tuple[Ids, Float16s]]:
        """Yield nothing; see `VectorIndex.kept`."""
        yield from ()

    def _estimated(self, query: Floats, count: int, inside: Ids) -> tuple[Ids, Floats] | None:
        """Return the `count` nearest photos of the selection with estimated cosines; None where
        they are not among as many as the server gives at most.
        """
        count = min(count, len(inside))
        whole = len(inside) == len(self)
        share = 1.0 if whole else len(inside) / len(self)
        wanted = count + self._removed if whole else round(_SPARE * count / share) + self._removed
        for limit in dict.fromkeys((min(wanted, _MOST_ASKED), _MOST_ASKED)):
            try:
                ids, cosines = self._collection.nearest(query, limit)
            except LibraryError:
                if self._collection.exists():
                    raise
                return None  # it was removed while this index is open
            kept = np.isin(ids, self._stored, assume_unique=True)
            if not whole:
                kept &= np.isin(ids, inside, assume_unique=True)
            later = self._later.estimates([query], inside)
            found = sorted_rows([(ids[kept], cosines[kept]), (later.ids, later.cosines[0])])
            # Below the last of the server's rows, there are others that it did not give.
            lowest = cosines.min(initial=1) if len(ids) >= limit else -np.inf
            if np.count_nonzero(found[1] >= lowest) >= count:
                return _best(*found, count)
        return None

    def _compared(self, query: Floats, count: int, inside: Ids) -> Neighbours:
        """Return the nearest photos by comparing all of the selection, a chunk at a time."""
        ids, cosines = np.zeros(0, np.int64), np.zeros(0, np.float32)
        for chunk, values in self._cosines(query, inside):
            ids, cosines = np.concatenate([ids, chunk]), np.concatenate([cosines, values])
            if len(ids) > 2 * count + 10_000:
                ids, cosines = _best(ids, cosines, count)
        return Neighbours(*_best(ids, cosines, count), exact=True)

    def _cosines(self, query: Floats, inside: Ids) -> Iterator[tuple[Ids, Floats]]:
        wanted = None if len(inside) == len(self) else inside
        for ids, vectors in self._embeddings.chunks(wanted):
            kept = np.isin(ids, inside, assume_unique=True)
            floats = vectors[kept].astype(np.float32)
            yield ids[kept], np.vecdot(floats, query)

    def _small(self, inside: Ids) -> ExactIndex:
        kept = self._selection
        if kept is None or not np.array_equal(kept[0], inside):
            kept = self._selection = inside, self._index_of(inside)
        return kept[1]

    def _index_of(self, ids: Ids) -> ExactIndex:
        """Return an exact index of some photos, which ascend."""
        found, vectors = collected(self._embeddings.chunks(ids), self._embeddings.dimension)
        order = np.argsort(found)
        return ExactIndex(found[order], vectors[order])


def _best(ids: Ids, cosines: Floats, count: int) -> tuple[Ids, Floats]:
    """Return the ids, ascending, and cosines of the nearest; of equals those of the lowest ids."""
    by_id = np.argsort(ids)
    best = np.sort(np.argsort(-cosines[by_id], kind="stable")[:count])
    return ids[by_id][best], cosines[by_id][best]
