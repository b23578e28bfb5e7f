"""Searching by the query language, as one JSON object or as a line for each hit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from sigseek.answers import Answer, answer
from sigseek.library import Library
from sigseek.results import counted, json_line, summary_fields
from sigseek.search.results import SearchResults
from sigseek.web.answers import json_answer, shortener
from sigseek.web.conditions import VARY, prefers
from sigseek.web.context import LibraryInUse, named_photos, settings_of, stop_of
from sigseek.web.models import SearchAnswer
from sigseek.web.named import MOST_LEFT_OUT
from sigseek.web.photos import photos_json
from sigseek.web.remedies import note_fields, without_options

router = APIRouter(tags=["search"])

NDJSON = "application/x-ndjson"
OrderName = Literal["match", "date", "-date", "path", "rating", "added"]


@dataclass(frozen=True)
class Asked:
    """What is searched for, and in which order."""

    q: str = ""
    sort: OrderName = "match"
    include_all: bool = False
    min_probability: float = 0.0
    closer: int = 0
    include_self: bool = False

    def search(
        self,
        request: Request,
        library: Library,
        limit: int,
        offset: int,
        page: str | None,
        *,
        explain: bool,
    ) -> SearchResults:
        """Return the part of the results."""
        if not self.q:
            sort = "-date" if self.sort == "match" else self.sort
            return library.list_photos(limit, sort=sort, offset=offset, page=page)
        return library.search(
            self.q,
            limit,
            min_probability=self.min_probability,
            include_all=self.include_all,
            explain=explain,
            closer=self.closer,
            include_self=self.include_self,
            sort=self.sort,
            offset=offset,
            page=page,
            named_photos=named_photos(request),
            stop=stop_of(request),
        )

    def answer(self, found: SearchResults, limit: int, *, explain: bool) -> Answer:
        """Return what is said of the results."""
        return answer(
            found, limit, self.min_probability, include_all=self.include_all, explain=explain
        )


async def read_asked(
    q: Annotated[
        str, Query(description="The query; empty for all photos.", max_length=10_000)
    ] = "",
    sort: Annotated[
        OrderName,
        Query(description='The order. "match" is newest first where the query is empty.'),
    ] = "match",
    all: Annotated[  # noqa: A002 - the parameter's name
        bool, Query(description="Whether photos that do not match follow those that do.")
    ] = False,
    min_probability: Annotated[
        float, Query(description="The least probability of a hit, 0 to 1.", ge=0, le=1)
    ] = 0.0,
    closer: Annotated[
        int,
        Query(description="How many of the best photos are scored again by parts.", ge=0, le=200),
    ] = 0,
    include_self: Annotated[
        bool, Query(description="Whether a photo that the query names is listed, too.")
    ] = False,
) -> Asked:
    """Return what the parameters of a request ask for."""
    return Asked(q.strip(), sort, all, min_probability, closer, include_self)


AskedFor = Annotated[Asked, Depends(read_asked)]


@router.get(
    "/search",
    summary="Find photos",
    responses={200: {"model": SearchAnswer, "content": {NDJSON: {}}}},
)
def search(
    request: Request,
    library: LibraryInUse,
    asked: AskedFor,
    limit: Annotated[int, Query(description="The most hits, 1 to 1000.", ge=1, le=1000)] = 50,
    offset: Annotated[
        int, Query(description="How many hits to leave out first.", ge=0, le=MOST_LEFT_OUT)
    ] = 0,
    page: Annotated[
        str | None,
        Query(description="`next` of the answer before, to go on after it.", max_length=20_000),
    ] = None,
    explain: Annotated[
        bool, Query(description="Whether each hit tells the probability of each term.")
    ] = False,
) -> Response:
    """Find the photos that match a query, the best first; docs/queries.md describes queries.

    Photos are named by their numbers here: `photo:17` asks for likeness to a photo of the library.
    Without a query all photos are listed, the newest first.
    """
    found = asked.search(request, library, limit, offset, page, explain=explain)
    said = asked.answer(found, limit, explain=explain)
    hits = photos_json(library, found.hits)
    # Mostly the best photo is the first hit, so that its pictures are not read again.
    best = hits[0] if found.hits and found.best == found.hits[0] else None
    if found.best and best is None:
        (best,) = photos_json(library, [found.best])
    fields = _answer_fields(request, asked, found, said) | {"best": best}
    if prefers(request, NDJSON):
        shorten = shortener(request)
        lines = [*map(json_line, hits), json_line({"answer": fields})]
        return Response(
            shorten("".join(f"{line}\n" for line in lines)), media_type=NDJSON, headers=VARY
        )
    return json_answer(request, {"query": fields.pop("query"), "hits": hits} | fields, headers=VARY)


def _answer_fields(
    request: Request, asked: Asked, found: SearchResults, said: Answer
) -> dict[str, Any]:
    """Return all that is said of the results, without the photos."""
    spell = settings_of(request).spell
    fields = summary_fields(found)
    fields["next"] = fields.pop("next_page")
    return {
        "headline": without_options(said.headline, spell)
        if asked.q
        else f"{counted(found.photos, 'photo')} in the library",
        "legend": [without_options(line, spell) for line in said.legend] if asked.q else [],
        "notes": [note_fields(note, spell) for note in said.notes],
        "explanation": list(said.explanation),
        "best": None,
        **fields,
    }
