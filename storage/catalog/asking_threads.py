"""Questions that several threads ask at the same time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

_Answer = TypeVar("_Answer")


def ask_in_threads(
    questions: Sequence[Callable[[], _Answer]],
    others: int,
    begin: Callable[[], AbstractContextManager[bool]],
) -> list[_Answer]:
    """Return the answers to the questions, which this thread and `others` more ask.

    Each of the other threads asks within `begin`, and asks nothing where that gives False. After an
    error no further question is asked. The error is raised when all threads have ended.
    """
    waiting = deque(enumerate(questions))
    answers: dict[int, _Answer] = {}

    def ask_waiting() -> None:
        while True:
            try:
                place, ask = waiting.popleft()
            except IndexError:
                return
            try:
                answers[place] = ask()
            except BaseException:
                waiting.clear()
                raise

    def ask_within() -> None:
        with begin() as may_ask:
            if may_ask:
                ask_waiting()

    with ThreadPoolExecutor(others) as threads:
        asking = [threads.submit(ask_within) for _ in range(others)]
        ask_waiting()
    for thread in asking:
        thread.result()
    return [answers[place] for place in range(len(questions))]
