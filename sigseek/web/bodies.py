"""Bodies of requests that may be JSON or a form with files."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from sigseek.web.problems import RequestError

MOST_BYTES = 8_000_000
"""The longest JSON that is read."""
_Model = TypeVar("_Model", bound=BaseModel)


async def json_body(request: Request, model: type[_Model]) -> _Model:
    """Return the JSON that a request sends. Raises RequestError for too much of it, and
    RequestValidationError for any other than the model's.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/json":
        raise RequestError(415, "the request is neither JSON nor a form", "send application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise RequestError(
                413,
                f"the request has more than {MOST_BYTES // 1_000_000} MB",
                "send less at a time",
                headers={"Connection": "close"},
            )
    try:
        return model.model_validate_json(bytes(body))
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
