"""The searcher of one library and one checkpoint: retrieve, then rerank exactly."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from search.errors import QueryError
from search.results import Hit, SimilarHit
from siglip import Scoring
from siglip.scoring import sigmoid
from storage import Catalog, CheckpointRecord, PhotoRecord
from storage.vector_index import VectorIndex

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

_CANDIDATES = 1000
_CANDIDATES_PER_HIT = 20
_EXACT_SHARE = 0.1
_ALL_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)


class Searcher:
    """Answers queries, given as embeddings, from the catalog and the vector index in `directory`."""

    def __init__(self, catalog: Catalog, checkpoint: CheckpointRecord, directory: Path) -> None:
        self._catalog = catalog
        self.checkpoint = checkpoint
        self._scoring = Scoring(checkpoint.logit_scale, checkpoint.logit_bias)
        self._index = VectorIndex.open(catalog, checkpoint, directory)

    def by_text(
        self,
        text: str,
        query: Floats,
        limit: int,
        *,
        min_score: float = 0.0,
        explain: bool = False,
        among: Ids | None = None,
    ) -> list[Hit]:
        """The `limit` photos that the text's unit-norm embedding (dim,) matches best, best first; only of ids in `among`.

        Raises QueryError for a limit below 1 or a score outside 0 to 1.
        """
        if not 0 <= min_score <= 1:
            raise QueryError(f"a score of {min_score:g} is outside 0 to 1; give the least probability a hit may have")
        hits = []
        for rank, (photo, cosine) in enumerate(self._nearest(query, limit, None, among), 1):
            logit = self._scoring.logits(np.array(cosine, np.float32))
            score = float(sigmoid(logit))
            if score < min_score:
                break
            terms = {text: score} if explain else None
            hits.append(Hit(rank=rank, score=score, logit=float(logit), cosine=cosine, terms=terms, **_photo_fields(photo)))
        return hits

    def by_photo(self, query: Floats, limit: int, *, leave_out: int | None = None, among: Ids | None = None) -> list[SimilarHit]:
        """The `limit` photos nearest to a photo's unit-norm embedding (dim,), nearest first, without photo `leave_out`.

        `among` are the ids of those to search, each once; None for all.
        """
        found = self._nearest(query, limit, leave_out, among)
        return [SimilarHit(rank=rank, cosine=cosine, **_photo_fields(photo)) for rank, (photo, cosine) in enumerate(found, 1)]

    def ranked(self, query: Floats, limit: int, among: Ids | None = None) -> tuple[Ids, Floats]:
        """Ids int64 and exact cosines float32 of the photos nearest to the query, nearest first, equal ones by id.

        More than `limit` of them, where there are: some may be left out, or have no file any more.
        """
        if limit < 1:
            raise QueryError(f"a limit of {limit} shows nothing; give 1 or more")
        ids, exact = self._scored(query, self._to_score(query, limit, among))
        order = np.argsort(-exact, kind="stable")  # ids ascend, so equal cosines stay in their order
        return ids[order], exact[order]

    def _nearest(self, query: Floats, limit: int, leave_out: int | None, among: Ids | None) -> list[tuple[PhotoRecord, float]]:
        """Photos with their exact cosines, best first, equal ones by id."""
        ids, exact = self.ranked(query, limit, among)
        found: list[tuple[PhotoRecord, float]] = []
        for start in range(0, len(ids), limit + 1):
            chosen = ids[start : start + limit + 1].tolist()
            photos = self._catalog.photos(chosen)
            found += [
                (photos[id_], float(cosine))
                for id_, cosine in zip(chosen, exact[start : start + limit + 1], strict=True)
                if id_ in photos and id_ != leave_out
            ]
            if len(found) >= limit:
                break
        return found[:limit]

    def _to_score(self, query: Floats, limit: int, among: Ids | None) -> Ids | None:
        """The ids to score exactly: candidates, or where these would be many of them all of `among`; None for the library."""
        count = max(_CANDIDATES, _CANDIDATES_PER_HIT * limit)
        total = len(self._index) if among is None else len(among)
        if count >= total or limit >= _EXACT_SHARE * total:
            return among
        return self._index.candidates(query, count, among)

    def _scored(self, query: Floats, wanted: Ids | None) -> tuple[Ids, Floats]:
        """Ids, ascending, of those wanted that the catalog holds, and their exact cosines float32 (n,)."""
        chunks = self._catalog.embedding_chunks(self.checkpoint.id, wanted)
        # Not as a matrix product: there the last bit depends on the row's place, and equal photos would not score equally;
        # and it would use threads that wait for each other where another program has a core.
        scored = [(ids, np.einsum("nd,d->n", _floats(vectors), query)) for ids, vectors in chunks]
        ids = np.concatenate([chunk for chunk, _ in scored])
        order = np.argsort(ids)
        return ids[order], np.concatenate([chunk for _, chunk in scored])[order]


def _floats(vectors: npt.NDArray[np.float16]) -> Floats:
    """The same numbers as float32; half the time of `astype`, which converts one by one."""
    return np.take(_ALL_HALVES, vectors.view(np.uint16), mode="clip")


def _photo_fields(photo: PhotoRecord) -> dict[str, Any]:
    """The photo's part of a hit, `path` being its first file that is there now."""
    there = [path for path in photo.paths if os.path.exists(path)]
    path = there[0] if there else photo.paths[0]
    return {
        "path": path,
        "width": photo.width,
        "height": photo.height,
        "taken_at": photo.taken_at,
        "camera": photo.camera,
        "latitude": photo.latitude,
        "longitude": photo.longitude,
        "copies": tuple(other for other in photo.paths if other != path),
        "available": bool(there),
    }
