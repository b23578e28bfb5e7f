"""Close looks in several threads."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

LOOKED_TOGETHER = 512
"""Pairs that one thread looks at."""
_AHEAD = 2
"""How many looks are prepared for each thread."""

_Seen = TypeVar("_Seen")


def in_threads(looks: Iterable[Callable[[], _Seen]]) -> Iterator[_Seen]:
    """Yield what each look returns, in their order.

    Looks are taken in the caller's thread, so what they need may be read from a catalog there, and
    only a few are waiting at any time.
    """
    count = os.cpu_count() or 1
    threads = ThreadPoolExecutor(count)
    waiting: deque[Future[_Seen]] = deque()
    try:
        for look in looks:
            waiting.append(threads.submit(look))
            if len(waiting) > _AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)
