"""A semaphore that lets threads in, in the order in which they came."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sigseek.progress import LOOK, Stop


class FairSemaphore:
    """Lets a number of threads in at a time. With `threading.Semaphore`, a thread that comes back
    at once would often be let in before those that wait.
    """

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._free = threads
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def holding(self, stop: Stop) -> Iterator[None]:
        """Let this thread in, and another one in its place at the end of the `with` statement.
        Raises StoppedError when `stop` is set while this thread waits.
        """
        let_in = threading.Event()
        with self._lock:
            self._waiting.append(let_in)
            self._let_in()
        try:
            while not let_in.wait(LOOK):
                stop.check()
            yield
        finally:
            with self._lock:
                if let_in.is_set():
                    self._free += 1
                else:
                    self._waiting.remove(let_in)
                self._let_in()

    def _let_in(self) -> None:
        """Let in who has waited longest, while there is room. The lock is held."""
        while self._free and self._waiting:
            self._free -= 1
            self._waiting.popleft().set()
