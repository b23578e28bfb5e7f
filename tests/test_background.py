"""Work that nothing can interrupt, and a caller who may leave before it is done."""

import threading

import pytest

from sigseek.errors import StoppedError
from sigseek.progress import Stop
from sigseek.siglip.runtimes.background import run_until_stopped


@pytest.fixture
def stopped() -> Stop:
    stop = Stop()
    stop.set()
    return stop


def test_results_and_errors_come_as_they_are() -> None:
    assert run_until_stopped(lambda: 3, Stop()) == 3
    assert run_until_stopped(threading.get_ident, Stop()) != threading.get_ident()

    def fail() -> None:
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match=r"^of the work$"):
        run_until_stopped(fail, Stop())


def test_the_caller_leaves_at_the_stop_and_the_work_is_done_all_the_same() -> None:
    stop, may_end, ended = Stop(), threading.Event(), threading.Event()

    def work() -> None:
        stop.set()
        assert may_end.wait(60)
        ended.set()

    with pytest.raises(StoppedError):
        run_until_stopped(work, stop)
    assert not ended.is_set()
    may_end.set()
    assert ended.wait(60)


def test_nothing_is_begun_after_a_stop(stopped: Stop) -> None:
    begun: list[int] = []
    with pytest.raises(StoppedError):
        run_until_stopped(lambda: begun.append(1), stopped)
    assert begun == []
