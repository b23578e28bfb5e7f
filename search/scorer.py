"""The scores of the photos that may answer a query: probabilities, confidences and verdicts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sigseek.search.algebra import combine
from sigseek.search.biases import Biases
from sigseek.search.calibration import Calibration
from sigseek.search.judgement import Judge, Levels, judge_query
from sigseek.search.known_photo import KnownPhoto
from sigseek.search.query import Leaf, Query, Tag, Text, split_tags, terms
from sigseek.search.retrieval import (
    Cosines,
    Floats,
    Ids,
    Retriever,
    Vectors,
    candidates,
    probabilities_of,
    tag_cosines,
)
from sigseek.search.scope import Scope
from sigseek.search.terms import Doubles, TermModel, photo_model, plain_model, tag_model, text_model
from sigseek.search.verdicts import MATCH
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
    terms: dict[Leaf, Doubles]
    """The probability of each term."""
    probabilities: Doubles
    """The probability of the whole query."""
    scores: Doubles
    """SigLIP's own probability of the whole query."""
    confidences: Doubles | None
    """The confidence of each photo; None in a library that was not measured."""
    levels: Levels
    expected: float
    """The number of matches in the scope that the probabilities of its photos add up to."""

    def any_match(self, rows: Rows) -> float:
        """Return how certain it is, 0 to 1, that there is a match at all. Words of no meaning fit
        many photos a little.
        """
        if self.confidences is None or (self.levels[rows] == MATCH).any():
            return 1.0
        return float(self.confidences[rows].max(initial=0))


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
        self._calibration = calibration
        self._scoring = Scoring(checkpoint.logit_scale, checkpoint.logit_bias)
        self._plain = plain_model(self._scoring, calibration)
        self._raw = plain_model(self._scoring, None)
        self._biases = Biases(catalog, checkpoint.id, lambda: retriever.sample({}, {})[0])

    def score(
        self,
        query: Query,
        vectors: Vectors,
        scope: Scope,
        limit: int,
        known: Mapping[Leaf, KnownPhoto],
    ) -> Scored:
        """Return the scores of the photos that certainly include the best `limit`.

        Photos that the query names are left out unless they may be listed. Each is certain to be
        like itself.
        """
        sample = self._retriever.sample(vectors, scope.tagged)
        models = {term: self._model(term, sample[1].get(term)) for term in terms(query)}
        ids, cosines = self._candidates(query, vectors, scope, models, limit + len(known))
        kept = ~np.isin(ids, [photo.id for photo in known.values() if not photo.listed])
        scope = replace(scope, photos=scope.photos - int((~kept).sum()))
        ids, cosines = ids[kept], {term: values[kept] for term, values in cosines.items()}
        by_term: dict[Leaf, Doubles] = (
            {query: self._plain(cosines[query])}
            if isinstance(query, Text)
            else probabilities_of(models, cosines)
        )
        for term, photo in known.items():
            by_term[term] = np.where(ids == photo.id, 1.0, by_term[term])
        probabilities = combine(query, by_term)
        expected = self._expected(query, vectors, models, scope, (ids, cosines), sample)
        # A verdict needs the photo's bias, which is read for the photos that can be shown.
        best = np.sort(np.argsort(-probabilities, kind="stable")[: candidates(limit)])
        ids, probabilities = ids[best], probabilities[best]
        cosines = {term: values[best] for term, values in cosines.items()}
        by_term = {term: values[best] for term, values in by_term.items()}
        raw = {
            term: self._raw(cosines[term]) if isinstance(term, Text) else by_term[term]
            for term in cosines
        }
        biases = self._biases.of(ids) if self._judge else np.zeros(len(ids), np.float32)
        confidences, levels = judge_query(query, self._judge, vectors, biases, cosines, by_term)
        scores = combine(query, raw)
        return Scored(ids, cosines, by_term, probabilities, scores, confidences, levels, expected)

    def _model(self, term: Leaf, sample: Floats | None) -> TermModel:
        """Return the model that makes a probability of a term's cosine, by the term's cosines to a
        sample of the whole library.
        """
        if isinstance(term, Tag) or sample is None:
            return tag_model()
        if isinstance(term, Text):
            return text_model(sample, self._scoring, self._calibration)
        return photo_model(sample, self._checkpoint.embeddings)

    def _candidates(
        self,
        query: Query,
        vectors: Vectors,
        scope: Scope,
        models: Mapping[Leaf, TermModel],
        limit: int,
    ) -> tuple[Ids, Cosines]:
        """Return photos that certainly include the best, and the exact cosines of each term."""
        if isinstance(query, Text):
            ids, cosines = self._retriever.nearest(vectors[query], limit)
            return ids, {query: cosines}
        if scope.within is not None and split_tags(query)[1] is None:
            ids = scope.within[: candidates(limit)]  # each tagged photo is as good as another
            return ids, tag_cosines(scope.tagged, ids)
        return self._retriever.best(query, vectors, scope.tagged, models, limit, scope.within)

    def _expected(
        self,
        query: Query,
        vectors: Vectors,
        models: Mapping[Leaf, TermModel],
        scope: Scope,
        scored: tuple[Ids, Cosines],
        sample: tuple[Ids, Cosines],
    ) -> float:
        """Return how many photos of the scope match. Photos that were scored count by their own
        probabilities, and the others by those of a sample of the scope.
        """
        ids, cosines = scored
        looked_at = float(combine(query, probabilities_of(models, cosines)).sum())
        left = scope.photos - len(ids)
        if left <= 0:
            return looked_at
        if scope.within is not None:
            sample = self._retriever.sample(vectors, scope.tagged, scope.within)
        sample_ids, sample_cosines = sample
        others = ~np.isin(sample_ids, ids, assume_unique=True)
        if not others.any():
            return looked_at
        likely = combine(
            query,
            probabilities_of(
                models, {term: values[others] for term, values in sample_cosines.items()}
            ),
        )
        return looked_at + left * float(likely.mean())
