"""The searcher of one library and one checkpoint: it retrieves, ranks and judges photos."""

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sigseek.errors import Remedy
from sigseek.progress import Stop
from sigseek.search.calibration import Calibration
from sigseek.search.checks import check_limit, check_place, check_search
from sigseek.search.closer import CloserLook
from sigseek.search.counts import Counts, count_matches
from sigseek.search.hit_maker import HitMaker, explained, judged_terms
from sigseek.search.hits import photo_fields, photos_with_files
from sigseek.search.judgement import Judge
from sigseek.search.known_photo import KnownPhoto
from sigseek.search.listing import judged_facts, list_selected
from sigseek.search.order import Listing, directories_first, score_all_from
from sigseek.search.page import Part, find_part, question
from sigseek.search.query import (
    And,
    Leaf,
    Query,
    Tag,
    Text,
    split_facts,
    terms,
)
from sigseek.search.results import Hit, Order, SearchResults, SimilarHit
from sigseek.search.retrieval import NEAREST_TO_TERM, Floats, Ids, Retriever, Vectors
from sigseek.search.scope import Scope, find_scope, selected
from sigseek.search.scorer import Scored, Scorer
from sigseek.search.terms import Doubles
from sigseek.search.verdicts import (
    FEW_PHOTOS,
    MATCH_FROM,
    PROVISIONAL,
    JudgedBy,
)
from sigseek.siglip import Scoring
from sigseek.siglip.yardstick import VERSION
from sigseek.siglip.yardstick.evidence import evidence_of_all_absent
from sigseek.siglip.yardstick.steps import WHOLE
from sigseek.storage import CatalogReader, CheckpointRecord
from sigseek.storage.index.contract import VectorIndex

_MOST_COUNTED = 50_000
"""The most photos that are all scored one by one when their number would else be an estimate."""
_MOST_COSINES = 32_000_000
"""The most cosines of texts to photos that are in memory at a time. They take 128 MB."""


