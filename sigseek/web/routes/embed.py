"""Embeddings of texts and of pictures that are sent."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from sigseek.library import Library
from sigseek.web.answers import json_answer
from sigseek.web.bodies import RequestBody, content_type, form_fields, form_or, json_body
from sigseek.web.conditions import VARY, prefers
from sigseek.web.context import LibraryInUse
from sigseek.web.problems import RequestError
from sigseek.web.sent_picture_models import Embeddings
from sigseek.web.uploads import Uploads
from sigseek.web.work import Turns

router = APIRouter(tags=["embed"])

NPY = "application/x-npy"
MOST_TEXTS = 1_000
Floats = npt.NDArray[np.float32]


class Texts(RequestBody):
    """Texts that are embedded."""

    texts: list[str] = Field(
        description="The texts. Each is cut where the checkpoint stops reading.",
        min_length=1,
        max_length=MOST_TEXTS,
    )


@router.post(
    "/embed",
    summary="Embed texts or pictures",
    openapi_extra=form_or(Texts),
    responses={200: {"model": Embeddings, "content": {NPY: {}}}},
)
async def embed(request: Request, library: LibraryInUse) -> Response:
    """Answer unit-length embeddings (n, dimension) of float32, in order: of `texts` in JSON, or of
    the files in a form. With `Accept: application/x-npy` they come as a file of NumPy.

    A picture that cannot be used has null in the place of its embedding, and `failed` says why. As
    an NPY file there is no such place, so one such picture fails the request.
    """
    failed: list[dict[str, str]] = []
    rows: list[Floats | None]
    if content_type(request).startswith("multipart/"):
        rows, failed = await _of_files(request, library)
    else:
        turns: Turns = request.app.state.searching
        texts = (await json_body(request, Texts)).texts
        rows = list(await turns.run(request, lambda stop: library.embed_texts(texts, stop=stop)))
    if prefers(request, NPY):
        if failed:
            found = f"{failed[0]['name']} cannot be used ({failed[0]['reason']})"
            raise RequestError(422, found, "leave it out, or ask for JSON")
        return Response(
            _npy([row for row in rows if row is not None]), media_type=NPY, headers=VARY
        )
    # A thousand embeddings take a moment to be written as JSON, in which others must be answered.
    return await run_in_threadpool(_answer, request, library, rows, failed)


def _answer(
    request: Request,
    library: Library,
    rows: list[Floats | None],
    failed: list[dict[str, str]],
) -> Response:
    fields = {
        "model": library.checkpoint.name,
        "dimension": library.checkpoint.dimension,
        "embeddings": [None if row is None else row.tolist() for row in rows],
        "failed": failed,
    }
    return json_answer(request, fields, headers=VARY)


async def _of_files(
    request: Request, library: LibraryInUse
) -> tuple[list[Floats | None], list[dict[str, str]]]:
    """Return the embedding (dim,) of each picture in a form, and why some have none."""
    uploads: Uploads = request.app.state.uploads
    turns: Turns = request.app.state.decoding
    turns.check()
    async with uploads.receive(request) as form:
        if not form.files:
            raise RequestError(422, "the form has no file", "send pictures as `file`")
        form_fields(form, RequestBody)
        paths = [file.path for file in form.files]
        embeddings, reasons = await turns.run(
            request, lambda stop: library.embed_photos(paths, stop=stop)
        )
    failed: list[dict[str, Any]] = [
        {"name": file.name, "reason": reasons[file.path]}
        for file in form.files
        if file.path in reasons
    ]
    return [embeddings.get(path) for path in paths], failed


def _npy(rows: list[Floats]) -> bytes:
    written = io.BytesIO()
    np.save(written, np.stack(rows))
    return written.getvalue()
