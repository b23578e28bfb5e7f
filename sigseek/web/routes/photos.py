"""Photos by their numbers: what is known of them, their thumbnails and their files."""

from __future__ import annotations

import os
from enum import IntEnum
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.datastructures import Headers

from sigseek.operations.thumbnails import Thumbnail
from sigseek.results import record_fields
from sigseek.web.answers import json_answer
from sigseek.web.conditions import is_known
from sigseek.web.context import LibraryInUse
from sigseek.web.files import PhotoFileResponse
from sigseek.web.models import Photos, WholePhoto
from sigseek.web.named import LARGEST_ID
from sigseek.web.photos import SHOWN_BY_BROWSERS, photos_json
from sigseek.web.problems import RequestError
from sigseek.web.work import turn_among

router = APIRouter(prefix="/photos", tags=["photos"])

MOST_IDS = 200
_FOREVER = "private, max-age=31536000, immutable"
PhotoId = Annotated[
    int, Path(description="The photo's number, `id` of a hit.", ge=1, le=LARGEST_ID)
]


class ThumbnailSize(IntEnum):
    """The longer side of a thumbnail in pixels."""

    SMALL = 320
    LARGE = 1280


@router.get("", summary="Several photos", responses={200: {"model": Photos}})
def photos(
    request: Request,
    library: LibraryInUse,
    ids: Annotated[
        str,
        Query(
            description="The photos' numbers with commas between them, at most 200.",
            pattern=r"^[0-9]{1,18}(,[0-9]{1,18})*$",
            max_length=4_000,
        ),
    ],
) -> Response:
    """Answer what is known of each photo, in the order of the numbers. Unknown ones are left
    out.
    """
    wanted = [int(one) for one in ids.split(",")]
    if len(wanted) > MOST_IDS:
        raise RequestError(422, f"{len(wanted)} photos are too many", f"ask for {MOST_IDS}")
    return json_answer(request, {"photos": photos_json(library, library.photos(wanted))})


@router.get("/{photo_id}", summary="One photo", responses={200: {"model": WholePhoto}})
def photo(request: Request, library: LibraryInUse, photo_id: PhotoId) -> Response:
    """Answer all that is known of a photo, with all of its files."""
    files = library.files_of_photo(photo_id)
    (fields,) = photos_json(library, library.photos([photo_id]))
    del fields["rank"]
    return json_answer(request, fields | {"files": [record_fields(file) for file in files]})


@router.get(
    "/{photo_id}/thumbnail",
    summary="A small picture of a photo",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}},
        304: {"description": "The caller has it already."},
    },
    dependencies=[turn_among("showing")],
)
def thumbnail(
    request: Request,
    library: LibraryInUse,
    photo_id: PhotoId,
    size: Annotated[
        ThumbnailSize, Query(description="The longer side in pixels, 320 or 1280.")
    ] = ThumbnailSize.SMALL,
    v: Annotated[
        str, Query(description="The picture's version; the server ignores it.", max_length=64)
    ] = "",
) -> Response:
    """Answer a JPEG whose longer side has at most `size` pixels, upright and in sRGB. It is there
    even while the photo's drive is away, if it was made before.
    """
    found = library.thumbnail(photo_id, size.value)
    # While a photo's files are away, the other size may stand in for one that is made later.
    return _picture(request, found, immutable=bool(v) and found.size == size)


@router.get(
    "/{photo_id}/derived",
    summary="A photo as a JPEG of its own size",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}},
        304: {"description": "The caller has it already."},
    },
    dependencies=[turn_among("showing")],
)
def derived(request: Request, library: LibraryInUse, photo_id: PhotoId) -> Response:
    """Answer a JPEG made of the photo, for formats that browsers do not show."""
    return _picture(request, library.jpeg(photo_id), immutable=False)


@router.get(
    "/{photo_id}/original",
    summary="A photo's file",
    response_class=Response,
    responses={
        200: {"content": {"*/*": {}}},
        206: {"description": "A part, as Range asks for.", "content": {"*/*": {}}},
        304: {"description": "The caller has it already."},
        416: {
            "description": "Range asks for what is not there.",
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        },
    },
)
def original(
    request: Request,
    library: LibraryInUse,
    photo_id: PhotoId,
    download: Annotated[bool, Query(description="Whether it is to be saved, not shown.")] = False,
) -> Response:
    """Answer the bytes of a file that holds the photo. Parts of it may be asked for by Range."""
    path = library.original_file(photo_id)
    form = library.pictures([photo_id])[photo_id].format
    # Whatever could run in the browser, as SVG can, is none of these and only saved.
    media_type = SHOWN_BY_BROWSERS.get(form)
    shown = media_type is not None and not download
    answer = PhotoFileResponse(
        path,
        stat_result=path.stat(),
        media_type=media_type or "application/octet-stream",
        filename=os.fsencode(path.name).decode("utf-8", "replace"),
        content_disposition_type="inline" if shown else "attachment",
        headers={"Cache-Control": "private, no-cache"},
    )
    if is_known(request, answer.headers):
        kept = ("ETag", "Last-Modified", "Cache-Control")
        return Response(status_code=304, headers={name: answer.headers[name] for name in kept})
    return answer


def _picture(request: Request, found: Thumbnail, *, immutable: bool) -> Response:
    """Return the picture, or 304 where the caller has it already."""
    tag = f'"{found.digest[:32]}-{found.size or "full"}"'
    headers = {"ETag": tag, "Cache-Control": _FOREVER if immutable else "private, no-cache"}
    if is_known(request, Headers(headers)):
        return Response(status_code=304, headers=headers)
    return Response(found.data, media_type=found.media_type, headers=headers)
