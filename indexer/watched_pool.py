"""Threads that read from disks, and a watchdog that gives up on disks that do not answer.

A read from a dead network mount may never return, and nothing can end the thread that waits for it.
Such a thread is left behind and another takes its place. All threads are daemons, so the ones left
behind do not keep the program from ending, as those of ThreadPoolExecutor would.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

from sigseek.indexer.errors import SilentDiskError, UndecidedError

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(eq=False)
class _Task:
    """One call. `sign_of_life` is on the monotonic clock."""

    function: Callable[[Any], Any]
    item: Any
    future: Future[Any] = field(default_factory=Future)
    sign_of_life: float = 0.0


class WatchedPool:
    """A pool of `threads` whose tasks give signs of life.

    A task that gave none for `patience` seconds fails with SilentDiskError, whatever becomes of its
    thread. Close it when done.
    """

    def __init__(self, threads: int, patience: float) -> None:
        self._threads = threads
        self._patience = patience
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._current = threading.local()
        self._lock = threading.Lock()
        self._running: set[_Task] = set()
        self._started = False
        self._closed = threading.Event()

    def submit(self, function: Callable[[_In], _Out], item: _In) -> Future[_Out]:
        """Have a thread call the function with the item."""
        if not self._started:
            self._started = True
            for _ in range(self._threads):
                self._start(self._work)
            self._start(self._watch)
        task = _Task(function, item)
        self._tasks.put(task)
        return task.future

    def give_sign_of_life(self) -> None:
        """Note that the task that calls this is not stuck. Raises UndecidedError, which ends the
        task, once the pool is closed.
        """
        if self._closed.is_set():
            raise UndecidedError("the run was stopped")
        self._current.task.sign_of_life = time.monotonic()

    def close(self) -> None:
        """Start no other tasks. Those that run end at their next sign of life; nobody waits for
        them.
        """
        self._closed.set()
        for _ in range(self._threads):
            self._tasks.put(None)

    def _start(self, run: Callable[[], None]) -> None:
        threading.Thread(target=run, name="sigseek-read", daemon=True).start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None and not self._closed.is_set():
            self._current.task = task
            task.sign_of_life = time.monotonic()
            with self._lock:
                self._running.add(task)
            try:
                result, error = task.function(task.item), None
            except BaseException as raised:  # whatever it is, it belongs to whoever waits
                result, error = None, raised
            with self._lock:
                if task not in self._running:  # given up meanwhile: another thread is in place
                    return
                self._running.remove(task)
            if error is None:
                task.future.set_result(result)
            else:
                task.future.set_exception(error)
            del task, result, error  # not kept alive while waiting for the next

    def _watch(self) -> None:
        while not self._closed.wait(min(1.0, self._patience / 4)):
            with self._lock:
                late = time.monotonic() - self._patience
                stuck = {task for task in self._running if task.sign_of_life < late}
                self._running -= stuck
            for task in stuck:
                self._start(self._work)
                why = f"the disk gave nothing of it for {self._patience:g} s"
                task.future.set_exception(SilentDiskError(f"reading it was given up: {why}"))
