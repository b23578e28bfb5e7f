"""Photos that look like a photo."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from sigseek.answers import LIKENESS_LEGEND
from sigseek.web.answers import json_answer
from sigseek.web.context import LibraryInUse, named_photos, stop_of
from sigseek.web.models import Similar
from sigseek.web.photos import photos_json
from sigseek.web.problems import RequestError

router = APIRouter(tags=["search"])


class Likeness(BaseModel):
    """The photo that others are compared with."""

    id: int | str = Field(
        description='The photo\'s number, or "upload-TOKEN" for a picture that was uploaded.'
    )
    limit: int = Field(50, description="The most photos, 1 to 1000.", ge=1, le=1000)
    offset: int = Field(0, description="How many photos to leave out first.", ge=0, le=1_000_000)


@router.post(
    "/similar", summary="Photos that look like a photo", responses={200: {"model": Similar}}
)
def similar(request: Request, library: LibraryInUse, likeness: Likeness) -> Response:
    """Answer the photos that look most like this one, each with the cosine of both embeddings, from
    -1 to 1. The photo itself is left out.
    """
    photo: int | Path
    if isinstance(likeness.id, int):
        photo = likeness.id
    else:
        named = named_photos(request).get(likeness.id)
        if named is None:
            raise RequestError(
                404, "there is no such uploaded picture", "upload it again: it is kept for minutes"
            )
        photo = Path(named)
    enough = likeness.offset + likeness.limit
    found = library.similar(photo, enough, stop=stop_of(request))[likeness.offset :]
    return json_answer(
        request,
        {"hits": photos_json(library, found), "legend": [LIKENESS_LEGEND], "notes": []},
    )
