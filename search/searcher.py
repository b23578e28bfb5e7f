"""The searcher of one library and one checkpoint: retrieve, rank, judge."""

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.search.algebra import combine, combine_levels
from sigseek.search.calibration import Calibration
from sigseek.search.errors import QueryError, UnknownTagError
from sigseek.search.hits import photo_fields, present_path
from sigseek.search.judgement import Judge, Levels
from sigseek.search.query import (
    Leaf,
    Query,
    Tag,
    Text,
    label,
    split_tags,
    terms,
)
from sigseek.search.results import Hit, SearchResults, SimilarHit
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
from sigseek.search.terms import Doubles, TermModel, photo_model, plain_model, tag_model, text_model
from sigseek.search.verdicts import FEW_PHOTOS, MATCH, VERDICTS, JudgedBy
from sigseek.siglip import Scoring
from sigseek.storage import Catalog, CheckpointRecord, PhotoRecord
from sigseek.storage.index.contract import VectorIndex
from sigseek.storage.selection import Selection

Rows = npt.NDArray[np.int64]

_LIKELY = (0.5, 0.1)
"""Probability from which on a photo matches, and may match, a term that is a photo; and that a tag
asks for.
"""
_BEST_SHARE, _MEAN_SHARE = 0.5, 0.5
"""Of the best part's cosine and of the mean over the parts, beside the whole picture's: chosen on
drawings, docs/scores.md.
"""
_MOST_COSINES = 32_000_000
"""Of texts to photos that are in memory at a time: 128 MB."""


@dataclass(frozen=True)
class CloserLook:
    """Another look at the `count` best photos, at parts of each picture."""

    count: int
    embed: Callable[[Sequence[tuple[Path, int]]], Iterable[Floats | None]]
    """Takes photos, each a file and the number of its pixels, and gives for each the unit-norm
    embeddings float32 (views, dim) of its parts, or None for a file that cannot be read.
    """


@dataclass(frozen=True)
class _Scored:
    """What is known of photos, each array (n,) by ascending id."""

    ids: Ids
    cosines: Cosines
    terms: dict[Leaf, Doubles]
    """The probability of each term."""
    probabilities: Doubles
    scores: Doubles
    confidences: Doubles | None
    levels: Levels


@dataclass(frozen=True)
class _Scope:
    """Which photos a query is about."""

    within: Ids | None
    """Ids, ascending; None for all."""
    tagged: dict[Leaf, Ids]
    """For each tag of the query, the ids of the photos that have it."""
    photos: int
    """How many photos these are."""


