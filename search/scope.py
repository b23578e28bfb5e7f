"""Which photos of a library a query is about, by the query's tags."""

from collections.abc import Mapping
from dataclasses import dataclass

from sigseek.search.errors import UnknownTagError
from sigseek.search.query import Leaf, Query, Tag, split_tags, terms
from sigseek.search.retrieval import Ids, Retriever
from sigseek.storage import CatalogReader, CheckpointRecord
from sigseek.storage.selection import Selection


@dataclass(frozen=True)
class Scope:
    """The photos that a query is about."""

    within: Ids | None
    """The photos' ids, ascending; None for the whole library."""
    tagged: Mapping[Leaf, Ids]
    """The ids, ascending, of the photos that have each of the query's tags."""
    photos: int
    """The number of photos that the query is about."""


def find_scope(
    query: Query, catalog: CatalogReader, checkpoint: CheckpointRecord, retriever: Retriever
) -> Scope:
    """Return what the query's tags select. Raises UnknownTagError for a tag that does not exist."""
    tags, _ = split_tags(query)
    within = Selection(tuple(tag.name for tag in tags)).resolve(catalog)
    tagged: dict[Leaf, Ids] = {}
    if within is not None:
        within = retriever.held(within)
        tagged = dict.fromkeys(tags, within)
    for term in terms(query):
        if isinstance(term, Tag) and term not in tagged:
            tagged[term] = catalog.tagged(term.name)
    for term, ids in tagged.items():
        if isinstance(term, Tag) and not len(ids):
            known = list(catalog.tags())
            if term.name not in known:
                raise UnknownTagError(term.name, known)
    return Scope(within, tagged, checkpoint.embeddings if within is None else len(within))
