"""Work that nothing can interrupt, such as the compilation of a tower."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from sigseek.progress import Stop

_Result = TypeVar("_Result")

_LOOK = 0.05
"""How often, in seconds, the stop token is looked at while the work goes on."""


def run_until_stopped(work: Callable[[], _Result], stop: Stop) -> _Result:
    """Return what `work` returns; raises what it raises.

    A thread of its own does the work. When `stop` is set, StoppedError is raised at once. The work
    is then finished in the background, and nobody gets its result. A Python program that ends
    meanwhile waits for it, because a native library that is torn down at work may crash.
    """
    stop.check()
    result: Future[_Result] = Future()

    def run() -> None:
        try:
            result.set_result(work())
        except BaseException as error:  # whatever it is, it belongs to whoever waits
            result.set_exception(error)

    threading.Thread(target=run, name="sigseek-work").start()
    while wait([result], _LOOK).not_done:
        stop.check()
    return result.result()
