"""Parameters that a route does not have are refused: a mistyped one would seem to do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from sigseek.web.problems import RequestError


async def refuse_unknown_parameters(request: Request) -> None:
    """Raise RequestError, with the status 422, for a query parameter that the route does not have,
    and name the one that was probably meant.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = set(_names(route.dependant))
    for name in request.query_params:
        if name not in known:
            near = get_close_matches(name.lower(), known, 1)
            remedy = f"write {near[0]}" if near else "the API is described at /api/v1/openapi.json"
            raise RequestError(422, f"{name[:100]}: there is no such parameter here", remedy)


def _names(asked: Dependant) -> Iterator[str]:
    """Yield the names of the query parameters of a route or of something that it depends on."""
    for parameter in asked.query_params:
        yield parameter.alias
    for part in asked.dependencies:
        yield from _names(part)
