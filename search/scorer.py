"""The probability that a photo belongs to the answer of a query, for the photos that may.

Two questions are answered one after the other. Of each text: does the library show anything of it?
That is the `Judge`'s confidence. Of each photo, given that there is something: does it show it?
That is the text's `TextModel`. The product of both is the photo's probability for the text, and a
query of several terms combines the probabilities of its terms.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.search.algebra import combine
from sigseek.search.biases import Biases
from sigseek.search.calibration import Calibration
from sigseek.search.counts import Others
from sigseek.search.judged_text import JUDGED, JudgedText, TextJudge
from sigseek.search.judgement import Judge
from sigseek.search.known_photo import KnownPhoto
from sigseek.search.query import Fact, Leaf, Query, Tag, Text, terms
from sigseek.search.retrieval import (
    Cosines,
    Floats,
    Ids,
    Retriever,
    Vectors,
    probabilities_of,
)
from sigseek.search.scope import Scope
from sigseek.search.terms import (
    Doubles,
    TermModel,
    photo_model,
    plain_model,
    tag_model,
)
from sigseek.siglip import Scoring
from sigseek.storage import CatalogReader, CheckpointRecord

Rows = npt.NDArray[np.int64]
"""Positions in the arrays of `Scored`."""


@dataclass(frozen=True)
class Scored:
    """What is known of the photos that may answer a query. Each array is (n,), in the order of
    ascending ids.
    """

    ids: Ids
    cosines: Cosines
    models: Mapping[Leaf, TermModel]
    """They make a probability of each term's cosine."""
    terms: dict[Leaf, Doubles]
    """The probability of each term."""
    probabilities: Doubles
    """The probability of the whole query."""
    scores: Doubles
    """SigLIP's own probability of the whole query."""
    ranked_by: Floats | Doubles
    """The higher, the further up. The order is that of the probabilities. For a query of one text
    it also tells photos apart whose probabilities are rounded to 1.
    """
    confidence: float | None
    """How certain it is, 0 to 1, that there is anything of what the query asks for; None in a
    library that was not measured. For a query of several terms it is the best probability.
    """
    others: Others
    """The photos that the query is about and that are not among `ids`."""


