"""Looks in several threads: their order, how many wait, and how an error ends them."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from sigseek.search.duplicates.looking import in_threads


def test_results_come_in_the_order_of_the_looks() -> None:
    def look(number: int) -> Callable[[], int]:
        def slow_if_even() -> int:
            time.sleep(0.01 if number % 2 == 0 else 0)
            return number

        return slow_if_even

    assert list(in_threads(map(look, range(40)))) == list(range(40))


def test_only_a_few_looks_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    taken = 0

    def looks() -> Iterator[Callable[[], int]]:
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield int

    found = in_threads(looks())
    assert taken == 0
    next(found)
    assert taken == 5
    found.close()  # type: ignore[attr-defined]
    assert taken == 5


def test_looks_are_taken_in_the_thread_that_asks() -> None:
    takers, lookers = set(), set()

    def looks() -> Iterator[Callable[[], None]]:
        for _ in range(10):
            takers.add(threading.get_ident())
            yield lambda: lookers.add(threading.get_ident())

    list(in_threads(looks()))
    assert takers == {threading.get_ident()}
    assert lookers
    assert threading.get_ident() not in lookers


@pytest.mark.parametrize("place", ["a look", "the looks"])
def test_an_error_ends_them(place: str) -> None:
    def fail() -> None:
        raise ValueError(place)

    def looks() -> Iterator[Callable[[], None]]:
        yield lambda: None
        if place == "a look":
            yield fail
        else:
            fail()

    with pytest.raises(ValueError, match=place):
        list(in_threads(looks()))
    assert not [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]
