"""Bodies of requests: how much of one is read and for how long, and JSON or a form with files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, get_args, get_origin

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.types import Message, Receive

from sigseek.web.form_reader import Form
from sigseek.web.problems import RequestError

MOST_BYTES = 8_000_000
"""The longest body that is not a form with files."""
SECONDS = 60.0
"""How long such a body may take to arrive."""
FORM_SECONDS = 300.0
"""How long a form with files may take to arrive."""
JSON = "application/json"
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class RequestBody(BaseModel):
    """The fields that a request sends. Others are refused, because a mistyped one would seem to do
    nothing, and so are values of another type, such as true for the number 1.
    """

    model_config = ConfigDict(extra="forbid", strict=True)


_Model = TypeVar("_Model", bound=RequestBody)


class BoundedBody:
    """Receives the body of a request. Raises RequestError once it is too long or too slow."""

    def __init__(self, receive: Receive, most_bytes: int, seconds: float) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._seconds = seconds
        self._until: float | None = None
        self._bytes = 0
        self._is_whole = False

    async def receive(self) -> Message:
        """Return the next part of the body, and after its end that the caller went away."""
        if self._is_whole:
            return await self._receive()
        if self._until is None:
            self._until = asyncio.get_running_loop().time() + self._seconds
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            found = f"the request did not arrive in {self._seconds:.0f} seconds"
            raise RequestError(408, found, "send it again", headers=_CLOSING) from error
        self._is_whole = not message.get("more_body", False)
        self._bytes += len(message.get("body", b""))
        if self._bytes > self._most_bytes:
            raise too_large(self._most_bytes)
        return message


_CLOSING = {"Connection": "close"}
"""What is left of a refused body would be taken for the next request."""


def too_large(most_bytes: int) -> RequestError:
    """Return the error of a body that has more bytes than may be sent."""
    return RequestError(
        413,
        f"the request has more than {most_bytes / 1e6:,.0f} MB",
        "send less at a time",
        headers=_CLOSING,
    )


def content_type(request: Request) -> str:
    """Return the media type of a request's body, without parameters; "" where none is told."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_body(request: Request, model: type[_Model]) -> _Model:
    """Return the JSON that a request sends. Raises RequestError for anything else, and
    RequestValidationError for any other than the model's.
    """
    if content_type(request) != JSON:
        raise RequestError(415, "the request is neither JSON nor a form", f"send {JSON}")
    return _valid(model.model_validate_json, await request.body())


def form_fields(form: Form, model: type[_Model]) -> _Model:
    """Return what the fields of a form say. Raises RequestValidationError for any other than the
    model's, and for one that is there twice and is no list.
    """
    given: dict[str, object] = {}
    for name, values in form.fields.items():
        known = model.model_fields.get(name)
        is_one = known is None or not takes_several(known.annotation)
        given[name] = values[0] if is_one and len(values) == 1 else values
    # All values of a form are texts, also those of numbers.
    return _valid(partial(model.model_validate, strict=False), given)


def takes_several(annotation: object) -> bool:
    """Return whether a field or a parameter of this type is a list, or a list or None."""
    return any(get_origin(one) is list for one in (annotation, *get_args(annotation)))


def _valid(validate: Callable[[Any], _Model], given: object) -> _Model:
    try:
        return validate(given)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        raise RequestValidationError(
            [{**mistake, "loc": ("body", *mistake["loc"])} for mistake in mistakes]
        ) from error


def form_or(model: type[BaseModel], **fields: dict[str, Any]) -> dict[str, Any]:
    """Return what OpenAPI says of a body that is the model as JSON, or a form of files, with these
    fields.
    """
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": files, **fields},
        "additionalProperties": False,
    }
    content = {
        JSON: {"schema": model.model_json_schema()},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}
