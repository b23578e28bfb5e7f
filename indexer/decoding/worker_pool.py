"""Worker processes for what may crash, hang or take all memory, as decoding a hostile file may.

They are not multiprocessing's, which import the program's main module again: a script that indexes
without `if __name__ == "__main__"` would start itself over and over.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar, TypeVarTuple

from sigseek.indexer.decoding.limits import Limits
from sigseek.indexer.errors import DecodeError, SlowError, TooLargeError, UndecidedError

_Out = TypeVar("_Out")
_Arguments = TypeVarTuple("_Arguments")

_ENVIRONMENT = {
    # One thread is enough beside the other workers, and the address space is limited, which threads
    # take by the megabyte.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # To give a photo's pages back to the system and take them again for the next costs a twelfth of
    # decoding it.
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
}
_ORDERLY_EXIT = "SIGSEEK_ORDERLY_EXIT"
"""If this environment variable is set, idle processes end by themselves instead of being killed.
That takes longer. Measuring the tests' coverage needs it, for it is written when a process ends.
"""
_ENDING = 10
"""Seconds that a process may take to end."""
_FROM_OUTSIDE = {
    -getattr(signal, name, 0) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
}
"""Exit codes of processes that somebody else ended: the user, or a system short of memory."""


class WorkerPool:
    """A pool of as many worker processes as there are threads that call at the same time.

    Use it as a context manager, or `close` it when done.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, those at work too."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = self._running.difference(idle)
        for worker in busy:
            worker.kill()  # whoever waits for its answer drops it
        for worker in idle:
            if os.environ.get(_ORDERLY_EXIT):
                worker.finish()
            self._drop(worker)

    def call(
        self, limits: Limits, function: Callable[[*_Arguments], _Out], *arguments: *_Arguments
    ) -> _Out:
        """Call the function in a worker process; return what it returns, raise what it raises.

        The function must be one of a module. Several threads may call.

        TooLargeError or SlowError when that takes more than the limits, DecodeError when it ends
        the process, UndecidedError where the arguments are not to blame.
        """
        task = pickle.dumps((function, arguments, limits.memory, limits.processor))
        for again in (False, True):
            worker = self._take(new=again)
            fresh = not worker.used
            try:
                answer = worker.run(task, limits)
            except _SpoiledError as error:
                self._drop(worker)
                if (
                    fresh or not error.suspect
                ):  # else what came before may have left damage, or little memory
                    raise error.failure from None
                continue
            except BaseException:  # the answer may still be on its way
                self._drop(worker)
                raise
            self._put_back(worker)
            if isinstance(answer, Exception):
                raise answer
            result: _Out = answer
            return result
        raise AssertionError("a new worker is fresh")

    def _take(self, *, new: bool) -> "_Worker":
        with self._lock:
            if self._closed:
                raise _ended()
            if self._idle and not new:
                return self._idle.pop()
        worker = _Worker()
        with self._lock:
            self._running.add(worker)
            closed = self._closed
        if closed:
            self._drop(worker)
            raise _ended()
        return worker

    def _put_back(self, worker: "_Worker") -> None:
        with self._lock:
            closed = self._closed
            if not closed:
                self._idle.append(worker)
        if closed:
            self._drop(worker)

    def _drop(self, worker: "_Worker") -> None:
        worker.kill()
        worker.close_pipes()
        with self._lock:
            self._running.discard(worker)


class _SpoiledError(Exception):
    """A process has ended, or should not be used again. `suspect` tells whether an earlier task may
    be the cause.
    """

    def __init__(self, failure: DecodeError, *, suspect: bool) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.suspect = suspect


class _Worker:
    """One process."""

    def __init__(self) -> None:
        # The same modules as here, from wherever they came; -P: never from the folder that the user
        # happens to be in.
        program = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            "from sigseek.indexer.decoding.worker_main import serve; serve()"
        )
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | _ENVIRONMENT,
            )
        except OSError as error:
            raise _not_started(error.strerror or str(error)) from error
        assert self._process.stdin
        assert self._process.stdout
        self._tasks, self._answers = self._process.stdin, self._process.stdout
        self.used = False
        try:
            self._receive()
        except EOFError as error:
            self.kill()
            self.close_pipes()
            raise _not_started(_how_it_ended(self._process.returncode)) from error

    def run(self, task: bytes, limits: Limits) -> Any:
        """The task's result, or the exception that it raised; _SpoiledError when the process should
        not be used again.
        """
        self.used = True
        overdue = threading.Event()
        timer = threading.Timer(limits.wall, self._stop, [overdue])
        timer.daemon = True
        timer.start()
        try:
            pickle.dump(task, self._tasks)
            self._tasks.flush()
            answer = pickle.loads(self._receive())
        except (EOFError, OSError) as error:
            raise self._spoiled(limits, overdue.is_set()) from error
        finally:
            timer.cancel()
        if isinstance(answer, MemoryError):
            much = f"decoding takes more than {limits.memory / 1e6:,.0f} MB of memory"
            raise _SpoiledError(TooLargeError(much), suspect=True)
        return answer

    def _stop(self, overdue: threading.Event) -> None:
        overdue.set()
        self._process.kill()

    def _receive(self) -> bytes:
        """The next answer; EOFError when the process ends first."""
        try:
            answer: bytes = pickle.load(self._answers)
        except pickle.UnpicklingError as error:  # cut off
            raise EOFError from error
        return answer

    def _spoiled(self, limits: Limits, overdue: bool) -> _SpoiledError:
        with suppress(
            subprocess.TimeoutExpired
        ):  # it has closed its pipe, so it is ending: why, it will have told then
            self._process.wait(_ENDING)
        self.kill()
        code = self._process.returncode
        if overdue:
            late = (
                f"decoding took longer than {limits.wall:g} s; the disk or the network may be slow"
            )
            return _SpoiledError(SlowError(late), suspect=False)
        if code == -getattr(signal, "SIGXCPU", 0):
            long = f"decoding takes more than {limits.processor} s of processor time"
            return _SpoiledError(SlowError(long), suspect=False)
        kind = UndecidedError if code in _FROM_OUTSIDE else DecodeError
        return _SpoiledError(
            kind(f"decoding ended the worker process ({_how_it_ended(code)})"), suspect=True
        )

    def finish(self) -> None:
        """Let an idle process end by itself, and wait until it has."""
        with suppress(OSError):
            self._tasks.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING)

    def kill(self) -> None:
        """End the process, and wait until it has."""
        self._process.kill()
        self._process.wait()

    def close_pipes(self) -> None:
        """Close the pipes. Nobody may wait for an answer any more."""
        with suppress(OSError):  # what was not sent yet cannot be sent any more
            self._tasks.close()
        self._answers.close()


def _ended() -> UndecidedError:
    return UndecidedError("the run was stopped")


def _not_started(reason: str) -> UndecidedError:
    return UndecidedError(f"no decoding process could be started ({reason}); memory may be short")


def _how_it_ended(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
