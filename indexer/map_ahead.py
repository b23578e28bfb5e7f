"""A function applied to many items by a pool of threads, a bounded number of items ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from sigseek.indexer.watched_pool import WatchedPool
from sigseek.progress import Stop

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_LOOK = 0.1
"""Seconds between two looks at whether to stop."""


def map_ahead(
    pool: ThreadPoolExecutor | WatchedPool,
    function: Callable[[_In], _Out],
    items: Iterable[_In],
    window: Callable[[], int],
    stop: Stop | None = None,
) -> Iterator[tuple[_In, _Out | Exception]]:
    """Yield each item with the function's result or the exception that it raised, in the items'
    order.

    At most `window()` items are at work or wait to be taken, so memory does not grow with the
    number of items. Ends early, at most a moment after `stop` is set.
    """
    for group in map_ahead_together(pool, function, items, window, 1, stop):
        yield from group


def map_ahead_together(
    pool: ThreadPoolExecutor | WatchedPool,
    function: Callable[[_In], _Out],
    items: Iterable[_In],
    window: Callable[[], int],
    most: int,
    stop: Stop | None = None,
) -> Iterator[list[tuple[_In, _Out | Exception]]]:
    """Yield what `map_ahead` yields, in lists of `most` items at most. A list has the items that
    are done, and is never waited for to become longer.
    """
    running: deque[tuple[_In, Future[_Out]]] = deque()

    def stopped() -> bool:
        """Wait for the first of those that run, and return whether to stop instead."""
        while stop and not stop.is_set() and not running[0][1].done():
            wait([running[0][1]], _LOOK)
        return stop is not None and stop.is_set()

    def finished() -> list[tuple[_In, _Out | Exception]]:
        """Return the first of those that run, when it is done, and those after it that are."""
        found: list[tuple[_In, _Out | Exception]] = []
        while running and (not found or (len(found) < most and running[0][1].done())):
            item, future = running.popleft()
            try:
                found.append((item, future.result()))
            except Exception as error:  # whatever one file brings about is that file's failure
                found.append((item, error))
        return found

    for item in items:
        running.append((item, pool.submit(function, item)))
        while len(running) >= window():
            if stopped():
                return
            yield finished()
    while running and not stopped():
        yield finished()
