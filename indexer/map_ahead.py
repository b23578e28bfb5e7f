"""A function applied to many items by a thread pool, a bounded number of items ahead."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def map_ahead(
    pool: ThreadPoolExecutor,
    function: Callable[[_In], _Out],
    items: Iterable[_In],
    window: Callable[[], int],
) -> Iterator[tuple[_In, _Out | Exception]]:
    """Each item with the function's result or the exception that it raised, in the items' order.

    At most `window()` items are at work or wait to be taken, so memory does not grow with the
    number of items.
    """
    running: deque[tuple[_In, Future[_Out]]] = deque()

    def finished() -> tuple[_In, _Out | Exception]:
        item, future = running.popleft()
        try:
            return item, future.result()
        except Exception as error:  # whatever one file brings about is that file's failure
            return item, error

    for item in items:
        running.append((item, pool.submit(function, item)))
        while len(running) >= window():
            yield finished()
    while running:
        yield finished()
