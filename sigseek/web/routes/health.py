"""Whether the process is alive, and whether the library and its model answer."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sigseek.web.answers import json_answer
from sigseek.web.context import LibraryInUse
from sigseek.web.models import Live, Ready

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Is the process alive?", responses={200: {"model": Live}})
async def live(request: Request) -> Response:
    """Answer at once, without asking the library."""
    return json_answer(request, {"live": True})


@router.get(
    "/ready", summary="Do the library and its model answer?", responses={200: {"model": Ready}}
)
def ready(request: Request, library: LibraryInUse) -> Response:
    """Answer once the library can be read and its text tower has embedded a text. A library without
    photos needs no model.
    """
    photos = library.status().photos
    model = None
    if photos:
        library.embed_texts(["a photo"])
        model = library.checkpoint.name
    return json_answer(request, {"ready": True, "photos": photos, "model": model})
