"""Photos that a request names: by their numbers, or as all that match a query."""

from __future__ import annotations

from typing import Annotated

from fastapi import Request
from pydantic import Field

from sigseek.library import Library
from sigseek.operations.originals import no_photo
from sigseek.web.bodies import RequestBody
from sigseek.web.context import named_photos, stop_of
from sigseek.web.problems import RequestError

LARGEST_ID = 2**63 - 1
"""The largest number of a photo. Databases have no larger ones."""
PhotoNumber = Annotated[int, Field(ge=1, le=LARGEST_ID)]
"""The number of a photo in a request."""
MOST_LEFT_OUT = 1_000_000_000
"""The most photos or groups that a request may leave out before the first one that it wants."""


class Named(RequestBody):
    """Photos by their numbers, or all that match a query."""

    ids: list[PhotoNumber] | None = Field(
        None, description="The photos' numbers.", min_length=1, max_length=100_000
    )
    query: str | None = Field(
        None, description="All photos that match this query; empty for all.", max_length=10_000
    )


def named_ids(request: Request, library: Library, named: Named) -> list[int]:
    """Return the ids of the photos. Raises RequestError unless they are named in one way, and
    QueryError for an id that the library does not have.
    """
    if (named.ids is None) == (named.query is None):
        found = "no photos" if named.ids is None else "photos in two ways"
        raise RequestError(422, f"the request names {found}", "send either ids or query")
    if named.ids is not None:
        ids = list(dict.fromkeys(named.ids))
        known = library.pictures(ids)
        for id_ in ids:
            if id_ not in known:
                raise no_photo(id_)
        return ids
    query = (named.query or "").strip()
    names, stop = named_photos(request), stop_of(request)
    if not query:
        return [int(id_) for id_ in library.layout(stop=stop).ids]
    return library.matching_photos(query, named_photos=names, stop=stop)
