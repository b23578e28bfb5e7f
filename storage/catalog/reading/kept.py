"""Answers that are kept in memory until the catalog changes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sized
from typing import Any, TypeVar

from sigseek.storage.catalog.dialect import Dialect

_Answer = TypeVar("_Answer")
_MOST = 32
"""The most answers that are kept."""
_MOST_VALUES = 4_000_000
"""The most values that all kept answers have together. Ids take 8 bytes each."""


class KeptAnswers:
    """The answers to the last questions about one catalog, until anybody changes it.

    Several threads may use it. Answers are given to several callers, so none may be changed.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._lock = threading.Lock()
        self._changes: int | None = None
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()

    def get(
        self, question: Hashable, ask: Callable[[], _Answer], moment: int | None = None
    ) -> _Answer:
        """Return the answer to the question: the kept one, or what `ask` returns.

        A question about a moment has the number of changes from before it, and is asked when
        anybody has changed the catalog since.
        """
        # Asked before the answer is read: what is read may be newer, but never older than this.
        changes = self._dialect.changes()
        if moment not in (None, changes):
            return ask()
        with self._lock:
            if changes != self._changes:
                self._answers.clear()
                self._changes = changes
            if question in self._answers:
                self._answers.move_to_end(question)
                kept: _Answer = self._answers[question]
                # Another thread may have read it after a change that came just now.
                if moment is None or self._dialect.changes() == moment:
                    return kept
        answer = ask()
        with self._lock:
            if changes == self._changes:
                self._answers[question] = answer
                self._leave_out_oldest()
        return answer

    def has(self, question: Hashable) -> bool:
        """Return whether an answer to the question is kept that nobody has changed the catalog
        since.
        """
        changes = self._dialect.changes()
        with self._lock:
            return changes == self._changes and question in self._answers

    def _leave_out_oldest(self) -> None:
        """Leave out the answers that were not asked for longest, until few enough are kept."""
        values = sum(map(_length, self._answers.values()))
        while self._answers and (len(self._answers) > _MOST or values > _MOST_VALUES):
            values -= _length(self._answers.popitem(last=False)[1])


def _length(answer: object) -> int:
    return len(answer) if isinstance(answer, Sized) else 1
