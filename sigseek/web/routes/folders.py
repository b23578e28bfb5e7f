"""The folders of the library, and the directories of this machine that may become some."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from sigseek.operations.system_folders import is_system_folder
from sigseek.results import counted, record_fields
from sigseek.web.answers import json_answer
from sigseek.web.bodies import RequestBody
from sigseek.web.changes import BrowsedRoots, MayChange, directories_in, directory_below
from sigseek.web.context import LibraryInUse
from sigseek.web.folder_models import AddedFolder, Directories, Folders, ForgottenAnswer
from sigseek.web.index_run import IndexRun
from sigseek.web.problems import RequestError

router = APIRouter(tags=["folders"])
PathOfDirectory = Annotated[str, Query(description="An absolute path.", max_length=4_096)]


@router.get("/folders", summary="The library's folders", responses={200: {"model": Folders}})
def folders(request: Request, library: LibraryInUse) -> Response:
    """Answer the folders of the library, how many files they have, and whether they are there."""
    found = [record_fields(folder) for folder in library.status().folders]
    return json_answer(request, {"folders": found})


@router.get(
    "/directories",
    summary="Directories of the server's machine",
    responses={200: {"model": Directories}},
)
def directories(request: Request, roots: BrowsedRoots, path: PathOfDirectory = "") -> Response:
    """Answer the directories in one; without `path` those that the server was started with.

    None is listed that is not below one of these.
    """
    if not path:
        tops = [{"name": str(root), "path": str(root)} for root in roots]
        return json_answer(request, {"path": None, "parent": None, "directories": tops})
    directory = directory_below(path, roots)
    # Above a root the list of all roots is next.
    parent = "" if directory in roots else str(directory.parent)
    found = directories_in(directory, roots)
    fields = {"path": str(directory), "parent": parent, "directories": found}
    return json_answer(request, fields)


class ChosenDirectory(RequestBody):
    """A directory that becomes a folder of the library."""

    path: str = Field(description="An absolute path.", max_length=4_096)


@router.post("/folders", summary="Add a folder", responses={200: {"model": AddedFolder}})
def add_folder(request: Request, roots: BrowsedRoots, added: ChosenDirectory) -> Response:
    """Have the next indexing run add the folder to the library. `POST index` begins one.

    Until then the server remembers the folder in memory alone, and `GET index` lists it as `added`.
    A server that is started again has forgotten it.
    """
    directory = directory_below(added.path, roots)
    if is_system_folder(directory):
        raise RequestError(
            400,
            f"{directory} holds a system, everybody's files or all disks, and not photos alone",
            "choose the folders that your photos are in",
        )
    run: IndexRun = request.app.state.index_run
    run.add(directory)
    return json_answer(request, {"path": str(directory)})


@router.delete(
    "/folders",
    dependencies=[MayChange],
    summary="Forget a folder",
    responses={200: {"model": ForgottenAnswer}},
)
def forget_folder(
    request: Request,
    library: LibraryInUse,
    path: PathOfDirectory,
    confirm: Annotated[
        bool, Query(description="Whether the photos may leave the library, with their tags.")
    ] = False,
) -> Response:
    """Remove a folder from the library. Its files stay as they are."""
    if path not in library.folders():
        raise RequestError(
            404, "this is not a folder of the library", "name one of those that are listed"
        )
    run: IndexRun = request.app.state.index_run
    run.check_idle()
    if not confirm:
        files = counted(library.forgettable_files(path), "file")
        raise RequestError(
            409, f"{files} would leave the library", "send confirm=true to go on", kind="invalid"
        )
    return json_answer(request, record_fields(library.forget(path)))
