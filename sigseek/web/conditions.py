"""Answers that depend on headers of a request: what the caller has already, and which media type it
would rather have.
"""

from __future__ import annotations

import re
from email.utils import parsedate

from fastapi import Request
from starlette.datastructures import Headers

from sigseek.web.bodies import JSON

VARY = {"Vary": "Accept"}
"""The header of answers whose media type depends on what the caller would rather have."""


def is_known(request: Request, answer: Headers) -> bool:
    """Return whether the caller has what the answer with these headers would hold: If-None-Match
    names its ETag, or, without that, it has not changed since If-Modified-Since.
    """
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return tags.strip() == "*" or answer["etag"] in re.findall('"[^"]*"', tags)
    since = parsedate(request.headers.get("if-modified-since"))
    changed = parsedate(answer.get("last-modified"))
    return since is not None and changed is not None and changed <= since


def prefers(request: Request, media_type: str) -> bool:
    """Return whether Accept names the media type, and gives it no less weight than JSON."""
    weights = dict(map(_weighted, ", ".join(request.headers.getlist("accept")).split(",")))
    of_json = (weights[one] for one in (JSON, "application/*", "*/*") if one in weights)
    weight = weights.get(media_type, 0.0)
    return weight > 0 and weight >= next(of_json, 0.0)


def _weighted(part: str) -> tuple[str, float]:
    """Return a media type of Accept and its weight, which is 1 where none can be read."""
    media_type, *parameters = part.replace(" ", "").lower().split(";")
    for parameter in parameters:
        if re.fullmatch(r"q=[01](\.[0-9]{0,3})?", parameter):
            return media_type, float(parameter.removeprefix("q="))
    return media_type, 1.0
