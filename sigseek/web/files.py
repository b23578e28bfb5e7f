"""Files as answers, whole and in parts."""

from __future__ import annotations

from fastapi import Request
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from sigseek.web.answers import json_answer
from sigseek.web.problems import problem_fields

_NOT_THERE = 416


class PhotoFileResponse(FileResponse):
    """A file, or the parts of it that Range asks for. A Range that cannot be answered is told as a
    problem.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        is_refused = False

        async def send_file_or_problem(message: Message) -> None:
            nonlocal is_refused
            is_start = message["type"] == "http.response.start"
            if is_start and message["status"] in (400, _NOT_THERE):
                is_refused = True
                headers = Headers(raw=message["headers"])
                await _problem(scope, receive, send, message["status"], headers)
            elif not is_refused:
                await send(message)

        await super().__call__(scope, receive, send_file_or_problem)


async def _problem(
    scope: Scope, receive: Receive, send: Send, status: int, headers: Headers
) -> None:
    """Send what is wrong with the Range of a request."""
    if status == _NOT_THERE:
        size = headers["content-range"].rpartition("/")[2]
        found, remedy = "Range asks for what is not there", f"the file has {int(size):,} bytes"
    else:
        found, remedy = "Range cannot be read", "write it as bytes=0-99, for the first 100 bytes"
    told = {name: headers[name] for name in ("content-range",) if name in headers}
    answer = json_answer(
        Request(scope),
        problem_fields(status, found, "invalid", remedy),
        status=status,
        media_type="application/problem+json",
        headers=told,
    )
    await answer(scope, receive, send)
