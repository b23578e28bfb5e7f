"""Worker processes that outlast the runs that use them: starting two takes longer than most runs
of the tests do.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sigseek.indexer.decoding.worker_pool import WorkerPool, _Worker

_MOST = 4
"""The most idle processes that are kept."""


class KeptWorkers:
    """The idle worker processes of pools that were closed, for the next pools of this process."""

    def __init__(self) -> None:
        self.wanted = True
        """Whether pools take processes from here and leave theirs here."""
        self._directory = Path.cwd()
        """Where the processes are. A test that goes elsewhere starts its own."""
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    def take(self) -> _Worker | None:
        """Return a process that is alive, None if there is none."""
        with self._lock:
            while self._may_be_used() and self._idle:
                worker = self._idle.pop()
                if worker._receiver.is_alive():
                    return worker
                worker.close_tasks()
        return None

    def keep(self, worker: _Worker) -> bool:
        """Keep the process for the next pool, and return True, or False where it has to end."""
        with self._lock:
            if not self._may_be_used() or len(self._idle) >= _MOST:
                return False
            self._idle.append(worker)
            return True

    def _may_be_used(self) -> bool:
        return self.wanted and self._directory.samefile(".")

    def end(self) -> None:
        """End the processes that are kept."""
        with WorkerPool() as pool:
            pool._idle, self._idle = self._idle, []


@contextmanager
def keeping_workers() -> Iterator[KeptWorkers]:
    """Have the pools of this process use each other's worker processes in a `with` statement."""
    kept = KeptWorkers()
    take, close = WorkerPool._take, WorkerPool.close

    def take_kept(pool: WorkerPool, *, new: bool) -> _Worker:
        worker = None if new or pool._idle or pool._closed else kept.take()
        if worker is None:
            return take(pool, new=new)
        with pool._lock:
            pool._running.add(worker)
        return worker

    def close_kept(pool: WorkerPool) -> None:
        with pool._lock:
            for worker in [worker for worker in pool._idle if kept.keep(worker)]:
                pool._idle.remove(worker)
                pool._running.remove(worker)
        close(pool)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkerPool, "_take", take_kept)
        patch.setattr(WorkerPool, "close", close_kept)
        yield kept
    kept.end()
