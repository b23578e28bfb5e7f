"""Lists the photos that a query of facts and tags alone selects. It needs no model and no index,
and for the first part of the list no numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sigseek.search.checks import check_limit, check_place
from sigseek.search.hits import photo_fields
from sigseek.search.page import Page, Part, find_part, question
from sigseek.search.query import Query, label, required, terms
from sigseek.search.results import Hit, JudgedTerm, Order, SearchResults
from sigseek.search.scope import first_selected, selected
from sigseek.storage import CatalogReader, PhotoRecord

if TYPE_CHECKING:
    from sigseek.search.retrieval import Ids
    from sigseek.search.scorer import Scored

_BESIDES = 8
"""How many more ids than photos are read first, because a photo may have no file."""


def list_selected(
    facts: Query,
    catalog: CatalogReader,
    limit: int,
    *,
    explain: bool = False,
    order: Order = "match",
    offset: int = 0,
    page: str | None = None,
    in_order: Callable[[int | None], Ids | None] | None = None,
) -> SearchResults:
    """Return the photos for which the facts and tags are true. All of them are certainly matches,
    so the order "match" is that of their ids.

    The part of the list that is returned has `limit` photos. It comes after the first `offset`
    photos, or it is the `page` that an earlier answer named. `in_order` returns the ids of all
    these photos that have a file, in their order at a revision or, for None, in that of now. It
    returns None if the order is not known already.

    Raises QueryError for a limit below 1, a value that nothing in the library has, and a tag that
    does not exist.
    """
    check_limit(limit)
    check_place(order, offset, page)
    asked = question([str(facts), order])
    part = find_part(catalog, asked, limit, order, offset=offset, page=page)
    if order == "match" and in_order is None and not part.passed and page is None:
        count, found, next_page = _beginning(facts, catalog, part)
    else:
        ordered = in_order(part.at) if in_order else None
        count, found, next_page = _later_part(facts, catalog, part, order, ordered)
    true_of: dict[str, set[int]] | None = None
    if explain:
        true_of = {label(term): set(selected(term, catalog).tolist()) for term in terms(facts)}
    hits = tuple(
        _hit(rank, fields, true_of)
        for rank, fields in enumerate(photo_fields(found), part.passed + 1)
    )
    return SearchResults(
        hits=hits,
        best=hits[0] if hits else None,
        matches=count,
        maybes=0,
        counted=True,
        expected=float(count),
        confidence=1.0,
        photos=count,
        judged_by="facts",
        selection=str(facts),
        terms=judged_facts(facts),
        order=order,
        offset=part.passed,
        next_page=next_page,
    )


def _beginning(
    facts: Query, catalog: CatalogReader, part: Part
) -> tuple[int, list[PhotoRecord], str | None]:
    """Return the number of photos for which the facts are true, the first of them in the order of
    their ids, as many as the part has, and the token of the page after them.
    """
    most = part.limit + _BESIDES
    while True:
        count, ids = first_selected(facts, catalog, most)
        photos = catalog.photos(ids)
        found = [photos[id_] for id_ in ids if id_ in photos][: part.limit]
        if len(found) == part.limit or len(ids) == count:
            break
        most *= 4
    if not found or (len(ids) == count and found[-1].id == ids[-1]):
        return count, found, None
    following = Page(
        asked=part.asked,
        generation=0,
        revision=part.revision,
        newest=catalog.newest_photo(),
        judged=False,
        rank=len(found),
        last=(0, -1.0, found[-1].id),  # as `Listing` has it of a certain match
        models=(),
    )
    return count, found, following.token()


def _later_part(
    facts: Query, catalog: CatalogReader, part: Part, order: Order, ordered: Ids | None
) -> tuple[int, list[PhotoRecord], str | None]:
    """Return the number of photos for which the facts are true, the photos of a part of the list,
    and the token of the page after them.
    """
    from sigseek.search.order import Listing, directories_first

    ids = selected(facts, catalog) if ordered is None else ordered
    listing = Listing(
        catalog,
        _certain(ids),
        order,
        by_verdict=False,
        is_ordered=ordered is not None,
        at=part.at,
        directories=directories_first(order, catalog, facts),
    )
    found, next_page = listing.part(part, 0.0, generation=0)
    return len(ids), [photo for _, photo in found], next_page


def ids_in_order(facts: Query, catalog: CatalogReader, order: Order, at: int | None = None) -> Ids:
    """Return the ids (n,) of the photos for which the facts and tags are true, in their order at
    the revision `at`, or in that of now.
    """
    ids = selected(facts, catalog)
    if order == "match":
        return ids
    from sigseek.search.order import Listing, directories_first

    directories = directories_first(order, catalog, facts)
    listing = Listing(
        catalog, _certain(ids), order, by_verdict=False, at=at, directories=directories
    )
    return ids[listing.rows(0.0, None)]


def _certain(ids: Ids) -> Scored:
    """Return the scores of photos that are certainly matches."""
    import numpy as np

    from sigseek.search.counts import Others
    from sigseek.search.scorer import Scored

    ones = np.ones(len(ids))
    return Scored(ids, {}, {}, {}, ones, ones, ones, 1.0, Others(0, np.zeros(0), 0.0))


def _hit(rank: int, photo: Mapping[str, Any], true_of: Mapping[str, set[int]] | None) -> Hit:
    """Return the photo with these fields as a hit. For an explanation, `true_of` has by each term's
    label the ids of the photos of which the term is true.
    """
    explained = None
    if true_of is not None:
        explained = {name: float(photo["id"] in having) for name, having in true_of.items()}
    return Hit(
        rank=rank,
        score=1.0,
        logit=None,
        cosine=None,
        probability=1.0,
        verdict="match",
        confidence=1.0,
        judged_by="facts",
        terms=explained,
        **photo,
    )


def judged_facts(facts: Query | None) -> tuple[JudgedTerm, ...]:
    """Return how the facts and tags that narrow a search were judged."""
    if facts is None:
        return ()
    needed = required(facts)
    return tuple(
        JudgedTerm(term=label(term), confidence=None, decided_by="fact", required=term in needed)
        for term in terms(facts)
    )
