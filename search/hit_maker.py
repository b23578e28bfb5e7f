"""Hits made of scored photos, and how the terms of their query were judged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from sigseek.search.algebra import held_back_by
from sigseek.search.hits import photo_fields
from sigseek.search.judged_text import JudgedText
from sigseek.search.known_photo import KnownPhoto
from sigseek.search.query import Fact, Leaf, Query, Tag, Text, label, required, terms
from sigseek.search.results import DecidedBy, Hit, JudgedTerm
from sigseek.search.scope import selected
from sigseek.search.scorer import Scored
from sigseek.search.terms import Doubles, TermModel
from sigseek.search.verdicts import JudgedBy, verdict
from sigseek.siglip import Scoring
from sigseek.storage import CatalogReader, PhotoRecord


class HitMaker:
    """Makes hits of the photos that were scored for a query.

    By row, `closely` has the logits of the photos that were looked at more closely. `explained` has
    the probability of each term by its label, if the hits are to tell it. `known` holds, by term,
    the photos of the library that the query names.
    """

    def __init__(
        self,
        query: Query,
        scored: Scored,
        scoring: Scoring,
        judged_by: JudgedBy,
        *,
        closely: Mapping[int, float],
        explained: Mapping[str, Doubles] | None,
        known: Mapping[Leaf, KnownPhoto],
    ) -> None:
        self._query = query
        self._scored = scored
        self._scoring = scoring
        self._judged_by: JudgedBy = judged_by
        self._closely = closely
        self._explained = explained
        self._known = {photo.id: photo for photo in known.values()}

    def hits(self, found: Sequence[tuple[int, PhotoRecord]], passed: int) -> tuple[Hit, ...]:
        """Return photos as hits, each given with its row. `passed` hits come before them."""
        rows = [row for row, _ in found]
        photos = photo_fields([photo for _, photo in found], self._known)
        together = zip(rows, self._logits(rows), photos, strict=True)
        return tuple(
            self._hit(rank, row, logit, photo)
            for rank, (row, logit, photo) in enumerate(together, passed + 1)
        )

    def _logits(self, rows: Sequence[int]) -> Sequence[float | None]:
        """Return the logits of the photos in these rows; None for a query of several terms."""
        if not isinstance(self._query, Text):
            return [None] * len(rows)
        logits: list[float | None] = self._scoring.logits(
            self._scored.cosines[self._query][list(rows)]
        ).tolist()
        return logits

    def _hit(self, rank: int, row: int, logit: float | None, photo: Mapping[str, Any]) -> Hit:
        query, scored, explained = self._query, self._scored, self._explained
        by_term, held_back = None, None
        if explained is not None:
            by_term = {name: float(values[row]) for name, values in explained.items()}
            probable = {term: float(values[row]) for term, values in scored.terms.items()}
            held_back = held_back_by(query, probable)
        return Hit(
            rank=rank,
            score=float(scored.scores[row]),
            logit=logit,
            cosine=float(scored.cosines[query][row]) if isinstance(query, Text) else None,
            probability=float(scored.probabilities[row]),
            verdict=None if scored.confidence is None else verdict(scored.probabilities[row]),
            confidence=scored.confidence,
            judged_by=self._judged_by,
            closer=self._closely.get(row),
            terms=by_term,
            held_back_by=label(held_back) if held_back else None,
            **photo,
        )


def explained(scored: Scored, facts: Query | None, catalog: CatalogReader) -> dict[str, Doubles]:
    """Return the probability of each term by its label. Facts that narrow the search are among the
    terms.
    """
    found = {label(term): values for term, values in scored.terms.items()}
    for term in terms(facts) if facts else ():
        true_of = selected(term, catalog)
        found[label(term)] = np.isin(scored.ids, true_of, assume_unique=True).astype(np.float64)
    return found


def judged_terms(query: Query, models: Mapping[Leaf, TermModel]) -> Iterator[JudgedTerm]:
    """Yield how each term of the query was judged, by its model."""
    needed = required(query)
    for term, model in models.items():
        confidence: float | None = None
        decided_by: DecidedBy | Literal["likeness", "fact"] = "likeness"
        if isinstance(model, JudgedText):
            confidence, decided_by = model.confidence, model.shows.decided_by
        elif isinstance(term, Fact | Tag):
            decided_by = "fact"
        yield JudgedTerm(
            term=label(term), confidence=confidence, decided_by=decided_by, required=term in needed
        )
