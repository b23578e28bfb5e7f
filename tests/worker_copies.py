"""Worker processes that decode, as copies of one whose modules are loaded."""

import os
import signal
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO

from PIL import Image

from sigseek.indexer.decoding import worker_main, worker_pool
from tests.process_copies import Asked, ProcessCopy, copied_process, serve, start_copy


class _WorkerCopy:
    """A worker process with those members of `subprocess.Popen` that its pool needs."""

    def __init__(self, copy: ProcessCopy, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.stdin, self.stdout = stdin, stdout
        self.wait = copy.wait
        self._copy = copy

    def kill(self) -> None:
        """Kill the process, if it still runs. Another thread may wait for its end."""
        if self._copy.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._copy.pid, signal.SIGKILL)

    @property
    def returncode(self) -> int | None:
        """The status that the process has ended with, None where nobody has waited for it."""
        return self._copy.returncode


def worker_copies() -> AbstractContextManager[Path]:
    """Have a process whose copies are worker processes, in a `with` statement."""
    environment = os.environ | worker_pool._ENVIRONMENT
    return copied_process("tests.worker_copies:serve_workers", environment)


def serve_workers(address: str) -> None:
    """Be a worker process in a copy of this process for each connection."""
    Image.init()  # it would import the modules of all formats at the first photo
    serve(address, ["sigseek.indexer.decoding.guarded"], _become_a_worker)


def start_copies_only(address: Path) -> None:
    """Have the pools of this process start no other worker processes than copies."""

    def start() -> _WorkerCopy:
        tasks, ours_in = os.pipe()
        ours_out, answers = os.pipe()
        asked = {
            "directory": os.getcwd(),
            "environment": dict(os.environ | worker_pool._ENVIRONMENT),
            "path": sys.path,
        }
        try:
            copy = start_copy(address, asked, [tasks, answers])
        finally:
            os.close(tasks)
            os.close(answers)
        return _WorkerCopy(copy, os.fdopen(ours_in, "wb"), os.fdopen(ours_out, "rb"))

    worker_pool._start_process = start  # type: ignore[assignment]


def _become_a_worker(asked: Asked, streams: list[int]) -> None:
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["directory"])
    sys.path[:] = asked["path"]
    worker_main.serve()
