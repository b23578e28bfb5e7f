"""Which photos to score: candidates from the vector index, their exact cosines from the catalog."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.search.algebra import combine, combine_bounds
from sigseek.search.query import Leaf, Query
from sigseek.search.terms import Doubles, Model
from sigseek.storage import Catalog, CheckpointRecord
from sigseek.storage.index.faiss import VectorIndex

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]
Vectors = Mapping[Leaf, Floats]
"""The unit-norm embedding (dim,) of each text and photo term."""
Tagged = Mapping[Leaf, Ids]
"""The ids, ascending, of the photos with each tag."""
Cosines = dict[Leaf, Floats]
"""The cosine (n,) of each term to photos; for a tag 1 or 0."""

_CANDIDATES = 1000
_CANDIDATES_PER_HIT = 20
_EXACT_SHARE = 0.1
_MOST_EXACT = 50_000
"""Photos of a combined query that are scored exactly: so many take under a second to read."""
_ERROR_SPREADS = 5
"""How far the error of an estimated cosine is reckoned with, in its spreads."""
_ALL_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


class Retriever:
    """Finds photos of one library by one checkpoint's embeddings."""

    def __init__(self, catalog: Catalog, checkpoint: CheckpointRecord, directory: Path) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._index = VectorIndex.open(catalog, checkpoint, directory)
        self._gone = max(0, len(self._index) - checkpoint.embeddings)
        """At most so many that the index still holds have left the catalog; they might be the
        nearest.
        """

    def nearest(self, query: Floats, limit: int, among: Ids | None = None) -> tuple[Ids, Floats]:
        """Ids, ascending, and exact cosines float32 (n,) of candidates that surely hold the `limit`
        photos nearest to the query.

        An id may have left the catalog. More than `limit` of them, where there are; only of
        `among`, whose ids come each once.
        """
        count = self._candidates(limit)
        if self._index.is_exact and among is None:
            ids, cosines = self._index.scan(query)
        else:
            total = len(self._index) if among is None else len(among)
            if count < total and limit < _EXACT_SHARE * total:
                among = self._index.candidates(query, count, among)
            ids, (cosines,) = self.exact([query], among)
        best = np.sort(_highest(cosines, count))
        return ids[best], cosines[best]

    def best(
        self,
        query: Query,
        vectors: Vectors,
        tagged: Tagged,
        models: Mapping[Leaf, Model],
        limit: int,
    ) -> tuple[Ids, Cosines]:
        """The same for the photos of which a query of several terms is most probable.

        None is lost to a limit on candidates: all photos are looked at. Where their cosines are
        estimates, those are scored exactly whose estimates, errors considered, could bring them
        among the best, up to 50,000.
        """
        ids, estimates = self._everything(vectors, tagged)
        if not len(ids):
            return ids, estimates
        count = min(self._candidates(limit), len(ids))
        probable = combine(query, probabilities_of(models, estimates))
        chosen = _highest(probable, count)
        exact_ids, exact = self._exactly(vectors, tagged, ids[chosen])
        if self._index.is_exact or count == len(ids):
            return exact_ids, exact
        errors = _errors(
            exact,
            {term: values[np.searchsorted(ids, exact_ids)] for term, values in estimates.items()},
        )
        sure = np.sort(combine(query, probabilities_of(models, exact)))[-min(limit, len(exact_ids))]
        low = probabilities_of(
            models, {term: values - errors[term] for term, values in estimates.items()}
        )
        high = probabilities_of(
            models, {term: values + errors[term] for term, values in estimates.items()}
        )
        possible = combine_bounds(query, low, high)[1]
        wanted = np.union1d(
            chosen, _highest(possible, min(int((possible >= sure).sum()), _MOST_EXACT))
        )
        return self._exactly(vectors, tagged, ids[wanted])

    def sample(self, vectors: Vectors, tagged: Tagged) -> tuple[Ids, Cosines]:
        """Photos that stand for all: ids, ascending, and the exact cosines of each term."""
        found = {term: self._index.sample(vector) for term, vector in vectors.items()}
        ids = (
            next(iter(found.values()))[0]
            if found
            else self._catalog.embedded_ids(self._checkpoint.id)
        )
        return ids, {term: cosines for term, (_, cosines) in found.items()} | _tags(tagged, ids)

    def exact(self, queries: Sequence[Floats], wanted: Ids | None) -> tuple[Ids, list[Floats]]:
        """Ids, ascending, of those wanted (None: all) that the catalog holds, and each query's
        exact cosines float32 (n,).
        """
        chunks = self._catalog.embedding_chunks(self._checkpoint.id, wanted)
        # Not as a matrix product: there the last bit depends on the row's place, and equal photos
        # would not score equally; and it would use threads that wait for each other where another
        # program has a core.
        scored = [
            (ids, [np.einsum("nd,d->n", floats, query) for query in queries])
            for ids, vectors in chunks
            for floats in [_floats(vectors)]
        ]
        ids = np.concatenate([chunk for chunk, _ in scored])
        order = np.argsort(ids)
        return ids[order], [
            np.concatenate([cosines[place] for _, cosines in scored])[order]
            for place in range(len(queries))
        ]

    def _candidates(self, limit: int) -> int:
        """How many candidates to take, so that `limit` hits are surely among them."""
        return max(_CANDIDATES, _CANDIDATES_PER_HIT * limit) + self._gone

    def _everything(self, vectors: Vectors, tagged: Tagged) -> tuple[Ids, Cosines]:
        """All photos: ids, ascending, and each term's cosines, estimates unless the index is
        exact.
        """
        found = {term: self._index.scan(vector) for term, vector in vectors.items()}
        ids = (
            next(iter(found.values()))[0]
            if found
            else self._catalog.embedded_ids(self._checkpoint.id)
        )
        return ids, {term: cosines for term, (_, cosines) in found.items()} | _tags(tagged, ids)

    def _exactly(self, vectors: Vectors, tagged: Tagged, wanted: Ids) -> tuple[Ids, Cosines]:
        ids, cosines = self.exact(list(vectors.values()), np.sort(wanted))
        return ids, dict(zip(vectors, cosines, strict=True)) | _tags(tagged, ids)


def _tags(tagged: Tagged, ids: Ids) -> Cosines:
    """For each tag, 1 for the ids that have it and 0 for the others."""
    return {
        tag: np.isin(ids, having, assume_unique=True).astype(np.float32)
        for tag, having in tagged.items()
    }


def probabilities_of(models: Mapping[Leaf, Model], cosines: Cosines) -> dict[Leaf, Doubles]:
    """The probability (n,) of each term, of its cosines."""
    return {term: models[term](values) for term, values in cosines.items()}


def _highest(values: Doubles | Floats, count: int) -> npt.NDArray[np.int64]:
    """Places of the `count` highest values; of equal ones those of the lowest ids."""
    return np.argsort(-values, kind="stable")[:count]


def _errors(exact: Cosines, estimates: Cosines) -> dict[Leaf, float]:
    """By term, how far estimates may be off; nothing for tags."""
    return {
        term: _ERROR_SPREADS * float(np.sqrt(np.mean((exact[term] - estimates[term]) ** 2)))
        for term in exact
    }


def _floats(vectors: npt.NDArray[np.float16]) -> Floats:
    """The same numbers as float32; half the time of `astype`, which converts one by one."""
    return np.take(_ALL_HALVES, vectors.view(np.uint16), mode="clip")
