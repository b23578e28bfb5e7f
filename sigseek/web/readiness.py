"""Whether the library and its model answer."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from dataclasses import dataclass

from sigseek.errors import SigseekError
from sigseek.library import Library
from sigseek.progress import Stop
from sigseek.web.problems import RequestError

_LASTS = 1.0
"""Seconds for which one search answers all callers without a token."""
_PATIENCE = 5.0
"""Seconds after which a caller without a token is told that nothing has answered."""
_LOG = logging.getLogger("sigseek.web")


@dataclass(frozen=True)
class Ready:
    """What answered."""

    photos: int
    model: str | None
    """The checkpoint that embedded a text; None for a library without embeddings, which needs
    none.
    """


class Readiness:
    """Loads in the background what searches need, and finds out whether they are answered."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._stop = Stop()
        self._loading: threading.Thread | None = None
        self._counter = itertools.count()
        self._asking = threading.Lock()
        self._asked = -_LASTS
        self._answered = False

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
            found, kind = str(error), "unavailable"
            if isinstance(error, SigseekError):
                found, kind = error.found, error.kind.value
            raise RequestError(503, found, kind=kind) from error

    def check_for_stranger(self) -> None:
        """Raise RequestError as `check` does, without saying why. However many ask, there is one
        search a second.
        """
        if not self._asking.acquire(timeout=_PATIENCE):
            raise _not_ready()
        try:
            if time.monotonic() >= self._asked + _LASTS:
                try:
                    self.check()
                    self._answered = True
                except RequestError:
                    self._answered = False
                self._asked = time.monotonic()
            if not self._answered:
                raise _not_ready()
        finally:
            self._asking.release()

    def _load(self) -> None:
        try:
            self._search()
        except (SigseekError, OSError) as error:  # `check` tells whoever asks
            _LOG.warning("the model could not be loaded: %s", error)

    def _search(self) -> Ready:
        status = self._library.status()
        if not any(checkpoint.embeddings for checkpoint in status.checkpoints):
            return Ready(status.photos, None)
        # Another text each time: the embeddings of the last ones are kept.
        self._library.search(f"photo number {next(self._counter)}", 1, stop=self._stop)
        return Ready(status.photos, self._library.checkpoint.name)


def _not_ready() -> RequestError:
    return RequestError(
        503,
        "the library cannot be searched now",
        "present the token to be told why",
        headers={"Retry-After": "1"},
    )
