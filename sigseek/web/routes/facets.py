"""Counts of photos by year, camera, place and so on, and what a query may go on with."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from sigseek.operations.facet_terms import term_of
from sigseek.results import facet_in_words, facets_headline, record_fields
from sigseek.storage.facets import FacetKind
from sigseek.web.answers import json_answer
from sigseek.web.context import LibraryInUse, named_photos, settings_of, stop_of
from sigseek.web.models import CompletionAnswer, FacetsAnswer
from sigseek.web.remedies import note_fields

router = APIRouter(tags=["search"])


@router.get(
    "/facets",
    summary="Count photos by what they have in common",
    responses={200: {"model": FacetsAnswer}},
)
def facets(
    request: Request,
    library: LibraryInUse,
    q: Annotated[
        str, Query(description="The query; empty for all photos.", max_length=10_000)
    ] = "",
    by: Annotated[
        FacetKind | None, Query(description="The kind of value; without it, all kinds.")
    ] = None,
    limit: Annotated[
        int | None,
        Query(
            description="The most values of each kind; by default five of each, or all of one.",
            ge=1,
            le=10_000,
        ),
    ] = None,
) -> Response:
    """Count the photos that match the query, as `sigseek facets` does. Each value has the term that
    selects its photos in a query.
    """
    found = library.facets(
        q, by=by, limit=limit, named_photos=named_photos(request), stop=stop_of(request)
    )
    spell = settings_of(request).spell
    values = [
        record_fields(facet)
        | {"label": facet_in_words(facet), "query": term_of(facet, found.directly)}
        for facet in found
    ]
    fields = {
        "headline": facets_headline(found),
        "photos": found.photos,
        "counted": found.counted,
        "query": found.query,
        "values": values,
        "by": {kind: list(of_kind) for kind, of_kind in groupby(values, lambda one: one["by"])},
        "left_out": dict(found.left_out),
        "notes": [note_fields(note, spell) for note in found.notes],
    }
    return json_answer(request, fields)


@router.get(
    "/completion",
    summary="What a query may go on with",
    responses={200: {"model": CompletionAnswer}},
)
def completion(
    request: Request,
    library: LibraryInUse,
    q: Annotated[str, Query(description="The query as typed so far.", max_length=10_000)] = "",
    at: Annotated[
        int | None,
        Query(description="How many characters are before the caret; by default all.", ge=0),
    ] = None,
) -> Response:
    """Answer what may stand at the caret: names of facts, their values in this library, operators.
    The text takes the place of the characters from `start` to `end`.
    """
    return json_answer(request, record_fields(library.complete(q, at)))
