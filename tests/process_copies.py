"""Processes that are copies of one whose modules are loaded (`os.fork`): importing them again takes
longer than most of what the tests have processes do.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_SECONDS = 300
_PID = 10
"""Characters in which a process id is told."""

Asked = dict[str, Any]
"""What a copy is asked to do: anything that JSON has."""


class ProcessCopy:
    """A copy at work, with those methods of `subprocess.Popen` that its users need."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(connection.recv(_PID, socket.MSG_WAITALL))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the status that the process ends with. Raises subprocess.TimeoutExpired where it
        still runs after so many seconds.
        """
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._connection.recv(100))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the status that the process has ended with, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send the process a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send the process SIGTERM, if it still runs."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the process, if it still runs."""
        self.send_signal(signal.SIGKILL)


def start_copy(address: Path, asked: Asked, streams: Sequence[int]) -> ProcessCopy:
    """Have the process that serves at the address make a copy of itself, which does what is asked
    with these open files.
    """
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_SECONDS)
    connection.connect(str(address))
    socket.send_fds(connection, [b"\0"], list(streams))
    connection.sendall(json.dumps(asked).encode() + b"\n")
    return ProcessCopy(connection)


@contextmanager
def copied_process(function: str, environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Have a process whose copies can be started at the given address, in a `with` statement.

    `function` is "module:name" of what it calls with the address. That function calls `serve`.
    """
    module, name = function.split(":")
    with tempfile.TemporaryDirectory(prefix="sigseek-copies-") as directory:
        address = Path(directory) / "socket"
        code = f"from {module} import {name}; {name}({str(address)!r})"
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield address
            process.communicate()  # it ends when its input does


def serve(address: str, modules: Sequence[str], do: Callable[[Asked, list[int]], None]) -> None:
    """Import the modules, and call `do` in a copy of this process for each connection, with what is
    asked and the open files, until the input ends. The connection is told the copy's status.
    """
    for name in modules:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a copy has one thread, whatever others were doing"
    gc.freeze()  # else the collector of each copy would write to all that is shared
    at_work: dict[int, tuple[int, socket.socket]] = {}
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listening, sys.stdin, *at_work], [], [])
            if sys.stdin in readable:
                return
            for ended in at_work.keys() & readable:
                _tell_status(*at_work.pop(ended))
                os.close(ended)
            if listening in readable:
                connection, _ = listening.accept()
                asked, streams = _what_is_asked(connection)
                if asked is None:
                    continue
                copy_ends, copy_runs = os.pipe()
                copy = os.fork()
                if copy == 0:
                    listening.close()
                    for file, (_, other) in [(copy_ends, (0, connection)), *at_work.items()]:
                        os.close(file)
                        other.close()
                    do(asked, streams)
                    os._exit(0)
                for file in (copy_runs, *streams):
                    os.close(file)
                with suppress(ConnectionError):
                    connection.sendall(f"{copy:{_PID}}".encode())
                at_work[copy_ends] = copy, connection


def _what_is_asked(connection: socket.socket) -> tuple[Asked | None, list[int]]:
    """Return what a copy is asked to do, and its open files. Whoever asks may be killed before all
    is said: then close them and the connection, and return None.
    """
    streams: list[int] = []
    with suppress(ConnectionError, ValueError):  # the last: it was cut off
        _, streams, _, _ = socket.recv_fds(connection, 1, 2)
        return json.loads(connection.makefile("rb").readline()), streams
    for file in streams:
        os.close(file)
    connection.close()
    return None, []


def _tell_status(copy: int, connection: socket.socket) -> None:
    """Tell the connection, if its other end is still there, the status that the copy ended with."""
    _, status = os.waitpid(copy, 0)
    with connection, suppress(ConnectionError):
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