class Searcher:
    """Answers queries, whose terms are given as embeddings, from the catalog and a vector index.

    Several threads may search with one searcher.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        index: VectorIndex,
        calibration: Calibration | None = None,
    ) -> None:
        self._catalog = catalog
        self.checkpoint = checkpoint
        self._scoring = Scoring(checkpoint.logit_scale, checkpoint.logit_bias)
        self._plain = plain_model(self._scoring, calibration)
        self._raw = plain_model(self._scoring, None)
        self._calibration = calibration
        self._retriever = Retriever(catalog, checkpoint, index)
        scale = float(np.exp(checkpoint.logit_scale))
        yardstick = catalog.yardstick(checkpoint.id)
        self._judge = (
            Judge(yardstick, calibration, scale, max(checkpoint.embeddings, 1))
            if yardstick
            else None
        )

    @property
    def judged_by(self) -> JudgedBy:
        """What verdicts rest on."""
        return self._judge.judged_by if self._judge else "nothing"

    def _notes(self) -> tuple[str, ...]:
        """What a reader of the verdicts must know."""
        if self._judge is None:
            return (
                "this library has not been fully indexed yet, so hits are shown without verdicts",
            )
        if self.checkpoint.embeddings < FEW_PHOTOS:
            few = self.checkpoint.embeddings
            photos = "1 photo" if few == 1 else f"{few} photos"
            return (f'with only {photos}, "match" and "no match" are less reliable',)
        return ()

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
    ) -> SearchResults:
        """The `limit` photos that match the query best, best first; with `include_all` also those
        that do not, maybes first.

        Tags that every hit must have narrow the search: nothing else is looked at or counted.
        Raises QueryError for a limit below 1, a probability outside 0 to 1, a tag that does not
        exist, and a closer look by a query with operators.
        """
        check_search(query, limit, min_probability, closer)
        # A weight counts within what encloses it, and nothing encloses the query.
        query = replace(query, weight=1.0)
        scope = self._scope(query)
        sample = self._retriever.sample(vectors, scope.tagged)
        models = {term: self._model(term, sample[1].get(term)) for term in terms(query)}
        scored, expected = self._scored(query, vectors, scope, models, sample, limit)
        order = np.argsort(
            -(scored.cosines[query] if isinstance(query, Text) else scored.probabilities),
            kind="stable",
        )
        closely: dict[int, float] = {}
        if closer and isinstance(query, Text):
            order, closely = self._look_closer(order, scored, query, vectors[query], closer)
        counted = order[: candidates(1)]  # the same photos, however many hits are asked for
        shown = order[scored.probabilities[order] >= min_probability]
        shown = (
            shown[np.argsort(-scored.levels[shown], kind="stable")]
            if include_all
            else shown[scored.levels[shown] == MATCH]
        )
        hit = partial(self._hit, query, scored, closely, explain)
        found = self._photos(shown, scored.ids, limit)
        hits = tuple(hit(rank, row, photo) for rank, (row, photo) in enumerate(found, 1))
        if found and found[0][0] == order[0]:  # mostly so, and then it is not read again
            best: Hit | None = hits[0]
        else:
            best = next((hit(1, *first) for first in self._photos(order, scored.ids, 1)), None)
        return SearchResults(
            hits=hits,
            best=best,
            maybes=int((scored.levels[counted] == MATCH - 1).sum()),
            expected=expected * self._any_match(scored, counted),
            photos=scope.photos,
            judged_by=self.judged_by,
            notes=self._notes(),
        )

    def by_photo(
        self, query: Floats, limit: int, *, leave_out: int | None = None, among: Ids | None = None
    ) -> list[SimilarHit]:
        """The `limit` photos nearest to a photo's unit-norm embedding (dim,), nearest first,
        without photo `leave_out`.

        `among` are the ids of those to search, each once; None for all. QueryError for a limit
        below 1.
        """
        check_limit(limit)
        ids, exact = self._retriever.nearest(query, limit, among)
        order = np.argsort(
            -exact, kind="stable"
        )  # ids ascend, so equal cosines stay in their order
        kept = order if leave_out is None else order[ids[order] != leave_out]
        return [
            SimilarHit(rank=rank, cosine=float(exact[row]), **photo_fields(photo))
            for rank, (row, photo) in enumerate(self._photos(kept, ids, limit), 1)
        ]

    def matching(self, vectors: Floats) -> Iterator[tuple[Ids, Doubles]]:
        """For each text's unit-norm embedding, of (n, dim): ids, ascending, and probabilities of
        all photos that match it.

        That is for tags that are to be kept: the photos are judged as hits are, and have to be
        probable, too, where there is a calibration, for raw probabilities are too low. Embeddings
        are read once for many texts.
        """
        ids, biases = np.zeros(0, np.int64), np.zeros(0, np.float32)
        together = max(1, _MOST_COSINES // max(self.checkpoint.embeddings, 1))
        for start in range(0, len(vectors), together):
            group = vectors[start : start + together]
            before, (ids, cosines) = ids, self._retriever.exact(list(group), None)
            if not np.array_equal(before, ids):
                biases = self._catalog.biases(self.checkpoint.id, ids)
            for vector, values in zip(group, cosines, strict=True):
                probabilities = self._plain(values)
                matches = probabilities >= (
                    _LIKELY[0] if self._calibration or not self._judge else 0
                )
                if self._judge:
                    matches &= (
                        self._judge.levels(self._judge.confidences(vector, values, biases)) == MATCH
                    )
                yield ids[matches], probabilities[matches]

    def _scope(self, query: Query) -> _Scope:
        """What the query's tags select. UnknownTagError for a tag that does not exist."""
        tags, _ = split_tags(query)
        within = Selection(tuple(tag.name for tag in tags)).resolve(self._catalog)
        tagged: dict[Leaf, Ids] = {}
        if within is not None:
            within = self._retriever.held(within)
            tagged = dict.fromkeys(tags, within)
        for term in terms(query):
            if isinstance(term, Tag) and term not in tagged:
                tagged[term] = self._catalog.tagged(term.name)
        for term, ids in tagged.items():
            if isinstance(term, Tag) and not len(ids):
                known = list(self._catalog.tags())
                if term.name not in known:
                    raise UnknownTagError(term.name, known)
        photos = self.checkpoint.embeddings if within is None else len(within)
        return _Scope(within, tagged, photos)

    def _model(self, term: Leaf, sample: Floats | None) -> TermModel:
        """What makes a probability of a term's cosine, by the term's cosines to a sample of the
        whole library.
        """
        if isinstance(term, Tag) or sample is None:
            return tag_model()
        if isinstance(term, Text):
            return text_model(sample, self._scoring, self._calibration)
        return photo_model(sample, self.checkpoint.embeddings)

    def _scored(
        self,
        query: Query,
        vectors: Vectors,
        scope: _Scope,
        models: Mapping[Leaf, TermModel],
        sample: tuple[Ids, Cosines],
        limit: int,
    ) -> tuple[_Scored, float]:
        """The photos that may be the best, with exact scores and verdicts; and how many photos
        match.
        """
        ids, cosines = self._candidates(query, vectors, scope, models, limit)
        by_term: dict[Leaf, Doubles] = (
            {query: self._plain(cosines[query])}
            if isinstance(query, Text)
            else probabilities_of(models, cosines)
        )
        probabilities = combine(query, by_term)
        expected = self._expected(query, vectors, models, scope, (ids, cosines), sample)
        # Verdicts read a photo's bias, and nobody sees the others.
        best = np.sort(np.argsort(-probabilities, kind="stable")[: candidates(limit)])
        ids, probabilities = ids[best], probabilities[best]
        cosines = {term: values[best] for term, values in cosines.items()}
        by_term = {term: values[best] for term, values in by_term.items()}
        raw = {
            term: self._raw(cosines[term]) if isinstance(term, Text) else by_term[term]
            for term in cosines
        }
        confidences, levels = self._judged(query, vectors, self._biases(ids), cosines, by_term)
        scored = _Scored(
            ids, cosines, by_term, probabilities, combine(query, raw), confidences, levels
        )
        return scored, expected

    def _candidates(
        self,
        query: Query,
        vectors: Vectors,
        scope: _Scope,
        models: Mapping[Leaf, TermModel],
        limit: int,
    ) -> tuple[Ids, Cosines]:
        """Photos among which the best surely are, and the exact cosines of each term."""
        if isinstance(query, Text):
            ids, cosines = self._retriever.nearest(vectors[query], limit)
            return ids, {query: cosines}
        if scope.within is not None and split_tags(query)[1] is None:
            ids = scope.within[: candidates(limit)]  # each tagged photo is as good as another
            return ids, tag_cosines(scope.tagged, ids)
        return self._retriever.best(query, vectors, scope.tagged, models, limit, scope.within)

    def _biases(self, ids: Ids) -> Floats:
        """The biases (n,) of photos, ascending; the library's usual one for a photo that was not
        measured.
        """
        if self._judge is None:
            return np.zeros(len(ids), np.float32)
        biases = self._catalog.biases(self.checkpoint.id, ids)
        unknown = np.isnan(biases)
        if unknown.any():
            biases[unknown] = self._usual_bias
        return biases

    @cached_property
    def _usual_bias(self) -> float:
        """The mean bias of a sample of the library; 0 where none was measured."""
        ids, _ = self._retriever.sample({}, {})
        biases = self._catalog.biases(self.checkpoint.id, ids)
        known = biases[~np.isnan(biases)]
        return float(known.mean()) if len(known) else 0.0

    def _judged(
        self,
        query: Query,
        vectors: Vectors,
        biases: Floats,
        cosines: Cosines,
        by_term: Mapping[Leaf, Doubles],
    ) -> tuple[Doubles | None, Levels]:
        """Confidences (n,), None in a library that was not measured, and levels (n,): all match
        there.
        """
        if self._judge is None:
            return None, np.full(len(biases), MATCH, np.int8)
        confidences: dict[Leaf, Doubles] = {}
        levels: dict[Leaf, Levels] = {}
        for term, values in cosines.items():
            if isinstance(term, Text):
                confidences[term] = self._judge.confidences(vectors[term], values, biases)
                levels[term] = self._judge.levels(confidences[term])
            else:
                confidences[term] = by_term[term]
                levels[term] = sum(
                    ((by_term[term] >= least).astype(np.int8) for least in _LIKELY),
                    np.zeros(len(biases), np.int8),
                )
        return combine_levels(query, confidences, 1), combine_levels(query, levels, MATCH)

    def _expected(
        self,
        query: Query,
        vectors: Vectors,
        models: Mapping[Leaf, TermModel],
        scope: _Scope,
        scored: tuple[Ids, Cosines],
        sample: tuple[Ids, Cosines],
    ) -> float:
        """How many photos match: those scored by their own probabilities, the others by those of a
        sample of all photos in question.
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

    @staticmethod
    def _any_match(scored: _Scored, rows: Rows) -> float:
        """How sure it is that there is a match at all: words of no meaning fit many photos a
        little.
        """
        if scored.confidences is None or (scored.levels[rows] == MATCH).any():
            return 1.0
        return float(scored.confidences[rows].max(initial=0))

    def _look_closer(
        self, order: Rows, scored: _Scored, query: Text, vector: Floats, closer: CloserLook
    ) -> tuple[Rows, dict[int, float]]:
        """The order with the best photos ranked anew, and what these are ranked by, by row."""
        closely: dict[int, float] = {}
        best = self._photos(order, scored.ids, closer.count)
        present = {row: path for row, photo in best if (path := present_path(photo))}
        sizes = {row: photo.width * photo.height for row, photo in best}
        looked = closer.embed([(Path(path), sizes[row]) for row, path in present.items()])
        views_of = dict(zip(present, looked, strict=True))
        for row, _ in best:
            whole = scored.cosines[query][row]
            views = views_of.get(row)
            parts = np.array([whole]) if views is None else views @ vector
            mixed = (whole + _BEST_SHARE * parts.max() + _MEAN_SHARE * parts.mean()) / (
                1 + _BEST_SHARE + _MEAN_SHARE
            )
            closely[row] = float(self._scoring.logits(np.array(mixed, np.float32)))
        first = np.array(sorted(closely, key=lambda row: -closely[row]), np.int64)
        return np.concatenate([first, order[~np.isin(order, first)]]), closely

    def _photos(self, rows: Rows, ids: Ids, limit: int) -> list[tuple[int, PhotoRecord]]:
        """The first `limit` of these rows whose photos have a file, present or missing."""
        found: list[tuple[int, PhotoRecord]] = []
        for start in range(0, len(rows), limit + 1):
            chosen = rows[start : start + limit + 1].tolist()
            photos = self._catalog.photos(ids[chosen].tolist())
            found += [(row, photos[id_]) for row in chosen if (id_ := int(ids[row])) in photos]
            if len(found) >= limit:
                break
        return found[:limit]

    def _hit(
        self,
        query: Query,
        scored: _Scored,
        closely: Mapping[int, float],
        explain: bool,
        rank: int,
        row: int,
        photo: PhotoRecord,
    ) -> Hit:
        cosine = scored.cosines[query][row] if isinstance(query, Text) else None
        return Hit(
            rank=rank,
            score=float(scored.scores[row]),
            logit=None if cosine is None else float(self._scoring.logits(cosine)),
            cosine=None if cosine is None else float(cosine),
            probability=float(scored.probabilities[row]),
            verdict=None if scored.confidences is None else VERDICTS[scored.levels[row]],
            confidence=None if scored.confidences is None else float(scored.confidences[row]),
            judged_by=self.judged_by,
            closer=closely.get(row),
            terms={label(term): float(values[row]) for term, values in scored.terms.items()}
            if explain
            else None,
            **photo_fields(photo),
        )


def check_search(
    query: Query, limit: int, min_probability: float, closer: CloserLook | None
) -> None:
    """Raise QueryError for what `Searcher.search` does not take, before anything is embedded.

    Only tags that do not exist are found out later.
    """
    for term in terms(query):
        if isinstance(term, Text):
            _check_text(term.text)
    check_limit(limit)
    if not 0 <= min_probability <= 1:
        raise QueryError(
            f"a probability of {min_probability:g} is outside 0 to 1",
            "give the least probability that a hit may have",
        )
    if closer and not isinstance(query, Text):
        raise QueryError(
            "a closer look is for one description",
            "leave out the operators, or the closer look",
        )


def _check_text(text: str) -> None:
    """Raise QueryError for a text that says nothing, or that no UTF-8 can hold."""
    if not text.strip(string.punctuation + string.whitespace):
        raise QueryError("the query has no words", "describe what the photo shows")
    # Such a code point stands for a byte of the command line that was not UTF-8.
    if any("\udc80" <= character <= "\udcff" for character in text):
        raise QueryError("the query is not UTF-8", "type it again")


def check_limit(limit: int) -> None:
    """Raise QueryError for a limit below 1."""
    if limit < 1:
        raise QueryError(f"a limit of {limit} shows nothing", "give 1 or more")