class Searcher:
    """Answers queries, whose terms are given as embeddings, from the catalog and a vector index.

    Several threads may search with one searcher.
    """

    def __init__(
        self,
        catalog: CatalogReader,
        checkpoint: CheckpointRecord,
        index: VectorIndex,
        calibration: Calibration | None = None,
    ) -> None:
        self._catalog = catalog
        self.checkpoint = checkpoint
        self._scoring = Scoring(checkpoint.logit_scale, checkpoint.logit_bias)
        self._retriever = Retriever(catalog, checkpoint, index)
        scale = float(np.exp(checkpoint.logit_scale))
        yardstick = catalog.yardstick(checkpoint.id)
        self._judge: Judge | None = None
        if yardstick and yardstick.version == VERSION:  # biases of two versions do not compare
            fitted = calibration
            if yardstick.common_texts < WHOLE.common:
                fitted = None  # it was fitted to evidence by the whole yardstick
                found = evidence_of_all_absent(yardstick.absent_evidence, WHOLE.absent)
                yardstick = replace(yardstick, absent_evidence=found)
            self._judge = Judge(yardstick, fitted, scale, max(checkpoint.embeddings, 1))
        self._scorer = Scorer(catalog, checkpoint, self._retriever, self._judge, calibration)
        self._newest_photo: int | None = None

    def with_newest(self, photo: int) -> "Searcher":
        """Return a searcher that shares what this one has read, for a moment in which this is the
        highest id of a photo of the library: a search then need not ask for it.
        """
        searcher = copy(self)
        searcher._newest_photo = photo
        return searcher

    def until(self, stop: Stop) -> "Searcher":
        """Return a searcher that shares what this one has read. Its methods raise StoppedError soon
        after the token is set.
        """
        searcher = copy(self)
        searcher._retriever = self._retriever.until(stop)
        searcher._scorer = self._scorer.until(stop)
        return searcher

    @property
    def judged_by(self) -> JudgedBy:
        """What the verdicts are based on."""
        return self._judge.judged_by if self._judge else "nothing"

    def notes(self, query: Query) -> tuple[Remedy | str, ...]:
        """Return what a reader of the verdicts must know. Tags are certain."""
        if all(isinstance(term, Tag) for term in terms(query)):
            return ()
        if self._judge is None:
            return (
                "this library has not been fully indexed yet, so hits are shown without verdicts",
            )
        notes: list[Remedy | str] = []
        _, asked = split_facts(replace(query, weight=1.0))
        combined = asked is not None and asked not in terms(asked)
        if combined and not self._retriever.examines_all():
            notes.append(
                "the vector index of this library does not tell about all photos at once, so only "
                f"the {NEAREST_TO_TERM:,} photos nearest to each part of the query were examined"
            )
        if self.judged_by == "provisional":
            notes.append(PROVISIONAL)
        if self.checkpoint.embeddings < FEW_PHOTOS:
            few = self.checkpoint.embeddings
            photos = "1 photo" if few == 1 else f"{few} photos"
            notes.append(f'with only {photos}, "match" and "no match" are less reliable')
        return tuple(notes)

    def search(
        self,
        query: Query,
        vectors: Vectors,
        limit: int,
        *,
        min_probability: float = 0.0,
        include_all: bool = False,
        explain: bool = False,
        closer: CloserLook | None = None,
        known: Mapping[Leaf, KnownPhoto] | None = None,
        order: Order = "match",
        offset: int = 0,
        page: str | None = None,
    ) -> SearchResults:
        """Return photos that match the query, in the order that is asked for. `include_all` adds
        photos that may match, and then those that do not. `known` holds, by term, the photos of the
        library that the query names.

        The part of the list that is returned has `limit` photos. It comes after the first `offset`
        photos, or it is the `page` that an earlier answer named.

        Facts and tags that every hit must fulfil narrow the search: no other photo is looked at or
        counted. Raises QueryError for a limit below 1, an offset below 0, an order that does not
        exist, a probability outside 0 to 1, a tag that does not exist, a fact with a value that
        nothing in the library has, and a closer look by a query with operators.
        """
        check_search(query, limit, min_probability, looks_closer=closer is not None)
        check_place(order, offset, page)
        # A weight counts within what encloses it, and nothing encloses the query.
        facts, rest = split_facts(replace(query, weight=1.0))
        if rest is None:
            return list_selected(
                query, self._catalog, limit, explain=explain, order=order, offset=offset, page=page
            )
        scope = find_scope(facts, rest, self._catalog, self.checkpoint, self._retriever)
        # Beside facts, which are true of all these photos, the weight of the rest counts.
        query = rest if rest.weight == 1 else And((rest,))
        same = [str(facts), str(query), order, min_probability, include_all, self.checkpoint.token]
        part = find_part(self._catalog, question(same), limit, order, offset=offset, page=page)
        judged = part.page.judged if part.page else self._judge is not None
        least = min_probability if include_all or not judged else max(MATCH_FROM, min_probability)
        asked = _Asked(
            query, facts, scope, known or {}, part, order, min_probability, least, judged
        )
        scored, closely = self._scored(asked, vectors), dict[int, float]()
        if closer and isinstance(query, Text):
            scored, closely = closer.judge(
                query, vectors[query], scored, self._catalog, self._scoring
            )
        return self._results(asked, scored, closely, explain=explain)

    def ordered(
        self,
        query: Query,
        vectors: Vectors,
        *,
        min_probability: float = 0.0,
        include_all: bool = False,
        known: Mapping[Leaf, KnownPhoto] | None = None,
        order: Order = "match",
    ) -> tuple[Ids, Doubles]:
        """Return the ids (n,) and the probabilities (n,) of all photos that `search` would list, in
        its order. The query asks for more than facts.
        """
        facts, rest = split_facts(replace(query, weight=1.0))
        if rest is None:
            raise ValueError("a query of facts needs no searcher")
        scope = find_scope(facts, rest, self._catalog, self.checkpoint, self._retriever)
        query = rest if rest.weight == 1 else And((rest,))
        judged = self._judge is not None
        least = min_probability if include_all or not judged else max(MATCH_FROM, min_probability)
        score = partial(self._scorer.score, query, vectors, scope, known=known or {})
        scored = score_all_from(least, score, 1, scope.photos)
        directories = directories_first(order, self._catalog, facts, query)
        listing = Listing(self._catalog, scored, order, judged, directories=directories)
        rows = listing.rows(least, None)
        return scored.ids[rows], scored.probabilities[rows]

    def _scored(self, asked: "_Asked", vectors: Vectors) -> Scored:
        """Return the scores of the photos that certainly include those of the part, and all that
        may be listed before.

        On a page the terms are judged as they were on the first one.
        """
        page, enough = asked.part.page, asked.part.passed + asked.part.limit
        models = None
        if page:
            models = page.term_models(asked.query, self._scoring)
            enough += self._count_added(page.generation)
        score = partial(
            self._scorer.score, asked.query, vectors, asked.scope, known=asked.known, models=models
        )
        if asked.order == "match":
            scored = score(enough)
            if asked.scope.photos > _MOST_COUNTED or _counts(asked, scored).exact:
                return scored
            return score(asked.scope.photos)
        return score_all_from(asked.least, score, enough, asked.scope.photos)

    def _results(
        self, asked: "_Asked", scored: Scored, closely: Mapping[int, float], *, explain: bool
    ) -> SearchResults:
        """Return the part of the list that was asked for, and what is known of all photos. By row,
        `closely` has the logits of the photos that were looked at more closely.
        """
        part, facts = asked.part, asked.facts
        maker = HitMaker(
            asked.query,
            scored,
            self._scoring,
            self.judged_by,
            closely=closely,
            explained=explained(scored, facts, self._catalog) if explain else None,
            known=asked.known,
        )
        listing = Listing(
            self._catalog,
            scored,
            asked.order,
            asked.judged,
            newest_photo=self._newest_photo,
            at=part.at,
            directories=directories_first(asked.order, self._catalog, facts, asked.query),
        )
        found, next_page = listing.part(part, asked.least, self.checkpoint.generation)
        hits = maker.hits(found, part.passed)
        if found and not part.passed and found[0][0] == listing.best_first[0]:
            best: Hit | None = hits[0]  # mostly, so that its photo is not read again
        else:
            first = photos_with_files(listing.best_first, scored.ids, self._catalog, 1)
            best = next(iter(maker.hits(first, 0)), None)
        counts = _counts(asked, scored)
        return SearchResults(
            hits=hits,
            best=best,
            matches=counts.matches if asked.judged else 0,
            maybes=counts.maybes if asked.judged else 0,
            counted=counts.exact,
            expected=counts.expected,
            confidence=scored.confidence,
            photos=asked.scope.photos,
            judged_by=self.judged_by,
            notes=self.notes(asked.query),
            terms=(*judged_terms(asked.query, scored.models), *judged_facts(facts)),
            selection=str(facts) if facts else None,
            order=asked.order,
            offset=part.passed,
            next_page=next_page,
        )

    def _count_added(self, generation: int) -> int:
        """Return how many photos were embedded after the generation."""
        return self._catalog.count_embeddings_after(
            self.checkpoint.id, generation, self.checkpoint.embeddings
        )

    def matches(self, query: Query, vectors: Vectors, known: Mapping[Leaf, KnownPhoto]) -> Ids:
        """Return the ids (n,), ascending, of all photos that match the query. Raises what `search`
        does for the query.
        """
        facts, rest = split_facts(replace(query, weight=1.0))
        if rest is None:
            return selected(query, self._catalog)
        scope = find_scope(facts, rest, self._catalog, self.checkpoint, self._retriever)
        query = rest if rest.weight == 1 else And((rest,))
        score = partial(self._scorer.score, query, vectors, scope, known=known)
        scored = score_all_from(MATCH_FROM, score, 1, scope.photos)
        return np.sort(scored.ids[scored.probabilities >= MATCH_FROM])

    def by_photo(
        self,
        query: Floats,
        limit: int,
        *,
        known: KnownPhoto | None = None,
        among: Ids | None = None,
    ) -> list[SimilarHit]:
        """Return the `limit` photos nearest to a photo's unit-norm embedding (dim,), nearest first.
        `known` is that photo, if the library has it.

        `among` has the ids of the photos to search, ascending; None means all. Raises QueryError
        for a limit below 1.
        """
        check_limit(limit)
        ids, exact, _ = self._retriever.nearest(query, limit, among)
        if known:
            # An embedding is kept in 16 bits, so its cosine with itself is not exactly 1.
            exact = np.where(ids == known.id, np.float32(1), np.minimum(exact, np.float32(1)))
        # Equal cosines stay in the order of their ids, behind the photo itself.
        order = np.lexsort((ids, ids != known.id if known else ids, -exact))
        kept = order[ids[order] != known.id] if known and not known.listed else order
        found = photos_with_files(kept, ids, self._catalog, limit)
        fields = photo_fields([photo for _, photo in found], {known.id: known} if known else None)
        return [
            SimilarHit(rank=rank, cosine=float(exact[row]), **of_photo)
            for rank, ((row, _), of_photo) in enumerate(zip(found, fields, strict=True), 1)
        ]

    def matching(self, vectors: Floats) -> Iterator[tuple[Ids, Doubles]]:
        """Yield, for each text's unit-norm embedding of (n, dim), the ids, ascending, and the
        probabilities of all photos that match it.

        These are the photos that get a tag, and those that a search for the text lists. The
        embeddings of photos are read once for many texts.
        """
        together = max(1, _MOST_COSINES // max(self.checkpoint.embeddings, 1))
        for start in range(0, len(vectors), together):
            group = vectors[start : start + together]
            ids, cosines = self._retriever.exact(list(group), None)
            for vector, values in zip(group, cosines, strict=True):
                probabilities = self._scorer.text_model(vector, ids, values)(values)
                matches = probabilities >= MATCH_FROM
                yield ids[matches], probabilities[matches]


@dataclass(frozen=True)
class _Asked:
    """What a search asks for, with the facts taken out of its query."""

    query: Query
    facts: Query | None
    scope: Scope
    known: Mapping[Leaf, KnownPhoto]
    part: Part
    order: Order
    min_probability: float
    least: float
    """The probability from which on photos are listed."""
    judged: bool
    """Whether hits have verdicts. Those that match come first then."""


def _counts(asked: _Asked, scored: Scored) -> Counts:
    return count_matches(scored.probabilities, scored.others, asked.min_probability)
