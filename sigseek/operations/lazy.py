"""Loading what is needed when it is needed, in a program of several threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

from sigseek.progress import Stop

_T = TypeVar("_T")
_Aside = TypeVar("_Aside")
_Here = TypeVar("_Here")


class Lazy(Generic[_T]):
    """A value that is loaded once, however many threads ask for it.

    While one thread loads it, the others wait. A load that raises leaves nothing behind: the next
    call tries again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: list[_T] = []  # at most one; a list, so that None may be a value

    def get(self, load: Callable[[], _T], stop: Stop | None = None) -> _T:
        """Return the value, which `load` makes unless it is there. Raises whatever `load` does, and
        StoppedError when `stop` is set while another thread loads the value.
        """
        loaded = self._loaded
        if not loaded:
            with (stop or Stop()).holding(self._lock):
                loaded = self._loaded
                if not loaded:
                    loaded = self._loaded = [load()]
        return loaded[0]

    @property
    def is_loaded(self) -> bool:
        """Whether `get` would return at once."""
        return bool(self._loaded)

    def clear(self) -> list[_T]:
        """Forget the value, and return it in a list if there was one."""
        with self._lock:
            loaded, self._loaded = self._loaded, []
        return loaded


def side_by_side(aside: Callable[[], _Aside], here: Callable[[], _Here]) -> tuple[_Aside, _Here]:
    """Return the results of two functions that run at the same time, `aside` in another thread.

    When `here` raises, nobody waits for `aside`.
    """
    pool = ThreadPoolExecutor(1)
    try:
        running = pool.submit(aside)
        mine = here()
        return running.result(), mine
    finally:
        pool.shutdown(wait=False)
