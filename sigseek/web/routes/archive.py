"""Originals as one ZIP archive, which is sent while it is made."""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Generator
from pathlib import Path, PurePath
from typing import Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from sigseek.errors import SigseekError
from sigseek.library import Library
from sigseek.web.answers import json_answer
from sigseek.web.archive_links import SECONDS, ArchiveLinks
from sigseek.web.context import LibraryInUse
from sigseek.web.models import ArchiveLink
from sigseek.web.named import Named, named_ids
from sigseek.web.photos import API
from sigseek.web.problems import RequestError
from sigseek.web.security import login_of

router = APIRouter(tags=["photos"])
followed = APIRouter(tags=["photos"])
"""The route of links. It takes no turn among searches, because its photos are known."""

_CHUNK = 1 << 20
_FIRST_TIME, _LAST_TIME = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
"""The first and the last time that an archive can tell."""
LEFT_OUT = "left out.txt"
"""The name of the file that lists the photos whose files are away."""


@router.post(
    "/zip",
    summary="Originals as a ZIP archive",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
def archive(request: Request, library: LibraryInUse, named: Named) -> Response:
    """Answer a ZIP archive of the photos' files. Nothing is compressed, because photos are already.
    Photos whose files are away are listed in the archive's "left out.txt".
    """
    return _archive(library, named_ids(request, library, named))


@router.post(
    "/zip/links", summary="A link to a ZIP archive", responses={200: {"model": ArchiveLink}}
)
def link(request: Request, library: LibraryInUse, named: Named) -> Response:
    """Answer a link to the archive that `zip` answers, for a browser to save. It can be followed
    once, within five minutes, and only by the login that asked.
    """
    ids = named_ids(request, library, named)
    links, login = _links_and_login(request)
    address = f"{API}/zip/{links.make(ids, login)}"
    return json_answer(request, {"address": address, "photos": len(ids), "seconds": SECONDS})


@followed.get(
    "/zip/{token}",
    summary="The ZIP archive of a link",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}},
)
def follow(
    request: Request,
    library: LibraryInUse,
    token: Annotated[str, PathParameter(description="What the link ends with.", max_length=100)],
) -> Response:
    """Answer the archive that a link leads to. The link cannot be used again."""
    links, login = _links_and_login(request)
    ids = links.take(token, login)
    if ids is None:
        raise RequestError(404, "this link was used or is too old", "make another one")
    return _archive(library, ids)


def _links_and_login(request: Request) -> tuple[ArchiveLinks, str]:
    state = request.app.state
    return state.archive_links, login_of(request.headers, state.tokens)


def _archive(library: Library, ids: list[int]) -> Response:
    return _ArchiveResponse(archived(library, ids))


class _ArchiveResponse(StreamingResponse):
    """An archive that is sent while it is made, and that ends when its caller goes away."""

    def __init__(self, pieces: Generator[bytes, None, None]) -> None:
        headers = {"Content-Disposition": 'attachment; filename="sigseek.zip"'}
        super().__init__(pieces, media_type="application/zip", headers=headers)
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the archive."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            # Otherwise the photo that was on its way stays open until Python collects garbage.
            self._pieces.close()


def archived(library: Library, ids: list[int]) -> Generator[bytes, None, None]:
    """Yield an archive of the photos' files, piece by piece."""
    written = _Pieces()
    names: dict[str, int] = {LEFT_OUT: 1}
    left_out: list[str] = []
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for id_ in dict.fromkeys(ids):
            try:
                path = library.original_file(id_)
                source = path.open("rb")
            except (SigseekError, OSError) as error:
                found = error.found if isinstance(error, SigseekError) else str(error.strerror)
                left_out.append(f"photo {id_}: {found}")
                continue
            entry = _entry(path, names)
            entry.date_time = _time(os.fstat(source.fileno()).st_mtime)
            with source, archive.open(entry, "w", force_zip64=True) as target:
                while piece := source.read(_CHUNK):
                    target.write(piece)
                    yield written.take()
        if left_out:
            archive.writestr(LEFT_OUT, "\n".join([*left_out, ""]))
    yield written.take()


def _entry(path: Path, names: dict[str, int]) -> zipfile.ZipInfo:
    """Return the entry for a file, under a name that no other entry has. `names` counts the files
    that would have each name, so that many of one name are numbered at once.
    """
    # On Windows a backslash would lead into another directory.
    plain = PurePath(os.fsencode(path.name).decode("utf-8", "replace").replace("\\", "_"))
    name = plain.name
    number = names.get(name.casefold(), 0)
    while name.casefold() in names:
        number += 1
        name = f"{plain.stem} ({number}){plain.suffix}"
    names[plain.name.casefold()] = max(number, 1)
    names.setdefault(name.casefold(), 1)
    return zipfile.ZipInfo(name)


def _time(changed: float) -> tuple[int, int, int, int, int, int]:
    """Return the local time of a change, or the nearest time that an archive can tell."""
    try:
        year, *rest = time.localtime(changed)[:6]
    except (OverflowError, OSError, ValueError):  # no year that this system knows
        return _LAST_TIME if changed > 0 else _FIRST_TIME
    if year < _FIRST_TIME[0]:
        return _FIRST_TIME
    month, day, hour, minute, second = rest
    return (year, month, day, hour, minute, second) if year <= _LAST_TIME[0] else _LAST_TIME


class _Pieces(io.RawIOBase):
    """A file that is only written, and of which what was written is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        """Return that it is written."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Keep a piece until it is taken."""
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken
