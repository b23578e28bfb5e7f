"""Whether the process is alive, and whether the library and its model answer."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sigseek.web.answers import json_answer
from sigseek.web.models import Live, Ready
from sigseek.web.readiness import Readiness
from sigseek.web.security import is_let_in

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Is the process alive?", responses={200: {"model": Live}})
async def live(request: Request) -> Response:
    """Answer at once, without asking the library."""
    # It holds up all other requests, so it may wait for nothing.
    return json_answer(request, {"live": True})


@router.get(
    "/ready", summary="Do the library and its model answer?", responses={200: {"model": Ready}}
)
def ready(request: Request) -> Response:
    """Answer once the library can be read and a search by a text is answered; until then, and
    whenever it fails, the status is 503. A library without photos needs no model. Callers without
    the token are told nothing else.
    """
    readiness: Readiness = request.app.state.readiness
    if not is_let_in(request.app.state.tokens, request.scope, request.headers):
        readiness.check_for_stranger()
        return json_answer(request, {"ready": True, "photos": None, "model": None})
    found = readiness.check()
    return json_answer(request, {"ready": True, "photos": found.photos, "model": found.model})
