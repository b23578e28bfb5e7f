"""Photos that look like a photo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from sigseek.answers import LIKENESS_LEGEND
from sigseek.indexer.errors import DecodeError
from sigseek.library import Library
from sigseek.progress import Stop
from sigseek.web.answers import json_answer
from sigseek.web.bodies import RequestBody, content_type, form_fields, form_or, json_body
from sigseek.web.context import LibraryInUse, named_photos, settings_of
from sigseek.web.models import Similar
from sigseek.web.named import PhotoNumber
from sigseek.web.photos import photos_json
from sigseek.web.problems import RequestError
from sigseek.web.remedies import note_fields
from sigseek.web.routes.uploads import only_file
from sigseek.web.uploads import PREFIX, Uploads, unusable
from sigseek.web.work import Turns

router = APIRouter(tags=["search"])


class Part(RequestBody):
    """Which of the photos are wanted."""

    limit: int = Field(50, description="The most photos, 1 to 1000.", ge=1, le=1000)
    offset: int = Field(0, description="How many photos to leave out first.", ge=0, le=1_000_000)


UploadName = Annotated[str, Field(pattern=f"^{PREFIX}")]


def _number_or_upload(given: object, check: ValidatorFunctionWrapHandler) -> object:
    """Return a valid name of a photo. Pydantic would tell of any other once for each type."""
    try:
        return check(given)
    except ValidationError as error:
        raise PydanticCustomError(
            "photo_name", "it should be a photo's number or the name of an upload, upload-TOKEN"
        ) from error


class Likeness(Part):
    """The photo that others are compared with."""

    id: Annotated[PhotoNumber | UploadName, WrapValidator(_number_or_upload)] = Field(
        description='The photo\'s number, or "upload-TOKEN" for a picture that was uploaded.'
    )


@router.post(
    "/similar",
    summary="Photos that look like a photo",
    responses={200: {"model": Similar}},
    openapi_extra=form_or(
        Likeness,
        file={"type": "string", "format": "binary"},
        limit={"type": "integer"},
        offset={"type": "integer"},
    ),
)
async def similar(request: Request, library: LibraryInUse) -> Response:
    """Answer the photos that look most like this one, each with the cosine of both embeddings, from
    -1 to 1: like a photo of the library, which is left out, or like the picture in a form.
    """
    if content_type(request).startswith("multipart/"):
        return await _like_file(request, library)
    likeness = await json_body(request, Likeness)
    photo = likeness.id if isinstance(likeness.id, int) else _uploaded(request, likeness.id)
    turns: Turns = request.app.state.searching
    return await turns.run(request, lambda stop: _answer(request, library, photo, likeness, stop))


async def _like_file(request: Request, library: Library) -> Response:
    uploads: Uploads = request.app.state.uploads
    turns: Turns = request.app.state.decoding
    turns.check()
    async with uploads.receive(request, most_files=1) as form:
        file = only_file(form)
        part = form_fields(form, Part)
        try:
            return await turns.run(
                request, lambda stop: _answer(request, library, file.path, part, stop)
            )
        except DecodeError as error:
            raise unusable(file, error) from error


def _uploaded(request: Request, name: str) -> Path:
    named = named_photos(request).get(name)
    if named is None:
        raise RequestError(
            404, "there is no such uploaded picture", "upload it again: it is kept for minutes"
        )
    return Path(named)


def _answer(
    request: Request, library: Library, photo: int | Path, part: Part, stop: Stop
) -> Response:
    found = library.similar(photo, part.offset + part.limit, stop=stop)[part.offset :]
    settings = settings_of(request)
    fields = {
        "hits": photos_json(library, found),
        "legend": [LIKENESS_LEGEND],
        "notes": [note_fields(note, settings.spell) for note in library.checkpoint_notes],
    }
    return json_answer(request, fields)
