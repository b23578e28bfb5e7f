"""What a route does not take is refused: a mistyped parameter would seem to do nothing, and so
would a body of another media type.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from difflib import get_close_matches
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi import params as kinds_of_parameters
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from sigseek.web.bodies import FORMS, JSON, content_type, takes_several
from sigseek.web.problems import RequestError


async def refuse_unknown_parameters(request: Request) -> None:
    """Raise RequestError, with the status 422, for a query parameter that the route does not have,
    and name the one that was probably meant. The same goes for one that is there twice and is no
    list, and for a query that is not UTF-8.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError as error:
        raise RequestError(422, "the query is not UTF-8", "write it in UTF-8") from error
    lists = dict(_parameters(route.dependant))
    known = lists.keys()
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            near = get_close_matches(name.lower(), known, 1)
            remedy = f"write {near[0]}" if near else "the API is described at /api/v1/openapi.json"
            raise RequestError(422, f"{name[:100]}: there is no such parameter here", remedy)
        if times > 1 and not lists[name]:
            raise RequestError(422, f"{name}: it is there {times} times", "send it once")


def _parameters(asked: Dependant) -> Iterator[tuple[str, bool]]:
    """Yield the query parameters of a route or of something that it depends on: the name of each,
    and whether it is a list.
    """
    for parameter in asked.query_params:
        yield parameter.alias, takes_several(parameter.field_info.annotation)
    for part in asked.dependencies:
        yield from _parameters(part)


async def refuse_other_bodies(request: Request) -> None:
    """Raise RequestError, with the status 415, for a body of a media type that the route does not
    read.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    if route.body_field is None:
        return
    is_form = isinstance(route.body_field.field_info, kinds_of_parameters.Form)
    taken = FORMS if is_form else (JSON,)
    # A request without a body is told what it lacks.
    if content_type(request) not in taken and await request.body():
        found = "the request is not a form" if is_form else "the request is not JSON"
        raise RequestError(415, found, f"send it as {taken[0]}")
