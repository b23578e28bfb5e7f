"""Pictures that are uploaded to search by them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.concurrency import run_in_threadpool

from sigseek.errors import SigseekError
from sigseek.library import Library
from sigseek.progress import Stop
from sigseek.web.answers import json_answer
from sigseek.web.bodies import RequestBody, form_fields
from sigseek.web.context import LibraryInUse
from sigseek.web.form_reader import Form, ReceivedFile
from sigseek.web.photos import API
from sigseek.web.problems import RequestError
from sigseek.web.sent_picture_models import Uploaded
from sigseek.web.uploads import PREFIX, Uploads, unusable
from sigseek.web.work import Turns

router = APIRouter(prefix="/uploads", tags=["uploads"])

FORM_OF_ONE_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "additionalProperties": False,
                }
            }
        },
    }
}


@router.post(
    "",
    status_code=201,
    summary="Upload a picture to search by it",
    openapi_extra=FORM_OF_ONE_FILE,
    responses={201: {"model": Uploaded}},
)
async def upload(request: Request, library: LibraryInUse) -> Response:
    """Keep a picture for some minutes, so that `photo:upload-TOKEN` in a query means it."""
    uploads: Uploads = request.app.state.uploads
    turns: Turns = request.app.state.decoding
    turns.check()
    async with uploads.receive(request, most_files=1) as form:
        file = only_file(form)
        form_fields(form, RequestBody)
        thumbnail = await turns.run(request, lambda stop: _thumbnail(library, file, stop))
        token = uploads.keep(file, thumbnail)
    address = f"{API}/uploads/{token}/thumbnail"
    fields = {"photo": f"{PREFIX}{token}", "name": file.name, "thumbnail": address}
    return await run_in_threadpool(json_answer, request, fields, status=201)


@router.get(
    "/{token}/thumbnail",
    summary="A small picture of an uploaded one",
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
def thumbnail(
    request: Request,
    token: Annotated[str, Path(description="The upload's token.", max_length=64)],
) -> Response:
    """Answer a JPEG whose longer side has at most 320 pixels."""
    uploads: Uploads = request.app.state.uploads
    found = uploads.find(token)
    if found is None:
        raise RequestError(404, "there is no such upload", "upload the picture again")
    return Response(found.thumbnail, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


def only_file(form: Form) -> ReceivedFile:
    """Return the file of a form that must have one. Raises RequestError without one."""
    if not form.files:
        raise RequestError(422, "the form has no file", "send a picture as `file`")
    return form.files[0]


def _thumbnail(library: Library, file: ReceivedFile, stop: Stop) -> bytes:
    stop.check()
    try:
        return library.thumbnail_of_file(file.path)
    except SigseekError as error:
        raise unusable(file, error) from error
