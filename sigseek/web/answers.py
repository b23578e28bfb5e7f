"""JSON answers, in which absolute paths are shortened for callers who may not see them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from typing import Any

from fastapi import Request, Response

from sigseek.errors import SigseekError
from sigseek.results import json_line
from sigseek.siglip.cache import cache_directory
from sigseek.web.context import library_of, sees_paths, settings_of


def json_answer(
    request: Request,
    fields: dict[str, Any],
    *,
    status: int = 200,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the fields as a JSON response."""
    body = json_line(fields)
    # What has no path is told without asking the catalog, which may not answer.
    if "/" in body or "\\" in body:
        body = shortener(request)(body)
    return Response(
        body, status, {"Cache-Control": "no-store", **(headers or {})}, media_type=media_type
    )


def shortener(request: Request) -> Callable[[str], str]:
    """Return a function that takes from JSON what the caller may not see: of each path, all that
    comes before the name of its indexed folder.

    It works on whole answers, so that no error and no note can give a path away.
    """
    if sees_paths(request):
        return lambda body: body
    library = library_of(request)
    try:
        paths = library.folders()
    except SigseekError:  # there is no library yet
        paths = []
    browsed = settings_of(request).browse
    paths += [library.location, str(Path.home()), str(cache_directory().absolute())]
    paths += [str(root) for given in browsed for root in (given, os.path.realpath(given))]
    # The longest first: one folder may be inside of another.
    known = sorted({path for path in paths if len(path) > 1}, key=len, reverse=True)
    if not known:
        return lambda body: body
    names = "|".join(re.escape(_in_json(path)) for path in known)
    any_of_them = re.compile(
        # Before a path may be the letter of a line break in JSON, and behind it a full stop.
        rf"(?:(?<![\w/.])|(?<=\\[nrt]))(?:{names})(?![\w-]|\.\w)"
    )
    return lambda body: any_of_them.sub(lambda match: _name_in_json(match[0]), body)


def _name_in_json(path: str) -> str:
    """Return the last name of a path that is written inside of a JSON string."""
    return _in_json(PurePath(json.loads(f'"{path}"')).name)


def _in_json(path: str) -> str:
    """Return the path as it is written inside of a JSON string."""
    return json.dumps(path)[1:-1]
