"""The questions about a library that are being answered."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Questions:
    """Counts the questions that are being answered. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._last = -math.inf
        """When the last question was answered, by the monotonic clock in seconds."""

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a question that is answered in the `with` statement."""
        with self._lock:
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                self._last = time.monotonic()

    def are_left(self) -> bool:
        """Return whether any question is being answered."""
        return self._count > 0

    def were_asked(self, seconds: float) -> bool:
        """Return whether any question is being answered, or was in the last so many seconds."""
        return self.are_left() or time.monotonic() - self._last < seconds
