"""Threads are let in, in the order in which they came, and wait no more when they are stopped."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sigseek.errors import StoppedError
from sigseek.operations.fair_semaphore import FairSemaphore
from sigseek.progress import Stop


def wait_until_waiting(semaphore: FairSemaphore, threads: int) -> None:
    while len(semaphore._waiting) < threads:
        time.sleep(0.001)


def test_as_many_threads_as_allowed_are_in_and_the_others_follow_in_their_order() -> None:
    semaphore, entered = FairSemaphore(2), []
    leave = [threading.Event() for _ in range(5)]

    def enter(number: int) -> None:
        with semaphore.holding(Stop()):
            entered.append(number)
            leave[number].wait(30)

    with ThreadPoolExecutor(5) as threads:
        done: list[Any] = []
        for number in range(5):
            done.append(threads.submit(enter, number))
            while len(entered) < min(number + 1, 2):
                time.sleep(0.001)
            wait_until_waiting(semaphore, max(0, number - 1))
        assert entered == [0, 1]
        for number, leaves in enumerate((1, 0, 2, 3, 4)):
            leave[leaves].set()
            done[leaves].result(30)
            while len(entered) < min(number + 3, 5):
                time.sleep(0.001)
            assert entered == list(range(min(number + 3, 5)))
    assert semaphore._free == 2


def test_a_thread_that_is_stopped_while_it_waits_keeps_nobody_out() -> None:
    semaphore, stop = FairSemaphore(1), Stop()

    def enter(until: Stop) -> str:
        with semaphore.holding(until):
            return "in"

    with ThreadPoolExecutor(2) as threads:
        with semaphore.holding(Stop()):
            stopped = threads.submit(enter, stop)
            wait_until_waiting(semaphore, 1)
            other = threads.submit(enter, Stop())
            wait_until_waiting(semaphore, 2)
            stop.set()
            with pytest.raises(StoppedError):
                stopped.result(30)
            assert not other.done()
        assert other.result(30) == "in"
    with pytest.raises(ZeroDivisionError), semaphore.holding(Stop()):
        raise ZeroDivisionError
    assert enter(Stop()) == "in"
