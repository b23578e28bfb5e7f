"""The app: the routes of the API, the files of the page, and what guards them."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
from fastapi import Depends, FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from sigseek import __version__
from sigseek.library import Library
from sigseek.siglip.cache import cache_directory
from sigseek.web.archive_links import ArchiveLinks
from sigseek.web.events import Events
from sigseek.web.index_run import IndexRun
from sigseek.web.openapi import describe
from sigseek.web.parameters import refuse_other_bodies, refuse_unknown_parameters
from sigseek.web.photos import API
from sigseek.web.problems import install_problems
from sigseek.web.readiness import Readiness
from sigseek.web.routes import (
    archive,
    classify,
    duplicates,
    embed,
    facets,
    folders,
    health,
    index,
    layout,
    login,
    photos,
    search,
    similar,
    status,
    tags,
    uploads,
)
from sigseek.web.security import Guard
from sigseek.web.settings import Settings
from sigseek.web.tokens import Tokens
from sigseek.web.uploads import Uploads
from sigseek.web.work import ServerStop, Turns, turn_among

MOST_SEARCHING = 32
"""Searches that go on at a time. Most of them wait for the text tower, which they share."""
MOST_WAITING = 256
"""Searches that wait for others."""
MOST_SHOWING = 24
"""Thumbnails and pictures made for browsers that are answered at a time."""
MOST_WAITING_TO_SHOW = 1_000
THREADS = 100
"""Threads that answer requests: enough for all turns at once, and for what takes none."""
MOST_COMPARING = 2
"""Requests for duplicates that are answered at a time."""
MOST_WAITING_COMPARISONS = 16
MOST_DECODING = 2
"""Requests whose pictures are decoded and embedded at a time."""
MOST_WAITING_PICTURES = 16
PAGE = Path(__file__).parent / "page"
"""The directory of the page's files."""
_LOG = logging.getLogger("sigseek.web")
ROUTERS = (
    health.router,
    status.router,
    search.router,
    layout.router,
    similar.router,
    facets.router,
    photos.router,
    uploads.router,
    classify.router,
    embed.router,
    folders.router,
    index.router,
    duplicates.router,
    tags.router,
    archive.router,
    archive.followed,
    login.router,
)
SEARCHING = (search.router, layout.router, facets.router, archive.router)
"""Routes that search, of which only some requests may work and wait at a time."""


def make_app(library: Library, settings: Settings) -> FastAPI:
    """Return the app that answers from the library, which stays open for as long as it is used."""
    app = FastAPI(
        title="sigseek",
        version=__version__,
        summary="Find photos by describing them, or by a similar one.",
        openapi_url=f"{API}/openapi.json",
        # FastAPI's pages about the API load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=_life,
    )
    app.state.library = library
    app.state.settings = settings
    app.state.tokens = Tokens(settings.token)
    app.state.stop = ServerStop()
    app.state.searching = Turns("searches", MOST_SEARCHING, MOST_WAITING, app.state.stop)
    app.state.comparing = Turns(
        "comparisons", MOST_COMPARING, MOST_WAITING_COMPARISONS, app.state.stop
    )
    app.state.showing = Turns(
        "pictures to show", MOST_SHOWING, MOST_WAITING_TO_SHOW, app.state.stop
    )
    app.state.decoding = Turns("pictures", MOST_DECODING, MOST_WAITING_PICTURES, app.state.stop)
    app.state.archive_links = ArchiveLinks()
    app.state.uploads = Uploads(cache_directory() / "uploads", settings)
    app.state.events = Events(library.state)
    app.state.readiness = Readiness(library, settings.spell)
    app.state.index_run = IndexRun(library, app.state.events, settings.spell)
    app.state.named_photos = app.state.uploads
    for router in ROUTERS:
        needed = [Depends(refuse_unknown_parameters), Depends(refuse_other_bodies)]
        if router in SEARCHING:
            needed.append(turn_among("searching"))
        app.include_router(router, prefix=API, dependencies=needed)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    install_problems(app)
    _serve_page(app)
    app.add_middleware(Guard, settings=settings, tokens=app.state.tokens)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    """Stop what goes on in the background when the server ends, and wait until it is kept."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
    try:
        await asyncio.to_thread(app.state.uploads.open)
    except OSError as error:  # each upload is refused then, and all other requests are answered
        _LOG.warning("no pictures can be uploaded: %s", error)
    if app.state.settings.preload:
        app.state.readiness.begin()
    yield
    app.state.stop.set()
    app.state.events.close()
    await asyncio.to_thread(app.state.index_run.close)
    await asyncio.to_thread(app.state.readiness.close)
    await asyncio.to_thread(app.state.uploads.close)


def _serve_page(app: FastAPI) -> None:
    """Serve the page, whose views are all made by one file of HTML."""
    mimetypes.add_type("text/javascript", ".js")  # some systems say otherwise, and nosniff refuses

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    @app.get("/login", include_in_schema=False)
    def login_page() -> FileResponse:
        return FileResponse(PAGE / "login.html")

    app.mount("/page", StaticFiles(directory=PAGE), name="page")
