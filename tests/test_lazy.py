"""Values that are loaded when they are needed, and work that goes on side by side."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from sigseek.errors import StoppedError
from sigseek.operations.lazy import Lazy, side_by_side
from sigseek.progress import Stop


def test_one_load_however_many_threads_ask() -> None:
    lazy: Lazy[object] = Lazy()
    loads: list[object] = []

    def load() -> object:
        loads.append(object())
        if len(loads) == 1:
            raise OSError("the first time goes wrong")
        return loads[-1]

    with pytest.raises(OSError, match="the first time"):
        lazy.get(load)
    assert not lazy.is_loaded
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: lazy.get(load), range(64))) == {loads[-1]}
    assert len(loads) == 2
    assert lazy.clear() == [loads[-1]]
    assert lazy.clear() == []


def test_nobody_waits_for_another_threads_load_after_a_stop() -> None:
    lazy: Lazy[str] = Lazy()
    stop, loading, may_end = Stop(), Event(), Event()

    def load() -> str:
        loading.set()
        assert may_end.wait(60)
        return "loaded"

    def refuse() -> str:
        raise AssertionError("another thread loads it")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lazy.get, load)
        assert loading.wait(60)
        stop.set()
        with pytest.raises(StoppedError):
            lazy.get(refuse, stop)
        may_end.set()
        assert first.result() == "loaded"
    assert lazy.get(refuse, stop) == "loaded", "what is there costs no time"


def test_an_error_here_does_not_wait_for_what_runs_aside() -> None:
    gate = Event()

    def fail() -> None:
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        side_by_side(lambda: gate.wait(60), fail)
    gate.set()
    assert side_by_side(lambda: 1, lambda: 2) == (1, 2)
