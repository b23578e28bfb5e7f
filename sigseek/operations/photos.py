"""Photos of a library by their ids, and all of them in an order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import index
from typing import TYPE_CHECKING

from sigseek.operations.opened import OpenedLibrary
from sigseek.storage import Catalog

if TYPE_CHECKING:
    from sigseek.search.results import Order, PhotoHit, SearchResults


def photos_by_id(catalog: Catalog, ids: Sequence[int]) -> tuple[PhotoHit, ...]:
    """Return the photos as `Library.photos` describes."""
    from sigseek.search.hits import photo_fields
    from sigseek.search.results import PhotoHit

    found = catalog.photos(list(dict.fromkeys(ids)))
    known = [found[id_] for id_ in ids if id_ in found]
    return tuple(
        PhotoHit(rank=rank, **fields) for rank, fields in enumerate(photo_fields(known), 1)
    )


def list_photos(
    library: OpenedLibrary, limit: int, *, sort: Order, offset: int, page: str | None
) -> SearchResults:
    """List all photos as `Library.list_photos` describes."""
    from sigseek.operations.layout import ids_of_all
    from sigseek.search.checks import check_place
    from sigseek.search.listing import list_selected
    from sigseek.search.query import And

    catalog = library.directory.catalog()
    limit, offset = index(limit), index(offset)  # they may be NumPy's
    check_place(sort, offset, page)
    in_order = partial(ids_of_all, catalog, sort)
    # An AND of nothing is true of every photo.
    return catalog.at_one_revision(
        lambda: list_selected(
            And(()), catalog, limit, order=sort, offset=offset, page=page, in_order=in_order
        )
    )
