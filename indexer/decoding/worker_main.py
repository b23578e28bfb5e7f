"""The program of a worker process.

It answers task after task from a pipe, until the pipe ends with the process at its other end.

It imports nothing but the standard library. A task brings the modules that it needs.
"""

import math
import os
import pickle
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

if sys.platform != "win32":
    import resource

_LOOK = 0.5  # seconds


def serve() -> None:
    """Answer tasks until the pipe ends.

    A task is a pickle of (function, arguments, bytes of memory, seconds of processor time), pickled
    once more as bytes, so that a task that cannot be unpickled is an error like any other. An
    answer is a result or an exception, pickled twice as well.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that the user started
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    # what decoders print must get neither among the answers nor onto the user's screen
    for standard in range(3):
        os.dup2(null, standard)
    _send(answers, b"ready")
    at_start = 0
    while True:
        try:
            task = pickle.load(tasks)
        except EOFError:
            return
        try:
            function, arguments, memory, processor = pickle.loads(task)
            at_start = at_start or _address_space()  # the first task has brought its imports by now
            _limit(at_start + memory, processor)
            answer = pickle.dumps(function(*arguments))
        except Exception as error:
            answer = _pickled(error)
        try:
            _send(answers, answer)
        except OSError:  # nobody waits for the answer any more
            return


def _end_with(parent: int) -> None:
    """End this process when its parent has gone, even in the middle of a task. Nobody waits for
    the answer then, and nobody would end a task that hangs.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(0)


def _send(answers: IO[bytes], answer: bytes) -> None:
    pickle.dump(answer, answers)
    answers.flush()


def _pickled(error: BaseException) -> bytes:
    """Return the exception as a pickle. An exception that cannot be pickled, or cannot be made from
    its pickle again, becomes a RuntimeError of the same words.
    """
    if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
        return pickle.dumps(MemoryError())
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return pickled


def _address_space() -> int:
    """Return the bytes of address space that this process has; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _limit(memory: int, processor: int) -> None:
    """Have the system refuse this process more memory than `memory` bytes, and end it after so many
    more seconds of processor time.
    """
    if sys.platform == "win32":
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, math.ceil(usage.ru_utime + usage.ru_stime) + processor)
    _lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        _lower(resource.RLIMIT_AS, memory)


def _lower(kind: int, value: int) -> None:
    hard: Any = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
