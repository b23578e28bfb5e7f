"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from sigseek.errors import ErrorKind, SigseekError
from sigseek.search.errors import QuerySyntaxError, UnknownTagError
from sigseek.search.tokens import length_at
from sigseek.web.answers import json_answer
from sigseek.web.context import settings_of
from sigseek.web.methods import methods_at
from sigseek.web.remedies import remedy_fields

_STATUS = {
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.INVALID: 400,
    ErrorKind.BUSY: 409,
    ErrorKind.DAMAGED: 500,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.UNSUPPORTED: 422,
    ErrorKind.STOPPED: 503,
}
_KINDS = {
    303: "unauthorized",
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "not allowed",
    408: "unavailable",
    409: "busy",
    413: "too large",
    415: "unsupported",
    421: "misdirected",
    422: "invalid",
    429: "busy",
    431: "too large",
    500: "damaged",
    503: "unavailable",
}
"""The kind of a problem that no SigseekError tells."""
_NO_JSON = "the body cannot be read as JSON"
_IN_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field here",
    "model_type": "it should be a JSON object",
    "model_attributes_type": "it should be a JSON object",
    "string_pattern_mismatch": "it is not written as it should be",
}
"""What is said of mistakes for which Pydantic has words of its own."""
_DESCRIBED = "the API is described at /api/v1/openapi.json"
"""What to do about a request that no route answers."""
_MOST_MISTAKES = 5
"""Mistakes in one request that are told. A list of a million numbers can have a million."""
_LOG = logging.getLogger("sigseek.web")


class RequestError(HTTPException):
    """A request that is refused before the library is asked.

    It is an HTTPException because FastAPI passes on nothing else that is raised while it reads a
    body.
    """

    def __init__(
        self,
        status: int,
        found: str,
        remedy: str | dict[str, Any] | None = None,
        *,
        kind: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status, found, headers)
        self.status = status
        self.found = found
        self.remedy = remedy
        self.kind = kind or _KINDS.get(status, "invalid")

    def fields(self) -> dict[str, Any]:
        """Return the problem details."""
        return problem_fields(self.status, self.found, self.kind, self.remedy)


def problem_fields(
    status: int,
    found: str,
    kind: str,
    remedy: str | dict[str, Any] | None = None,
    column: int | None = None,
    length: int | None = None,
) -> dict[str, Any]:
    """Return the problem details of an error."""
    if isinstance(remedy, str):
        remedy = {"text": remedy, "calls": []}
    return {
        "type": f"urn:sigseek:{kind.replace(' ', '-')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": found,
        "kind": kind,
        "remedy": remedy,
        "column": column,
        "length": length,
    }


def install_problems(app: FastAPI) -> None:
    """Answer every error of the app with problem details."""
    app.add_exception_handler(SigseekError, _of_library)
    app.add_exception_handler(RequestError, _of_request)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(OSError, _of_system)


def _of_library(request: Request, error: Exception) -> Response:
    assert isinstance(error, SigseekError)
    status = _STATUS[error.kind]
    spell = settings_of(request).spell
    column = length = None
    found = error.found
    if isinstance(error, QuerySyntaxError) or (isinstance(error, UnknownTagError) and error.query):
        column = error.column
        length = length_at(error.query, column)
        found = found.removeprefix(f"column {column}: ")
    fields = problem_fields(
        status, found, error.kind.value, remedy_fields(error.remedy, spell), column, length
    )
    headers = {"Retry-After": "5"} if error.kind is ErrorKind.BUSY else {}
    return _answer(request, fields, headers)


def _of_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return _answer(request, error.fields(), dict(error.headers or {}))


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = "; ".join(map(_in_words, error.errors()[:_MOST_MISTAKES]))
    return _answer(request, problem_fields(422, found, "invalid", _DESCRIBED))


def _in_words(mistake: dict[str, Any]) -> str:
    """Return which part of a request is not as described, and why."""
    if mistake["type"] == "json_invalid":
        return _NO_JSON
    _, *names = mistake["loc"]  # the first one is where it is: in the body, the query or the path
    said = _IN_WORDS.get(mistake["type"], mistake["msg"])
    return f"{'.'.join(map(str, names)) or 'the body'}: {said[:1].lower()}{said[1:]}"


def _of_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    status, found, remedy = error.status_code, error.detail, _DESCRIBED
    if status == 400 and isinstance(error.__cause__, (ValueError, RecursionError)):
        status, found = 422, _NO_JSON  # it is not UTF-8, or too deep
    elif status == 404:
        found = "there is nothing at this address"
    elif status == 405:
        found = f"this address does not answer {request.method}"
        headers["Allow"] = ", ".join(methods_at(request))
    kind = _KINDS.get(status, "invalid")
    return _answer(request, problem_fields(status, found, kind, remedy), headers)


def _of_system(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    _LOG.warning("a request failed", exc_info=error)
    found = (error.strerror or "the system reports an error").lower()
    remedy = "check the disk and its permissions"
    return _answer(request, problem_fields(503, found, "unavailable", remedy))


def _answer(
    request: Request, fields: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    return json_answer(
        request,
        fields,
        status=fields["status"],
        media_type="application/problem+json",
        headers=headers,
    )
