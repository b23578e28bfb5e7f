"""Worker processes for tasks that may crash, hang or take all memory, such as decoding a hostile
file.

They are not the processes of multiprocessing, which import the program's main module again: a
script that indexes without `if __name__ == "__main__"` would start itself over and over.
"""

import errno
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Any, Self, TypeVar, TypeVarTuple

from sigseek.indexer.decoding.limits import Limits
from sigseek.indexer.errors import (
    DecodeError,
    DecoderError,
    SlowError,
    TooLargeError,
    UndecidedError,
)

_Out = TypeVar("_Out")
_Arguments = TypeVarTuple("_Arguments")

_ENVIRONMENT = {
    # One thread is enough beside the other workers, and each further one takes megabytes of the
    # address space, which is limited.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    # Giving a photo's pages back to the system and taking them again for the next photo would cost
    # a twelfth of the decoding time.
    "MALLOC_MMAP_THRESHOLD_": str(16 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
}
_ORDERLY_EXIT = "SIGSEEK_ORDERLY_EXIT"
"""If this environment variable is set, idle processes end by themselves instead of being killed.
That takes longer, but a process writes the coverage of the tests only when it ends by itself.
"""
_STARTING = 120.0
"""Seconds that a process may take to start."""
_ENDING = 10.0
"""Seconds that a process may take to end by itself."""
_DYING = 5.0
"""Seconds that a killed process may take to end. A process that waits for a dead disk does not end
before the disk answers, and is left behind.
"""
_FOR_NOW = {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE}
"""Errors of a process that cannot be started now, and perhaps a moment later."""
_FROM_OUTSIDE = {
    -getattr(signal, name, 0) for name in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
}
"""Exit codes of processes that were ended from outside: by the user, or by a system that is short
of memory.
"""


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
            worker.kill()  # the thread that waits for its answer drops it
        for worker in idle:
            if os.environ.get(_ORDERLY_EXIT):
                worker.finish()
            worker.kill()
        for worker in idle:
            self._drop(worker)

    def call(
        self, limits: Limits, function: Callable[[*_Arguments], _Out], *arguments: *_Arguments
    ) -> _Out:
        """Call the function in a worker process; return what it returns, raise what it raises.

        The function must be one of a module. Several threads may call. Raises TooLargeError or
        SlowError when the call takes more than the limits, DecodeError when it ends the process,
        and UndecidedError where the arguments are not to blame.
        """
        task = pickle.dumps((function, arguments, limits.memory, limits.processor))
        for again in (False, True):
            worker = self._take(new=again)
            fresh = not worker.used
            try:
                answer = worker.run(task, limits)
            except _SpoiledError as error:
                self._drop(worker)
                # an earlier task may have left damage, or little memory: try a fresh process
                if fresh or not error.suspect:
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
        worker.wait(_DYING)
        worker.close_tasks()
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
    """One process, and the thread that receives its answers and then waits for its end.

    Reading from a process that cannot be killed may never return, so no other thread does it.
    """

    def __init__(self) -> None:
        try:
            self._process = _start_process()
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in _FOR_NOW:
                raise _not_started(reason) from error
            raise DecoderError(
                f"photos cannot be decoded, because {sys.executable} cannot be started ({reason})",
                "check that this user may run it",
            ) from error
        assert self._process.stdin
        assert self._process.stdout
        self._tasks = self._process.stdin
        self._answers: SimpleQueue[bytes | None] = SimpleQueue()
        """The answers, and None behind the last one."""
        self._receiver = threading.Thread(
            target=self._receive, args=(self._process.stdout,), name="sigseek-worker", daemon=True
        )
        self._receiver.start()
        self.used = False
        if self._answer(_STARTING) is None:
            self.wait(_ENDING)
            self.kill()
            self.close_tasks()
            raise _not_started(_how_it_ended(self._process.returncode))

    def run(self, task: bytes, limits: Limits) -> Any:
        """Return the task's result, or the exception that it raised. Raises _SpoiledError when the
        process should not be used again.
        """
        self.used = True
        overdue, received = False, None
        try:
            pickle.dump(task, self._tasks)
            self._tasks.flush()
            received = self._answers.get(timeout=limits.wall)
        except Empty:
            overdue = True
        except OSError:  # the process has ended
            pass
        if received is None:
            raise self._spoiled(limits, overdue)
        answer = pickle.loads(received)
        if isinstance(answer, MemoryError):
            much = f"decoding takes more than {limits.memory / 1e6:,.0f} MB of memory"
            raise _SpoiledError(TooLargeError(much), suspect=True)
        return answer

    def _answer(self, patience: float) -> bytes | None:
        """Return the next answer; None when the process ends first or none comes in so many
        seconds.
        """
        try:
            return self._answers.get(timeout=patience)
        except Empty:
            return None

    def _receive(self, answers: IO[bytes]) -> None:
        """Pass the answers on until the process has ended."""
        with answers, suppress(EOFError, OSError, pickle.UnpicklingError):  # the last: cut off
            while True:
                self._answers.put(pickle.load(answers))
        self._answers.put(None)
        self._process.wait()

    def _spoiled(self, limits: Limits, overdue: bool) -> _SpoiledError:
        if not overdue:  # it has closed its pipe, so it is ending and will say why
            self.wait(_ENDING)
        self.kill()
        self.wait(_DYING)
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
        self.close_tasks()
        self.wait(_ENDING)

    def kill(self) -> None:
        """Have the system end the process."""
        self._process.kill()

    def wait(self, seconds: float) -> None:
        """Wait until the process has ended, but no longer than so many seconds."""
        self._receiver.join(seconds)

    def close_tasks(self) -> None:
        """Send no more tasks."""
        with suppress(OSError):  # what was not sent yet cannot be sent any more
            self._tasks.close()


def _start_process() -> subprocess.Popen[bytes]:
    # The process imports the same modules as this one, from the same places. Without -P it would
    # also import from the folder that the user happens to be in.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        "from sigseek.indexer.decoding.worker_main import serve; serve()"
    )
    return subprocess.Popen(
        [sys.executable, "-P", "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ENVIRONMENT,
    )


def _ended() -> UndecidedError:
    return UndecidedError("the run was stopped")


def _not_started(reason: str) -> UndecidedError:
    return UndecidedError(f"no decoding process could be started ({reason}); memory may be short")


def _how_it_ended(code: int | None) -> str:
    if code is None:
        return "it does not end"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
