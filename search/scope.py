"""Which photos of a library a query is about, by the query's facts and tags."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.search.errors import FactError, UnknownTagError
from sigseek.search.facts.names import folded
from sigseek.search.facts.values import FactValueError
from sigseek.search.query import And, Fact, Leaf, Not, Or, Query, Tag, terms
from sigseek.storage import CatalogReader, CheckpointRecord
from sigseek.storage.selection import Every, Except, Selection, Some, Tagged

if TYPE_CHECKING:  # a query of facts alone needs no numpy
    from sigseek.search.retrieval import Ids, Retriever

_SEVERAL_WORDS = re.compile(r'([^\s()^"“”„]+)\s+([^\s()^"“”„:]+)(?!\S)')
"""A value without quotation marks, and a word behind it."""


@dataclass(frozen=True)
class Scope:
    """The photos that a query is about."""

    within: Ids | None
    """The photos' ids, ascending; None for the whole library."""
    tagged: Mapping[Leaf, Ids]
    """The ids, ascending, of the photos of which a fact or tag is true, for each that does not
    narrow the search.
    """
    photos: int
    """The number of photos that the query is about."""


def find_scope(
    facts: Query | None,
    rest: Query,
    catalog: CatalogReader,
    checkpoint: CheckpointRecord,
    retriever: Retriever,
) -> Scope:
    """Return what the facts select, and what is known of the facts in the rest of the query.

    Raises FactError for a value that nothing in the library has, and UnknownTagError for a tag that
    does not exist.
    """
    tagged: dict[Leaf, Ids] = {
        term: selected(term, catalog) for term in terms(rest) if isinstance(term, Fact | Tag)
    }
    if facts is None:
        return Scope(None, tagged, checkpoint.embeddings)
    within = retriever.held(selected(facts, catalog))
    return Scope(within, tagged, len(within))


def selected(facts: Query, catalog: CatalogReader) -> Ids:
    """Return the ids (n,), ascending, of the photos of the catalog for which the facts and tags are
    true. Raises what `find_scope` does.
    """
    return catalog.selected(_selection(facts, catalog))


def first_selected(facts: Query, catalog: CatalogReader, most: int) -> tuple[int, Sequence[int]]:
    """Return the number of the photos for which the facts and tags are true, and the lowest `most`
    of their ids, ascending. Raises what `find_scope` does.
    """
    return catalog.first_selected(_selection(facts, catalog), most)


def _selection(facts: Query, catalog: CatalogReader) -> Selection:
    match facts:
        case Not(part=part):
            return Except(_selection(part, catalog))
        case And(parts=parts):
            return Every(tuple(_selection(part, catalog) for part in parts))
        case Or(parts=parts):
            return Some(tuple(_selection(part, catalog) for part in parts))
        case Tag():
            return Some(tuple(map(Tagged, _tags_called(facts, catalog.tag_names()))))
        case Fact():
            try:
                return facts.value.selection(catalog)
            except FactValueError as problem:
                more = _several_words(facts)
                typed = facts.typed or str(facts)
                raise FactError(
                    typed, facts.column, problem.found, f"{problem.remedy}{more}"
                ) from None
        case _:
            raise TypeError(f"{facts} is not a fact")


def _tags_called(tag: Tag, known: Sequence[str]) -> list[str]:
    """Return the tag of this very name, or else the tags whose names differ from it only in what
    makes no difference. Raises UnknownTagError if there are none.
    """
    name = tag.name
    if name in known:
        return [name]
    found = [tag for tag in known if folded(tag) == folded(name)]
    if not found:
        raise UnknownTagError(name, known, tag.typed, tag.column)
    return found


def _several_words(fact: Fact) -> str:
    """Return how to write a value of several words, if a word without quotation marks may be only
    the first of them, as in `place:New York`.
    """
    found = _SEVERAL_WORDS.match(fact.typed, fact.column - 1)
    if not found or found[2] in ("AND", "OR", "NOT"):
        return ""
    return f'; a name of several words needs quotation marks, as in "{found[1]} {found[2]}"'
