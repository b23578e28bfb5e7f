"""Whether the library and its model answer."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sigseek.errors import ErrorKind, SigseekError, Step
from sigseek.library import Library
from sigseek.progress import Stop
from sigseek.web.problems import RequestError
from sigseek.web.remedies import remedy_fields

_LASTS = 1.0
"""Seconds for which one search answers all callers without a token."""
_PATIENCE = 5.0
"""Seconds after which a search for callers without a token counts as failed."""
_LOOK = "check the disk and the library's files, and ask again"
"""What to do about an error that tells no remedy."""
_LOG = logging.getLogger("sigseek.web")


@dataclass(frozen=True)
class Ready:
    """What answered."""

    photos: int
    """The number of photos that were searched."""
    model: str | None
    """The checkpoint that embedded a text; None for a library without photos, which needs none."""


class Readiness:
    """Loads in the background what searches need, and finds out whether they are answered."""

    def __init__(self, library: Library, spell: Callable[[Step], str]) -> None:
        """Take the library, and the function that writes the steps of remedies."""
        self._library = library
        self._spell = spell
        self._stop = Stop()
        self._loading: threading.Thread | None = None
        self._counter = itertools.count()
        self._asking = threading.Lock()
        self._asked = -_LASTS
        """When the last search for a caller without a token began, or ended."""
        self._answered = False
        """Whether that search was answered."""

    def begin(self) -> None:
        """Begin to load, so that the first search finds everything there."""
        self._loading = threading.Thread(target=self._load, name="loading")
        self._loading.start()

    def close(self) -> None:
        """Stop loading."""
        self._stop.set()
        if self._loading:
            self._loading.join()

    def check(self) -> Ready:
        """Search for a text, and return what answered. Raises RequestError, with the status 503,
        while the model is being loaded and when the search fails.
        """
        if self._loading and self._loading.is_alive():
            raise RequestError(
                503, "the model is being loaded", "ask again", headers={"Retry-After": "1"}
            )
        try:
            return self._search()
        except (SigseekError, OSError) as error:
            _LOG.warning("not ready: %s", error)
            found, kind, remedy = str(error), "unavailable", None
            if isinstance(error, SigseekError):
                found, kind = error.found, error.kind.value
                remedy = remedy_fields(error.remedy, self._spell)
            raise RequestError(503, found, remedy or _LOOK, kind=kind) from error

    def check_for_stranger(self) -> None:
        """Raise RequestError as `check` does, without saying why.

        However many ask, there is one search a second, and only one caller waits for it. Callers
        who come meanwhile are told what the search before found: otherwise they could keep all
        threads of the server waiting.
        """
        if self._asking.acquire(blocking=False):
            try:
                if time.monotonic() >= self._asked + _LASTS:
                    self._ask()
            finally:
                self._asking.release()
        elif time.monotonic() > self._asked + _PATIENCE:
            raise _not_ready()
        if not self._answered:
            raise _not_ready()

    def _ask(self) -> None:
        """Search for callers without a token, and note whether the search was answered."""
        self._asked = time.monotonic()
        try:
            self.check()
            self._answered = True
        except RequestError:
            self._answered = False
        self._asked = time.monotonic()

    def _load(self) -> None:
        try:
            self._search()
            self._library.complete("in")  # begins to read what `in:` is completed with
        except (SigseekError, OSError) as error:  # `check` tells whoever asks
            _LOG.warning("the model could not be loaded: %s", error)

    def _search(self) -> Ready:
        # Another text each time: the embeddings of the last ones are kept.
        text = f"photo number {next(self._counter)}"
        try:
            found = self._library.search(text, 1, stop=self._stop)
        except SigseekError as error:
            if error.kind is not ErrorKind.NOT_FOUND or self._library.list_photos(1).photos:
                raise
            return Ready(0, None)
        return Ready(found.photos, self._library.checkpoint.name)


def _not_ready() -> RequestError:
    return RequestError(
        503,
        "the library cannot be searched now",
        "present the token to be told why",
        headers={"Retry-After": "1"},
    )
