"""The state of the library, and the files that could not be used."""

from __future__ import annotations

from pathlib import PurePath

from fastapi import APIRouter, Request, Response

from sigseek import __version__
from sigseek.results import record_fields
from sigseek.web.answers import json_answer
from sigseek.web.context import LibraryInUse, SettingsInUse, sees_paths
from sigseek.web.models import Failures, Skipped, StatusAnswer

router = APIRouter(tags=["library"])


@router.get(
    "/status",
    summary="Folders, counts, checkpoints and sizes",
    responses={200: {"model": StatusAnswer}},
)
def status(request: Request, library: LibraryInUse, settings: SettingsInUse) -> Response:
    """Answer what `sigseek status --json` prints, and what this server allows."""
    served = {
        "version": __version__,
        "read_only": settings.read_only,
        "browse": [str(path) for path in settings.browse] if sees_paths(request) else [],
        "needs_token": settings.token is not None,
    }
    fields = record_fields(library.status()) | served
    if not sees_paths(request):
        fields["thumbnails"] = PurePath(fields["thumbnails"]).name
    return json_answer(request, fields)


@router.get(
    "/failures",
    summary="Files that could not be used, and why",
    responses={200: {"model": Failures}},
)
def failures(request: Request, library: LibraryInUse) -> Response:
    """Answer what `sigseek failures --json` prints."""
    found = [record_fields(failure) for failure in library.failures()]
    return json_answer(request, {"failures": found})


@router.get(
    "/skipped",
    summary="Files that seem to hold photos and were passed over",
    responses={200: {"model": Skipped}},
)
def skipped(request: Request, library: LibraryInUse) -> Response:
    """Answer what `sigseek failures --skipped --json` prints."""
    found = [record_fields(file) for file in library.skipped_files()]
    return json_answer(request, {"skipped": found})
