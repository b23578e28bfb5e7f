"""Groups of duplicates, and what a person decides about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from sigseek.library import Library
from sigseek.results import duplicates_headline, record_fields
from sigseek.search.duplicates.results import KINDS, DuplicateGroup, DuplicateKind
from sigseek.search.errors import QueryError, printable
from sigseek.web.answers import json_answer
from sigseek.web.bodies import RequestBody
from sigseek.web.changes import MayChange
from sigseek.web.context import LibraryInUse, named_photos, settings_of, stop_of
from sigseek.web.index_run import IndexRun
from sigseek.web.models import Decided, Groups
from sigseek.web.named import MOST_LEFT_OUT, PhotoNumber
from sigseek.web.photos import colors_of, shown_fields
from sigseek.web.remedies import note_fields
from sigseek.web.work import turn_among

router = APIRouter(tags=["duplicates"])


@router.get(
    "/duplicates",
    summary="Photos that are there more than once",
    responses={200: {"model": Groups}},
    dependencies=[turn_among("comparing")],
)
def duplicates(
    request: Request,
    library: LibraryInUse,
    q: Annotated[
        str, Query(description="Compare only photos that match; empty for all.", max_length=10_000)
    ] = "",
    kinds: Annotated[
        list[DuplicateKind] | None, Query(description="The kinds of groups; by default all.")
    ] = None,
    prefer: Annotated[
        list[str] | None,
        Query(description="Absolute paths of folders in which photos are rather kept."),
    ] = None,
    limit: Annotated[int, Query(description="The most groups, 1 to 1000.", ge=1, le=1000)] = 50,
    offset: Annotated[
        int, Query(description="How many groups to leave out first.", ge=0, le=MOST_LEFT_OUT)
    ] = 0,
) -> Response:
    """Answer groups as `sigseek duplicates --json` prints them, each photo with its pictures."""
    found = library.duplicates(
        q.strip() or None,
        kinds=tuple(kinds or KINDS),
        prefer=_absolute(prefer or []),
        keep_pairs=not settings_of(request).read_only,
        named_photos=named_photos(request),
        stop=stop_of(request),
    )
    spell = settings_of(request).spell
    part = found.groups[offset : offset + limit]
    following = offset + len(part)
    fields = {
        "headline": duplicates_headline(found),
        "photos": found.photos,
        "total": len(found),
        "groups": _groups(library, part),
        "offset": offset,
        "next": following if following < len(found) else None,
        "notes": [note_fields(note, spell) for note in found.notes],
    }
    return json_answer(request, fields)


def _absolute(folders: Sequence[str]) -> Sequence[str]:
    """Return the folders. Raises QueryError for a path that is relative to where the server runs or
    to its user's home.
    """
    for folder in folders:
        if not PurePath(folder).is_absolute() or "\0" in folder:
            raise QueryError(
                f"{printable(folder)} is no absolute path", "write the whole path of the folder"
            )
    return folders


def _groups(library: Library, groups: tuple[DuplicateGroup, ...]) -> list[dict[str, Any]]:
    ids = [photo.id for group in groups for photo in group.photos]
    pictures = library.pictures(ids)
    colors = colors_of(library, pictures)
    return [
        {
            "kind": group.kind,
            "photos": [
                record_fields(photo)
                | shown_fields(photo.path, photo.id, pictures.get(photo.id), colors.get(photo.id))
                for photo in group.photos
            ],
        }
        for group in groups
    ]


class Decisions(RequestBody):
    """What a person says of photos."""

    not_duplicates: list[PhotoNumber] = Field(
        description="The numbers of photos of which no two are duplicates.",
        min_length=2,
        max_length=1000,
    )
    again: bool = Field(
        False, description="Take that back instead, so that they may be in one group again."
    )


@router.post(
    "/decisions",
    summary="Keep photos apart, or no longer",
    responses={200: {"model": Decided}},
    dependencies=[MayChange],
)
def decide(request: Request, library: LibraryInUse, decisions: Decisions) -> Response:
    """Note that no two of the photos are duplicates; they are never in one group then. Or take that
    back.
    """
    run: IndexRun = request.app.state.index_run
    run.check_idle()
    decide = library.group_again if decisions.again else library.not_duplicates
    return json_answer(request, {"pairs": decide(decisions.not_duplicates)})
