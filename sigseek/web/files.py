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
    """A file, or the parts of it that Range asks for. A Range that asks for what is not there is
    told as a problem, and one that cannot be read is ignored, as RFC 9110 says.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer."""
        refused = 0

        async def send_file_or_problem(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in (400, _NOT_THERE):
                refused = message["status"]
                if refused == _NOT_THERE:
                    await _problem(scope, receive, send, Headers(raw=message["headers"]))
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, send_file_or_problem)
        if refused == 400:
            headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
            await super().__call__({**scope, "headers": headers}, receive, send)


async def _problem(scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
    """Send that the Range of a request asks for what is not there."""
    size = headers["content-range"].rpartition("/")[2]
    found, remedy = "Range asks for what is not there", f"the file has {int(size):,} bytes"
    answer = json_answer(
        Request(scope),
        problem_fields(_NOT_THERE, found, "invalid", remedy),
        status=_NOT_THERE,
        media_type="application/problem+json",
        headers={"content-range": headers["content-range"]},
    )
    await answer(scope, receive, send)
