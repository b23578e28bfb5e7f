"""Indexing over HTTP: start a run, stop it, ask how far it is, and hear of it as it goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field

from sigseek.web.answers import json_answer, shortener
from sigseek.web.bodies import RequestBody
from sigseek.web.changes import MayChange, check_may_browse, directory_below
from sigseek.web.context import LibraryInUse, SettingsInUse
from sigseek.web.events import Events
from sigseek.web.folder_models import RunState
from sigseek.web.index_run import IndexRun
from sigseek.web.work import too_many

router = APIRouter(tags=["index"])


@router.get("/index", summary="Is the library being indexed?", responses={200: {"model": RunState}})
def state(request: Request) -> Response:
    """Answer whether a run goes on, how far it is, and how the last one ended."""
    run: IndexRun = request.app.state.index_run
    return json_answer(request, run.state())


class Indexing(RequestBody):
    """The folders of an indexing run."""

    folders: list[Annotated[str, Field(max_length=4_096)]] = Field(
        [],
        description="Absolute paths, of folders of the library or of directories that may be added."
        " Without any, all folders are indexed.",
        max_length=1_000,
    )


@router.post(
    "/index",
    status_code=202,
    dependencies=[MayChange],
    summary="Index folders",
    responses={202: {"model": RunState}},
)
def start(
    request: Request, library: LibraryInUse, settings: SettingsInUse, asked: Indexing
) -> Response:
    """Begin a run that brings the library up to date with the folders. `GET events` tells how it
    goes. One run goes on at a time.
    """
    run: IndexRun = request.app.state.index_run
    known = tuple(map(Path, library.folders()))
    chosen = []
    for folder in asked.folders:
        if Path(folder) in known or run.is_added(Path(folder)):
            chosen.append(Path(folder))
        else:
            chosen.append(directory_below(folder, check_may_browse(request, settings)))
    run.start(chosen)
    return json_answer(request, run.state(), status=202)


@router.delete(
    "/index",
    dependencies=[MayChange],
    summary="Stop indexing",
    responses={200: {"model": RunState}},
)
def stop(request: Request) -> Response:
    """Ask the run to stop soon. What is done by then is kept, and the next run goes on there."""
    run: IndexRun = request.app.state.index_run
    run.stop()
    return json_answer(request, run.state())


@router.get(
    "/events",
    summary="What happens, as it happens",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(request: Request) -> StreamingResponse:
    """Send events as they happen: `progress`, `said`, `problem` and `finished` of an indexing run,
    and `changed` when the library changed, whoever changed it.
    """
    told: Events = request.app.state.events
    if told.is_full:
        raise too_many("listeners")
    shorten = await run_in_threadpool(shortener, request)

    async def lines() -> AsyncIterator[str]:
        async for name, line in told.stream():
            yield f"event: {name}\ndata: {shorten(line)}\n\n" if name else ": \n\n"

    return StreamingResponse(
        lines(),
        media_type="text/event-stream",
        # nginx would keep events until it has a few thousand bytes of them.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )
