"""The questions about a library that are being answered."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Questions:
    """Counts the questions that are being answered. Several threads may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

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

    def are_left(self) -> bool:
        """Return whether any question is being answered."""
        return self._count > 0
