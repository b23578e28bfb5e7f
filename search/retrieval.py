"""Which photos to score: candidates from the vector index, their exact cosines from the catalog."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.search.algebra import combine, combine_bounds
from sigseek.search.query import Leaf, Query
from sigseek.search.terms import Doubles, TermModel
from sigseek.storage import CatalogReader, CheckpointRecord
from sigseek.storage.index.contract import FEWEST_SAMPLED, EstimatingIndex, VectorIndex

Floats = npt.NDArray[np.float32]
Float16s = npt.NDArray[np.float16]
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
_SPARE = 1.2
"""How many times as many of the nearest photos are taken as must be, if the photos of a selection
are spread among all.
"""
_MOST_WIDE = 50_000
"""The most of the nearest photos that are taken to find those of a selection among them. Two scans
take less time than one that gives more.
"""
_MOST_EXACT = 50_000
"""The most photos of a combined query that are scored exactly. Reading them takes under a second.
"""
NEAREST_TO_TERM = 10_000
"""The photos nearest to each term among which a query of several terms looks, if the index cannot
tell about all photos and they are too many to compare.
"""
_ERROR_SPREADS = 5
"""The allowed error of an estimated cosine, in standard deviations."""
_ROUNDING = 1e-5
"""How much rounding may change a cosine that is not estimated."""
_SCALE = np.float32(2.0**112)
_SIGN_AND_MAGNITUDE = np.int32(~0x70000000)
"""All bits of a float32 but those between the sign and the exponent of a float16."""


class Candidates(NamedTuple):
    """Photos that include the nearest ones."""

    ids: Ids
    """Ascending."""
    cosines: Floats
    """Their exact cosines (n,)."""
    ceiling: float
    """The highest cosine that any other photo may have, allowing five times an estimate's error."""


