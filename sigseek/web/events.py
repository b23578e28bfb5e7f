"""Events of the library, told to any number of pages as they happen (server-sent events)."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from sigseek.errors import SigseekError
from sigseek.results import json_line

_HEARTBEAT = 15.0
"""Seconds after which a line without meaning is sent, so that a broken connection is noticed."""
_LOOK = 2.0
"""Seconds between two looks at whether another process has changed the library."""
_MOST_WAITING = 200
"""Events that wait for a page that reads slowly. The oldest are dropped then."""
MOST_LISTENERS = 200


class _Listening:
    """The events that one page has not been sent yet."""

    def __init__(self) -> None:
        self.events: deque[tuple[str, str]] = deque(maxlen=_MOST_WAITING)
        self.progress: str | None = None
        """The last progress. Those before it tell nothing any more."""
        self.woken = asyncio.Event()

    def take(self) -> list[tuple[str, str]]:
        """Return all events that wait, in order."""
        taken = list(self.events)
        if self.progress is not None:
            # An end may have come behind it, after which progress would seem to begin again.
            place = 0 if any(name == "finished" for name, _ in taken) else len(taken)
            taken.insert(place, ("progress", self.progress))
        self.events.clear()
        self.progress = None
        self.woken.clear()
        return taken


class Events:
    """Tells events to all who listen. Any thread may tell one; nobody waits for a slow listener."""

    def __init__(self, state: Callable[[], str]) -> None:
        self._state = state
        """Returns another text after anybody has changed the library."""
        self._lock = threading.Lock()
        self._listeners: dict[_Listening, asyncio.AbstractEventLoop] = {}
        self._watching: asyncio.Task[None] | None = None
        self._closed = False
        self._changes = 0
        """How often the catalog was seen to have changed."""

    @property
    def is_full(self) -> bool:
        """Whether no more listeners are taken."""
        return len(self._listeners) >= MOST_LISTENERS

    def tell(self, name: str, fields: dict[str, Any]) -> None:
        """Tell an event to everybody who listens now."""
        line = json_line(fields)
        with self._lock:
            listeners = list(self._listeners.items())
        for listening, loop in listeners:
            loop.call_soon_threadsafe(_put, listening, name, line)

    async def stream(self) -> AsyncIterator[tuple[str, str]]:
        """Give the name and the JSON of each event from now on, and ("", "") as a heartbeat, until
        the server ends.
        """
        listening = _Listening()
        with self._lock:
            self._listeners[listening] = asyncio.get_running_loop()
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield "", ""  # so that the page knows at once that it is heard
            while not self._closed:
                try:
                    await asyncio.wait_for(listening.woken.wait(), _HEARTBEAT)
                except TimeoutError:
                    yield "", ""
                for event in listening.take():
                    yield event
        finally:
            with self._lock:
                del self._listeners[listening]

    def close(self) -> None:
        """End all streams, and the look at the library."""
        self._closed = True
        if self._watching:
            self._watching.cancel()
        with self._lock:
            listeners = list(self._listeners.items())
        for listening, loop in listeners:
            loop.call_soon_threadsafe(listening.woken.set)

    async def _watch(self) -> None:
        """Tell of changes to the catalog while anybody listens, whoever makes them."""
        last = await asyncio.to_thread(self._look)
        while self._listeners:
            await asyncio.sleep(_LOOK)
            state = await asyncio.to_thread(self._look)
            if state is not None and state != last:
                last = state
                self._changes += 1
                self.tell("changed", {"generation": self._changes})

    def _look(self) -> str | None:
        """Return the library's state; None while it cannot be told, as when the database's server
        is away.
        """
        try:
            return self._state()
        except SigseekError:
            return None


def _put(listening: _Listening, name: str, line: str) -> None:
    if name == "progress":
        listening.progress = line
    else:
        listening.events.append((name, line))
    listening.woken.set()
