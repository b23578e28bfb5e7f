"""The program of a worker process: it answers task after task from a pipe, until the pipe
ends with the process at its other end.

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
    """Answer tasks: each a pickle of (function, arguments, bytes of memory, seconds of processor
    time), itself pickled as bytes, so that one that cannot be unpickled is an error like another.
    The answers, results or exceptions, come likewise.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that the user started
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(
        3
    ):  # what decoders print must not get among the answers, nor onto the user's screen
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
        except OSError:  # nobody waits for it any more
            return


def _end_with(parent: int) -> None:
    """End this process when its parent has gone, at work too: nobody waits for the answer, nor
    would stop it when it hangs.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(0)


def _send(answers: IO[bytes], answer: bytes) -> None:
    pickle.dump(answer, answers)
    answers.flush()


def _pickled(error: BaseException) -> bytes:
    """Some exceptions cannot be pickled, others not be made again from it."""
    if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
        return pickle.dumps(MemoryError())
    try:
        pickled = pickle.dumps(error)
        pickle.loads(pickled)
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
    return pickled


def _address_space() -> int:
    """Bytes of address space that this process has; 0 where that is not told."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _limit(memory: int, processor: int) -> None:
    """Have the system refuse more memory, and end this process when it has computed for so long."""
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