class Retriever:
    """Finds photos of one library by one checkpoint's embeddings.

    `within` limits a method to some photos of the index: ids, ascending, each once. None means all.
    A method raises StoppedError soon after `stop` is set.
    """

    def __init__(
        self,
        catalog: CatalogReader,
        checkpoint: CheckpointRecord,
        index: VectorIndex,
        stop: Stop | None = None,
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._index = index
        self._stop = stop or Stop()

    def until(self, stop: Stop) -> "Retriever":
        """Return a retriever of the same photos that this token stops."""
        return Retriever(self._catalog, self._checkpoint, self._index, stop)

    def held(self, ids: Ids) -> Ids:
        """Return the ids, ascending, that the index holds."""
        return self._index.held(ids)

    def nearest(self, query: Floats, limit: int, within: Ids | None = None) -> Candidates:
        """Return candidates that certainly include the `limit` photos nearest to the query. There
        are more than `limit` if the index has more.
        """
        self._stop.check()
        count = candidates(limit)
        found = self._index.nearest(query, count, within)
        if found.exact:
            return Candidates(found.ids, found.cosines, _lowest(found.cosines))
        ids, (cosines,) = self.exact([query], found.ids)
        error = _error(cosines, found.cosines[np.searchsorted(found.ids, ids)])
        return Candidates(ids, cosines, _lowest(found.cosines) + error)

    def nearest_and_few(
        self, query: Floats, limit: int, within: Ids, few: int
    ) -> tuple[Candidates, tuple[Ids, Floats]]:
        """Return what `nearest` finds within a selection, and what `nearest_few` finds in the
        library.

        Both need a scan of the index. If the selection is a large part of the library, one scan
        finds both: among enough of the nearest photos there are enough of the selection.
        """
        count, total = candidates(limit), len(self._index)
        wide = math.ceil(_SPARE * count * total / max(len(within), 1))
        large = wide <= _MOST_WIDE and wide < total and limit < _EXACT_SHARE * len(within)
        if large and not (found := self._index.nearest(query, wide)).exact:
            inside = np.flatnonzero(_are_among(found.ids, within))
            if len(inside) >= count:
                best = inside[highest(found.cosines[inside], count)]
                first = highest(found.cosines, few)
                ids, (cosines,) = self.exact([query], found.ids[np.union1d(best, first)])
                error = _error(cosines, found.cosines[np.searchsorted(found.ids, ids)])
                of_best, of_first = (np.isin(ids, found.ids[rows]) for rows in (best, first))
                ceiling = _lowest(found.cosines[best]) + error
                return (
                    Candidates(ids[of_best], cosines[of_best], ceiling),
                    (ids[of_first], cosines[of_first]),
                )
        return self.nearest(query, limit, within), self.nearest_few(query, few)

    def nearest_few(self, query: Floats, count: int) -> tuple[Ids, Floats]:
        """Return the ids, ascending, and exact cosines float32 (n,) of about the `count` nearest
        photos of the library, as far as the index can tell.
        """
        found = self._index.nearest(query, count)
        if found.exact:
            return found.ids, found.cosines
        ids, (cosines,) = self.exact([query], found.ids)
        return ids, cosines

    def best(
        self,
        query: Query,
        vectors: Vectors,
        tagged: Tagged,
        models: Mapping[Leaf, TermModel],
        limit: int,
        within: Ids | None = None,
    ) -> tuple[Ids, Cosines, float]:
        """Return the ids, ascending, of the most probable photos of a query with several terms, the
        exact cosines of each term, and the highest probability that any other photo may have. There
        are more than `limit` if the index has more.

        All photos are examined, so no limit on candidates loses any; `examines_all` tells of the
        exception. If their cosines are estimates, every photo that could still be among the best,
        allowing five times the estimate's error, is then scored exactly, up to 50,000.
        """
        self._stop.check()
        ids, estimates, is_exact = self._cosines_of_all(vectors, tagged, within)
        if not len(ids):
            return ids, estimates, 0.0
        count = min(candidates(limit), len(ids))
        probable = combine(query, probabilities_of(models, estimates))
        chosen = np.sort(highest(probable, count))
        if is_exact:
            exact = {term: values[chosen] for term, values in estimates.items()}
            most = float(probable[chosen].min()) if self.examines_all(within) else 1.0
            return ids[chosen], exact, most
        exact_ids, exact = self._exact_cosines(vectors, tagged, ids[chosen])
        if count == len(ids):
            return exact_ids, exact, 0.0
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
            chosen, highest(possible, min(int((possible >= sure).sum()), _MOST_EXACT))
        )
        most = float(np.delete(possible, wanted).max(initial=0))
        return *self._exact_cosines(vectors, tagged, ids[wanted]), most

    def sample(
        self, vectors: Vectors, tagged: Tagged, within: Ids | None = None
    ) -> tuple[Ids, Cosines]:
        """Return a sample that represents all photos: ids, ascending, and each term's exact
        cosines.
        """
        self._stop.check()
        ids, cosines = self._index.sample(list(vectors.values()), within)
        return ids, dict(zip(vectors, cosines, strict=True)) | tag_cosines(tagged, ids)

    def sample_within(
        self, sample: tuple[Ids, Cosines], vectors: Vectors, tagged: Tagged, within: Ids
    ) -> tuple[Ids, Cosines]:
        """Return a sample that represents the photos of a selection. It is taken from the sample of
        all photos if that has enough of them.
        """
        ids, cosines = sample
        inside = _are_among(ids, within) if len(within) else np.zeros(len(ids), np.bool_)
        if len(ids) < len(self._index) and int(inside.sum()) < FEWEST_SAMPLED:
            return self.sample(vectors, tagged, within)
        return ids[inside], {term: values[inside] for term, values in cosines.items()}

    def exact(self, queries: Sequence[Floats], wanted: Ids | None) -> tuple[Ids, list[Floats]]:
        """Return the wanted ids (None: all), ascending, that the library holds, and each query's
        exact cosines float32 (n,). The wanted ids ascend.
        """
        # Not as a matrix product: there the last bit depends on the row's place, and equal photos
        # would not score equally; and it would use threads that wait for each other where another
        # program has a core.
        scaled = [query * _SCALE for query in queries]
        scored: list[tuple[Ids, list[Floats]]] = []
        for chunk_ids, vectors in self._embeddings(wanted):
            self._stop.check()
            floats = _scaled_down(vectors)
            scored.append((chunk_ids, [np.vecdot(floats, query) for query in scaled]))
        ids = np.concatenate([chunk for chunk, _ in scored])
        order = np.argsort(ids)
        return ids[order], [
            np.concatenate([cosines[place] for _, cosines in scored])[order]
            for place in range(len(queries))
        ]

    def _embeddings(self, wanted: Ids | None) -> Iterator[tuple[Ids, Float16s]]:
        """Yield the embeddings of the wanted ids, ascending, or of all (None), at least one chunk:
        from the index what it has, and from the catalog what is left.
        """
        if wanted is not None:
            found = [np.zeros(0, np.int64)]
            for ids, vectors in self._index.kept(wanted):
                found.append(ids)
                yield ids, vectors
            count = sum(map(len, found))
            if count and count == len(wanted):
                return
            wanted = np.setdiff1d(wanted, np.concatenate(found), assume_unique=True)
        yield from self._catalog.embedding_chunks(
            self._checkpoint.id, wanted, dimension=self._checkpoint.dimension
        )

    def _cosines_of_all(
        self, vectors: Vectors, tagged: Tagged, within: Ids | None
    ) -> tuple[Ids, Cosines, bool]:
        """Return all photos' ids, ascending, each term's cosines, and whether the cosines are
        exact.
        """
        few = within is not None and len(within) <= _CANDIDATES
        if few or not isinstance(self._index, EstimatingIndex):
            wanted = within if self.examines_all(within) else self._near(vectors, tagged, within)
            return *self._exact_cosines(vectors, tagged, wanted), True
        found = self._index.estimates(list(vectors.values()), within)
        cosines = dict(zip(vectors, found.cosines, strict=True)) | tag_cosines(tagged, found.ids)
        return found.ids, cosines, found.exact

    def examines_all(self, within: Ids | None = None) -> bool:
        """Return whether a query of several terms examines all photos.

        An index that cannot tell about all photos cannot tell which of them a NOT leaves. Up to
        50,000 photos are compared one by one then; of more, those nearest to one of the terms.
        """
        total = len(self._index) if within is None else len(within)
        return isinstance(self._index, EstimatingIndex) or total <= _MOST_EXACT

    def _near(self, vectors: Vectors, tagged: Tagged, within: Ids | None) -> Ids:
        """Return the ids, ascending, of the photos nearest to any of the terms, of those with the
        tags, and of a sample, so that a query of nothing but NOT has photos to choose from.
        """
        near = [
            self._index.nearest(vector, NEAREST_TO_TERM, within).ids for vector in vectors.values()
        ]
        sampled, _ = self._index.sample([], within)
        chosen = np.unique(np.concatenate([*near, *tagged.values(), sampled]))
        return chosen if within is None else np.intersect1d(chosen, within, assume_unique=True)

    def _exact_cosines(
        self, vectors: Vectors, tagged: Tagged, wanted: Ids | None
    ) -> tuple[Ids, Cosines]:
        ids, cosines = self.exact(list(vectors.values()), wanted)
        return ids, dict(zip(vectors, cosines, strict=True)) | tag_cosines(tagged, ids)


