"""Scores of labels, for pictures that are sent and for photos of the library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from sigseek.errors import Remedy
from sigseek.library import Library
from sigseek.progress import Problem, Silence, Stop
from sigseek.results import record_fields
from sigseek.search.classify import Classification
from sigseek.search.labels import DEFAULT_TEMPLATE
from sigseek.web.answers import json_answer
from sigseek.web.bodies import RequestBody, content_type, form_fields, form_or, json_body
from sigseek.web.context import LibraryInUse, settings_of
from sigseek.web.form_reader import ReceivedFile
from sigseek.web.named import PhotoNumber
from sigseek.web.problems import RequestError
from sigseek.web.remedies import note_fields
from sigseek.web.sent_picture_models import Classified
from sigseek.web.uploads import Uploads
from sigseek.web.work import Turns

router = APIRouter(tags=["classify"])

Notes: TypeAlias = tuple[Remedy | str, ...]
"""What there is to say of an answer."""


class Labels(RequestBody):
    """Labels to score for pictures."""

    labels: list[str] = Field(description="The labels.", min_length=1, max_length=1_000)
    template: str = Field(
        DEFAULT_TEMPLATE,
        description="The sentence that each label is put into, in the place of {}.",
        max_length=1_000,
    )


class Labelled(Labels):
    """Photos of the library, and labels to score for them."""

    ids: list[PhotoNumber] = Field(
        description="The photos' numbers.", min_length=1, max_length=1_000
    )


@router.post(
    "/classify",
    summary="Score labels for pictures",
    openapi_extra=form_or(
        Labelled,
        labels={"type": "array", "items": {"type": "string"}},
        template={"type": "string"},
    ),
    responses={200: {"model": Classified}},
)
async def classify(request: Request, library: LibraryInUse) -> Response:
    """Answer the score and the probability, 0 to 1, of each label for each picture, the highest
    first: for the files in a form, or for photos of the library by their numbers. Labels do not
    compete: each has numbers of its own.
    """
    if content_type(request).startswith("multipart/"):
        scores = await _of_files(request, library)
        return await run_in_threadpool(json_answer, request, scores)
    turns: Turns = request.app.state.searching
    asked = await json_body(request, Labelled)
    found, notes = await turns.run(request, lambda stop: _classify_known(library, asked, stop))
    photos = [{"id": id_, "scores": _scores(one)} for id_, one in found.items()]
    missing = [
        {"id": id_, "reason": "the library has no embedding of such a photo"}
        for id_ in dict.fromkeys(asked.ids)
        if id_ not in found
    ]
    fields = {"photos": photos, "failed": missing, "notes": _said(request, notes)}
    return await run_in_threadpool(json_answer, request, fields)


async def _of_files(request: Request, library: Library) -> dict[str, Any]:
    uploads: Uploads = request.app.state.uploads
    turns: Turns = request.app.state.decoding
    turns.check()
    async with uploads.receive(request) as form:
        if not form.files or "labels" not in form.fields:
            raise RequestError(
                422, "the form lacks a file or a label", "send pictures as `file` and `labels`"
            )
        asked = form_fields(form, Labels)
        fields, notes = await turns.run(
            request, lambda stop: _classify(library, form.files, asked, stop)
        )
        return fields | {"notes": _said(request, notes)}


def _classify_known(
    library: Library, asked: Labelled, stop: Stop
) -> tuple[dict[int, Classification], Notes]:
    """Return the scores of the labels for each photo, and notes on them."""
    found = library.classify_known(asked.ids, asked.labels, asked.template, stop=stop)
    return found, library.checkpoint_notes


def _classify(
    library: Library, files: Sequence[ReceivedFile], asked: Labels, stop: Stop
) -> tuple[dict[str, Any], Notes]:
    """Return the scores of the labels for each file and why some have none, and notes on them."""
    problems: dict[str, str] = {}
    found = library.classify(
        [file.path for file in files],
        asked.labels,
        asked.template,
        skip_unusable=True,
        listener=_Noting(problems),
        stop=stop,
    )
    scores = {one.path: _scores(one) for one in found}
    fields = {
        "photos": [
            {"name": file.name, "scores": scores[str(file.path)]}
            for file in files
            if str(file.path) in scores
        ],
        "failed": [
            {"name": file.name, "reason": problems[str(file.path)]}
            for file in files
            if str(file.path) in problems
        ],
    }
    return fields, library.checkpoint_notes if found else ()


def _said(request: Request, notes: Notes) -> list[dict[str, Any]]:
    """Return notes as the answer has them."""
    spell = settings_of(request).spell
    return [note_fields(note, spell) for note in notes]


def _scores(one: Classification) -> list[dict[str, Any]]:
    return [record_fields(score) for score in one.scores]


class _Noting(Silence):
    """A listener that notes the problem of each file."""

    def __init__(self, problems: dict[str, str]) -> None:
        self._problems = problems

    def met(self, problem: Problem) -> None:
        """Note the problem."""
        self._problems[problem.path] = problem.reason