class Scorer:
    """Scores the photos of one library and one checkpoint. Several threads may use one scorer."""

    def __init__(
        self,
        catalog: CatalogReader,
        checkpoint: CheckpointRecord,
        retriever: Retriever,
        judge: Judge | None,
        calibration: Calibration | None,
    ) -> None:
        self._checkpoint = checkpoint
        self._retriever = retriever
        self._judge = judge
        scoring = Scoring(checkpoint.logit_scale, checkpoint.logit_bias)
        self._raw = plain_model(scoring, None)
        biases = Biases(catalog, checkpoint.id, lambda: retriever.sample({}, {})[0])
        self._texts = TextJudge(judge, calibration, scoring, biases.of, biases.usual)

    def until(self, stop: Stop) -> "Scorer":
        """Return a scorer that shares what this one has read, and that this token stops."""
        scorer = copy(self)
        scorer._retriever = self._retriever.until(stop)
        return scorer

    def score(
        self,
        query: Query,
        vectors: Vectors,
        scope: Scope,
        limit: int,
        known: Mapping[Leaf, KnownPhoto],
        models: Mapping[Leaf, TermModel] | None = None,
    ) -> Scored:
        """Return the scores of the photos that certainly include the best `limit`, by the given
        `models` of the terms, or by those that fit the library as it is now.

        Photos that the query names are left out unless they may be listed. Each is certain to be
        like itself.
        """
        left_out = [photo.id for photo in known.values() if not photo.listed]
        sample = self._retriever.sample(vectors, scope.tagged)
        ids, cosines, used, confidence, most = self._retrieve(
            query, vectors, scope, limit + len(known), sample, models
        )
        looked_at = ids
        if left_out:
            kept = ~np.isin(ids, left_out)
            looked_at = np.union1d(ids, left_out)
            scope = replace(scope, photos=scope.photos - int((~kept).sum()))
            ids, cosines = ids[kept], {term: values[kept] for term, values in cosines.items()}
        by_term = probabilities_of(used, cosines)
        for term, photo in known.items():
            by_term[term] = np.where(ids == photo.id, 1.0, by_term[term])
        probabilities = combine(query, by_term)
        if self._judge and confidence is None:
            confidence = float(probabilities.max(initial=0))
        raw = {
            term: self._raw(values) if isinstance(term, Text) else by_term[term]
            for term, values in cosines.items()
        }
        count = scope.photos - len(ids)
        others = Others(count, self._others(query, vectors, used, scope, looked_at, sample), most)
        return Scored(
            ids,
            cosines,
            used,
            by_term,
            probabilities,
            scores=combine(query, raw),
            ranked_by=cosines[query] if isinstance(query, Text) else probabilities,
            confidence=confidence,
            others=others,
        )

    def _retrieve(
        self,
        query: Query,
        vectors: Vectors,
        scope: Scope,
        limit: int,
        sample: tuple[Ids, Cosines],
        models: Mapping[Leaf, TermModel] | None,
    ) -> tuple[Ids, Cosines, Mapping[Leaf, TermModel], float | None, float]:
        """Return photos that certainly include the best, their cosines, the terms' models, for a
        query of one text its confidence, and the highest probability that another photo may have.
        """
        if not isinstance(query, Text):
            if models is None:
                models = {term: self._model(term, vectors, sample) for term in terms(query)}
            ids, cosines, most = self._retriever.best(
                query, vectors, scope.tagged, models, limit, scope.within
            )
            return ids, cosines, models, None, most
        vector, nearest = vectors[query], (sample[0], sample[1][query])
        if models is None and scope.within is not None and self._is_part(sample[0]):
            found, nearest = self._retriever.nearest_and_few(
                vector, limit, scope.within, 2 * JUDGED
            )
        else:
            found = self._retriever.nearest(vector, limit, scope.within)
        if models is None:
            # What is judged by is the whole library, also within facts.
            first = nearest if scope.within is not None else (found.ids, found.cosines)
            models = {query: self._texts.judged(vector, sample[1][query], *first)}
        judged = models[query]
        confidence = None  # within facts it is the best photo's probability, as with other terms
        if isinstance(judged, JudgedText) and scope.within is None:
            confidence = judged.confidence
        most = float(judged(np.array([found.ceiling], np.float32))[0])
        return found.ids, {query: found.cosines}, models, confidence, most

    def text_model(self, vector: Floats, ids: Ids, cosines: Floats) -> JudgedText:
        """Return the model that a search for the text with the embedding (dim,) uses, by the ids,
        ascending, of all photos and the text's cosines (n,) to them.
        """
        text = Text("x")
        _, sampled = self._retriever.sample({text: vector}, {})
        return self._texts.judged(vector, sampled[text], ids, cosines)

    def _model(self, term: Leaf, vectors: Vectors, sample: tuple[Ids, Cosines]) -> TermModel:
        """Return the model that makes a probability of a term's cosine, by the term's cosines to a
        sample of the whole library.
        """
        ids, cosines = sample
        if isinstance(term, Tag | Fact):
            return tag_model()
        if not isinstance(term, Text):
            return photo_model(cosines[term], self._checkpoint.embeddings)
        nearest = ids, cosines[term]
        if self._is_part(ids):
            nearest = self._retriever.nearest_few(vectors[term], 2 * JUDGED)
        return self._texts.judged(vectors[term], cosines[term], *nearest)

    def _is_part(self, sampled: Ids) -> bool:
        """Return whether a sample of the library has not all of its photos."""
        return len(sampled) < self._checkpoint.embeddings

    def _others(
        self,
        query: Query,
        vectors: Vectors,
        models: Mapping[Leaf, TermModel],
        scope: Scope,
        looked_at: Ids,
        sample: tuple[Ids, Cosines],
    ) -> Doubles:
        """Return the probabilities (n,) of photos that stand for those of the scope that are not
        among `looked_at`, whose ids ascend.
        """
        if scope.photos <= len(looked_at):
            return np.zeros(0)
        if scope.within is not None:
            sample = self._retriever.sample_within(sample, vectors, scope.tagged, scope.within)
        ids, cosines = sample
        rows = ~np.isin(ids, looked_at, assume_unique=True)
        left = {term: values[rows] for term, values in cosines.items()}
        return combine(query, probabilities_of(models, left))
