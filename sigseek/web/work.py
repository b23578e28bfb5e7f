"""The work of requests: it runs in threads, few at a time, and ends when its caller leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Depends, Request

from sigseek.errors import StoppedError
from sigseek.progress import Stop
from sigseek.web.problems import RequestError

_T = TypeVar("_T")


class ServerStop(Stop):
    """The request to stop a server, which stops the work of all its requests, too."""

    def __init__(self) -> None:
        super().__init__()
        self._of_requests: set[Stop] = set()

    def set(self) -> None:
        """Ask the work of all requests to stop soon. A signal handler may call it."""
        super().set()
        for stop in list(self._of_requests):
            stop.set()

    @contextmanager
    def of_request(self) -> Iterator[Stop]:
        """Give a token for the work of one request."""
        stop = Stop()
        self._of_requests.add(stop)
        if self.is_set():
            stop.set()
        try:
            yield stop
        finally:
            self._of_requests.discard(stop)


class Turns:
    """Lets requests of one kind work `at_once` at a time, while at most `waiting` others wait."""

    def __init__(self, kind: str, at_once: int, waiting: int, server: ServerStop) -> None:
        self._kind = kind
        self._slots = CapacityLimiter(at_once)
        self._threads = CapacityLimiter(at_once)  # never waited for: who has a slot has a thread
        self._most_waiting = waiting
        self._server = server

    async def run(self, request: Request, work: Callable[[Stop], _T]) -> _T:
        """Return what `work` returns in a thread, when it is this request's turn.

        When the caller goes away, work that has not begun is dropped, and the token of work that
        has begun is set. Raises RequestError, with the status 429, when too many others wait.
        """
        async with self.turn(request) as stop:
            return await anyio.to_thread.run_sync(work, stop, limiter=self._threads)

    @asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[Stop]:
        """Wait until it is this request's turn, and give the token that stops its work. The token
        is also `request.state.stop`. It does and raises what `run` does.
        """
        self.check()
        with self._server.of_request() as stop:
            request.state.stop = stop
            leaving = asyncio.ensure_future(_left(request))
            leaving.add_done_callback(lambda _: stop.set())
            waiting = asyncio.ensure_future(self._slots.acquire_on_behalf_of(stop))
            try:
                await asyncio.wait((waiting, leaving), return_when=asyncio.FIRST_COMPLETED)
                if not waiting.done():
                    raise StoppedError
                yield stop
            finally:
                leaving.cancel()
                if not waiting.done():
                    waiting.cancel()
                elif not waiting.cancelled() and not waiting.exception():
                    self._slots.release_on_behalf_of(stop)

    def check(self) -> None:
        """Raise RequestError when too many requests wait, before what they send is read."""
        if self._slots.statistics().tasks_waiting >= self._most_waiting:
            raise too_many(self._kind)


def too_many(kind: str) -> RequestError:
    """Return the error of a request that comes while too many others of its kind are there."""
    return RequestError(
        429, f"too many {kind} are waiting", "try again in a second", headers={"Retry-After": "1"}
    )


def turn_among(kind: str) -> Any:
    """Return the dependency of a route that takes turns with all others of a kind: the turns are
    `app.state.KIND`.
    """

    async def take_turn(request: Request) -> AsyncIterator[None]:
        turns: Turns = getattr(request.app.state, kind)
        async with turns.turn(request):
            yield

    # The turn ends before the answer is sent, for whoever reads it slowly would keep it for long.
    return Depends(take_turn, scope="function")


async def _left(request: Request) -> None:
    """Return when the caller has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