def candidates(limit: int) -> int:
    """Return how many candidates to take, so that they certainly include `limit` hits."""
    return max(_CANDIDATES, _CANDIDATES_PER_HIT * limit)


def tag_cosines(tagged: Tagged, ids: Ids) -> Cosines:
    """Return, for each tag, 1 for the ids that have it and 0 for the others."""
    return {
        tag: np.isin(ids, having, assume_unique=True).astype(np.float32)
        for tag, having in tagged.items()
    }


def probabilities_of(models: Mapping[Leaf, TermModel], cosines: Cosines) -> dict[Leaf, Doubles]:
    """Return the probability (n,) of each term from its cosines."""
    return {term: models[term](values) for term, values in cosines.items()}


def highest(values: Doubles | Floats, count: int) -> npt.NDArray[np.int64]:
    """Return the positions of the `count` highest values, highest first. Among equal values, lower
    positions win.
    """
    if 0 < count < len(values):  # sorting a million values takes ten times as long as finding one
        least = np.partition(values, -count)[-count]
        above = np.flatnonzero(values > least)
        equal = np.flatnonzero(values == least)[: count - len(above)]
        chosen = np.sort(np.concatenate([above, equal]))
    else:
        chosen = np.arange(len(values))
    return chosen[np.argsort(-values[chosen], kind="stable")][:count]


def _are_among(ids: Ids, others: Ids) -> npt.NDArray[np.bool_]:
    """Return for each of the ids whether it is among the others, which ascend. There are some."""
    places = np.minimum(np.searchsorted(others, ids), len(others) - 1)
    found: npt.NDArray[np.bool_] = others[places] == ids
    return found


def _errors(exact: Cosines, estimates: Cosines) -> dict[Leaf, float]:
    """Return, by term, the allowed error of its estimated cosines, which is 0 for tags."""
    return {term: _error(exact[term], estimates[term]) for term in exact}


def _error(exact: Floats, estimates: Floats) -> float:
    """Return the allowed error of estimated cosines, of which some are known exactly. It is that of
    the photos in the index file; later ones have no estimates, but exact cosines.
    """
    errors = exact - estimates
    errors = errors[np.abs(errors) > _ROUNDING]
    return _ERROR_SPREADS * float(np.sqrt(np.mean(errors**2))) if len(errors) else 0.0


def _lowest(cosines: Floats) -> float:
    return float(cosines.min(initial=1))


def _scaled_down(vectors: Float16s) -> Floats:
    """Return the same numbers divided by `_SCALE` as float32, in less than half the time that
    `astype` takes.

    Shifted by 13 bits, the exponent and the fraction of a float16 are those of a float32. Only the
    exponents' bias differs, by 112, so that the number is smaller by 2 to the 112th. As a power of
    two this changes no digit of a product.
    """
    words = vectors.view(np.int16).astype(np.int32)  # which repeats the sign in the upper half
    words <<= 13
    words &= _SIGN_AND_MAGNITUDE
    return words.view(np.float32)
