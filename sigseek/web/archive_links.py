"""Links to archives. A browser saves the answer to a link as it arrives, but a link has no room for
a list of photos. So a request leaves the list here, and gets a link.
"""

from __future__ import annotations

import secrets
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence

SECONDS = 300
"""How long a link may be followed."""
_MOST = 100
"""Links that are kept. The oldest go when there are more."""


class ArchiveLinks:
    """Keeps the photos of each link until it is followed. Several threads may use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, str, array[int]]] = OrderedDict()

    def make(self, ids: Sequence[int], login: str) -> str:
        """Keep the photos, and return the token of their link, which only this login may follow."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[token] = (self._clock() + SECONDS, login, array("q", ids))
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return token

    def take(self, token: str, login: str) -> list[int] | None:
        """Return the photos of a link, which cannot be used again. Returns None for a link that is
        unknown, used or too old, and for one that another login made.
        """
        with self._lock:
            while self._kept and next(iter(self._kept.values()))[0] <= self._clock():
                self._kept.popitem(last=False)
            if token not in self._kept or self._kept[token][1] != login:
                return None
            return self._kept.pop(token)[2].tolist()
