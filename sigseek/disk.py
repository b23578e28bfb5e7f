"""Questions to a disk that may not answer, such as a network mount whose server is gone.

A question to such a disk may never return, and nothing can end the thread that asks it. So a thread
of its own asks each question, and is left behind when the answer does not come.

Every room may import this module; it imports none of them.
"""

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

_Out = TypeVar("_Out")

PATIENCE = 60.0
"""Seconds in which a disk must answer. A sleeping disk wakes up in 15."""
_BRIEFLY = 2.0
"""Seconds in which a disk must answer while another question is without an answer. Both are mostly
about one disk.
"""
MOST_SILENT = 3
"""The files or directories in a row that may give no answer before the whole folder is given up."""


class _Asker:
    """A thread that asks one question at a time. Starting one for each would take ten times longer
    than handing the question over.
    """

    def __init__(self) -> None:
        self._questions: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._answers: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        threading.Thread(target=self._ask, name="sigseek-ask", daemon=True).start()

    def put(self, question: Callable[[], Any]) -> None:
        """Begin to ask the question."""
        self._questions.put(question)

    def answer(self, patience: float) -> tuple[Any, BaseException | None]:
        """Return the answer, or raise what the question raised. Raises queue.Empty when no answer
        comes in time.
        """
        return self._answers.get(timeout=patience)

    def _ask(self) -> None:
        while True:
            question = self._questions.get()
            try:
                self._answers.put((question(), None))
            except BaseException as error:  # whatever it is, it belongs to whoever asked
                self._answers.put((None, error))
            del question  # not kept alive while waiting for the next


_lock = threading.Lock()
_idle: list[_Asker] = []
_waiting: dict[str, _Asker] = {}
"""The askers whose questions no disk has answered yet, by the directory that the question is
about.
"""


def _forget_threads() -> None:
    """Begin anew in a process that was forked off: no thread of its parent runs in it, and one of
    them may have held the lock.
    """
    global _lock
    _lock = threading.Lock()
    _idle.clear()
    _waiting.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_threads)


def is_there(path: str) -> bool:
    """Return whether there is a file or directory at this path; False when its disk does not
    answer.

    The hits of one search may be in many directories of one disk. So while one of these is without
    an answer, others are waited for only briefly.
    """
    patience = min(_BRIEFLY, PATIENCE) if _some_are_silent() else PATIENCE
    return ask(Path(path).parent, partial(os.path.exists, path), False, patience)


def first_there(photos: Sequence[Sequence[str]]) -> list[str | None]:
    """Return, for the paths of each photo, the first one that is there; None where there is none,
    or where its disk does not answer.

    All disks are asked in one question, which takes a tenth of the time of a question for each
    path. If that one gets no answer, `is_there` finds out which disk is silent.
    """
    found: list[str | None] | None = None
    if any(photos) and not _some_are_silent():
        first = next(filter(None, photos))[0]
        found = ask(Path(first), lambda: [_first(paths, os.path.exists) for paths in photos], None)
    return [_first(paths, is_there) for paths in photos] if found is None else found


def ask_of_each(
    paths: Sequence[str], question: Callable[[str], _Out], if_silent: _Out
) -> list[_Out]:
    """Return what the question returns for each path, or `if_silent` where a disk does not answer.

    All are asked together, which takes a tenth of the time of a question for each path. If there is
    no answer, a question for each finds out which disk is silent.
    """
    found: list[_Out] | None = None
    if paths and not _some_are_silent():
        found = ask(Path(paths[0]).parent, lambda: [question(path) for path in paths], None)
    if found is None:
        return [ask(Path(path).parent, partial(question, path), if_silent) for path in paths]
    return found


def _first(paths: Sequence[str], has: Callable[[str], bool]) -> str | None:
    return next(filter(has, paths), None)


def _some_are_silent() -> bool:
    """Return whether any disk owes an answer."""
    with _lock:
        return not all(map(_answers_again, list(_waiting)))


def ask(
    directory: Path, question: Callable[[], _Out], if_silent: _Out, patience: float | None = None
) -> _Out:
    """Return what the question, which is about the directory or something in it, returns; or
    `if_silent` when the disk does not answer in `patience` seconds, by default in `PATIENCE`. What
    the question raises is raised here.

    A directory that did not answer is not asked again before that answer comes, because every
    further question would take as long and leave another thread behind.
    """
    with _lock:
        if not _answers_again(str(directory)):
            return if_silent
        asker = _idle.pop() if _idle else _Asker()
    asker.put(question)
    try:
        answer, error = asker.answer(PATIENCE if patience is None else patience)
    except Empty:
        with _lock:
            _waiting[str(directory)] = asker
        return if_silent
    with _lock:
        _idle.append(asker)
    if error is not None:
        raise error
    result: _Out = answer
    return result


def _answers_again(directory: str) -> bool:
    """Return whether the disk of the directory owes no answer, or has given it by now."""
    asker = _waiting.get(directory)
    if asker is None:
        return True
    try:
        asker.answer(0)
    except Empty:
        return False
    del _waiting[directory]
    _idle.append(asker)
    return True
