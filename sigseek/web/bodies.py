"""Bodies of requests: how much of one is read and for how long, and JSON or a form with files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.types import Message, Receive

from sigseek.web.form_reader import Form
from sigseek.web.problems import RequestError

MOST_BYTES = 8_000_000
"""The longest body that is not a form with files."""
SECONDS = 60.0
"""How long such a body may take to arrive."""
FORM_SECONDS = 300.0
"""How long a form with files may take to arrive."""
_Model = TypeVar("_Model", bound=BaseModel)


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


async def json_body(request: Request, model: type[_Model]) -> _Model:
    """Return the JSON that a request sends. Raises RequestError for anything else, and
    RequestValidationError for any other than the model's.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise RequestError(415, "the request is neither JSON nor a form", "send application/json")
    return _valid(model.model_validate_json, await request.body())


def form_fields(form: Form, model: type[_Model]) -> _Model:
    """Return what the fields of a form say. Raises RequestValidationError for any other than the
    model's.
    """
    last = {name: values[-1] for name, values in form.fields.items()}
    return _valid(model.model_validate, last)


def _valid(validate: Callable[[Any], _Model], given: object) -> _Model:
    try:
        return validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


def form_or(model: type[BaseModel], **fields: dict[str, Any]) -> dict[str, Any]:
    """Return what OpenAPI says of a body that is the model as JSON, or a form of files, with these
    fields.
    """
    files = {"type": "array", "items": {"type": "string", "format": "binary"}}
    form = {"type": "object", "required": ["file"], "properties": {"file": files, **fields}}
    content = {
        "application/json": {"schema": model.model_json_schema()},
        "multipart/form-data": {"schema": form},
    }
    return {"requestBody": {"required": True, "content": content}}
