"""Questions that several threads ask together, from one moment."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import sigseek
from sigseek.operations import facets as counting
from sigseek.progress import Stop, StoppedError
from sigseek.storage import Catalog, PhotoFacts, file_system
from sigseek.storage.catalog.asking_threads import ask_in_threads

WAIT = 30.0
"""Seconds after which a thread that waits for another one fails."""


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)


@contextmanager
def _beginning(may_ask: bool) -> Iterator[bool]:
    yield may_ask


def _add_photos(catalog: Catalog, first: int, count: int) -> None:
    facts = [
        PhotoFacts(number.to_bytes(32, "big"), 4, 3, "JPEG", camera=f"Acme {number % 3}")
        for number in range(first, first + count)
    ]
    with catalog.transaction() as transaction:
        transaction.add_photos(facts)


def _in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(WAIT)
    assert not thread.is_alive()


def test_answers_come_in_the_order_of_the_questions() -> None:
    questions = [lambda number=number: number**2 for number in range(50)]  # type: ignore[misc]
    found = ask_in_threads(questions, 3, lambda: _beginning(True))
    assert found == [number**2 for number in range(50)]


def test_questions_are_asked_at_the_same_time(tmp_path: Path) -> None:
    """Each of the two questions waits for the other one."""
    both = threading.Barrier(2)
    catalog = Catalog(tmp_path)
    assert sorted(catalog.ask_together([lambda: both.wait(WAIT)] * 2)) == [0, 1]
    catalog.close()


def test_a_thread_that_may_not_ask_asks_nothing() -> None:
    asking = ask_in_threads([threading.get_ident] * 20, 3, lambda: _beginning(False))
    assert set(asking) == {threading.get_ident()}


def test_one_thread_reads_on_a_network_drive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_system, "file_system_type", lambda directory: "nfs4")
    catalog = Catalog(tmp_path)
    assert set(catalog.ask_together([threading.get_ident] * 20)) == {threading.get_ident()}
    catalog.close()


@pytest.mark.parametrize("failing", ["this thread", "another thread"])
def test_after_an_error_no_further_question_is_asked(tmp_path: Path, failing: str) -> None:
    both = threading.Barrier(2)
    asked: list[None] = []
    this_thread = threading.get_ident()

    def fail_in_one_thread() -> None:
        both.wait(WAIT)
        if (threading.get_ident() == this_thread) == (failing == "this thread"):
            raise ValueError("no answer")

    def take_long() -> None:
        time.sleep(0.01)
        asked.append(None)

    with pytest.raises(ValueError, match="no answer"):
        ask_in_threads([fail_in_one_thread] * 2 + [take_long] * 1000, 1, lambda: _beginning(True))
    assert len(asked) < 1000

    def fail() -> None:
        raise ValueError("no answer")

    catalog = Catalog(tmp_path)
    with pytest.raises(ValueError, match="no answer"):
        catalog.ask_together([fail, fail])
    assert catalog.ask_together([lambda: both.wait(WAIT)] * 2)  # two threads ask again
    catalog.close()


def test_a_call_while_another_one_has_threads_is_answered_by_its_own(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    both = threading.Barrier(2)

    def ask() -> set[int]:
        both.wait(WAIT)
        return set(catalog.ask_together([threading.get_ident] * 20))

    one, other = catalog.ask_together([ask, ask])
    assert len(one) == len(other) == 1
    assert one != other
    catalog.close()


def test_all_threads_see_the_moment_of_the_one_that_was_asked(
    open_catalog: Callable[[], Catalog],
) -> None:
    """A change comes before the others begin, or while they ask."""
    catalog = open_catalog()
    _add_photos(catalog, 0, 10)

    def add_one(number: int) -> int:
        _in_a_thread(lambda: _add_photos(catalog, number, 1))
        return catalog.count_all_photos()

    for number in range(10, 14):
        with catalog.moment():
            assert catalog.count_all_photos() == number
            if number % 2:
                add_one(number)
                found = catalog.ask_together([catalog.count_all_photos] * 12)
            else:
                found = catalog.ask_together(
                    [lambda number=number: add_one(number), *[catalog.count_all_photos] * 12]  # type: ignore[misc]
                )
            assert set(found) == {number}
    assert catalog.count_all_photos() == 14


def test_counts_of_all_kinds_fit_together_while_photos_are_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_MANY", 0)
    catalog = Catalog(tmp_path)
    _add_photos(catalog, 0, 20)
    is_over = threading.Event()
    wrong = []

    def count() -> None:
        while not is_over.is_set():
            found = library.facets(limit=100)
            for kind in ("year", "camera", "format", "folder", "tag"):
                photos = sum(facet.photos for facet in found if facet.by == kind)
                if photos != found.photos:
                    wrong.append((kind, photos, found.photos))

    with sigseek.open(tmp_path, model="no model is needed") as library:
        threads = [threading.Thread(target=count) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(20, 40):
            _add_photos(catalog, number, 1)
        is_over.set()
        for thread in threads:
            thread.join(WAIT)
        assert not wrong
        assert library.facets().photos == 40
        stop = Stop()
        stop.set()
        with pytest.raises(StoppedError):
            library.facets(stop=stop)
    catalog.close()
