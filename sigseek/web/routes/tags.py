"""Tags, which a person gives to photos or takes from them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from sigseek.results import record_fields
from sigseek.web.answers import json_answer
from sigseek.web.changes import MayChange
from sigseek.web.context import LibraryInUse
from sigseek.web.index_run import IndexRun
from sigseek.web.models import TagAnswer, Tags
from sigseek.web.named import Named, named_ids

router = APIRouter(tags=["tags"])


@router.get("/tags", summary="All tags", responses={200: {"model": Tags}})
def tags(request: Request, library: LibraryInUse) -> Response:
    """Answer each tag with its number of photos, in alphabetical order."""
    found: list[dict[str, Any]] = [record_fields(tag) for tag in library.tags()]
    return json_answer(request, {"tags": found})


class Tagging(Named):
    """A tag, and photos to give it to or to take it from."""

    name: str = Field(description="The name of the tag.", min_length=1, max_length=500)
    give: bool = Field(True, description="Whether to give the tag; false takes it.")


@router.post(
    "/tags",
    summary="Give or take a tag",
    responses={200: {"model": TagAnswer}},
    dependencies=[MayChange],
)
def decide(request: Request, library: LibraryInUse, tagging: Tagging) -> Response:
    """Give the tag to the photos by hand, or take it from them, and answer its number of photos."""
    run: IndexRun = request.app.state.index_run
    run.check_idle()
    ids = named_ids(request, library, tagging)
    change = library.add_tag if tagging.give else library.remove_tag
    return json_answer(request, record_fields(change(tagging.name, ids)))
