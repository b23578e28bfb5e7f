"""The program, started without importing its modules again: that takes longer than most commands
of the tests do.

A process imports what commands need, and makes a copy of itself (`os.fork`) for each run. The copy
has arguments, environment, directory and streams of its own, and runs `main` of `sigseek` to the
end. All else is as in a process that was started.
"""

import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

SIGSEEK = Path(sys.executable).parent / "sigseek"
_SECONDS = 300
_PID = 10
"""Characters in which a process id is told."""
_NEEDED = (
    "faiss",
    "filelock",
    "sentencepiece",
    "sigseek.cities",
    "sigseek.cli.index",
    "sigseek.cli.main",
    "sigseek.cli.search",
    "sigseek.cli.status",
    "sigseek.indexer.decoding.guarded",
    "sigseek.indexer.ingest",
    "sigseek.indexer.pipeline",
    "sigseek.library",
    "sigseek.operations.directory",
    "sigseek.operations.indexing",
    "sigseek.operations.searching",
    "sigseek.operations.watch",
    "sigseek.search.fitting",
    "sigseek.search.searcher",
    "sigseek.siglip.runtimes.choose",
    "sigseek.siglip.runtimes.openvino",
    "sigseek.storage.index.faiss",
    "sqlalchemy.dialects.sqlite",
)
"""Modules that most commands load, sooner or later, with what these import."""


class ProgramCopies:
    """A process that runs the program in copies of itself."""

    def __init__(self, address: Path) -> None:
        self._address = address
        self._commands: set[str] = set()

    def is_first(self, arguments: Sequence[str]) -> bool:
        """Return whether nobody has asked this for the command yet."""
        command = arguments[0] if arguments else ""
        is_first = command not in self._commands
        self._commands.add(command)
        return is_first

    def run(
        self,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        largest_file: int | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end, and return its status and what it wrote. It can write no file
        of more than `largest_file` bytes.
        """
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            copy = self.start(arguments, directory, environment, output, errors, largest_file)
            status = copy.wait(_SECONDS)
            written = []
            for stream in (output, errors):
                stream.seek(0)
                text = stream.read().decode("utf-8", "surrogateescape")
                written.append(text.replace("\r\n", "\n").replace("\r", "\n"))
        return subprocess.CompletedProcess([SIGSEEK, *arguments], status, *written)

    def start(
        self,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        output: BinaryIO,
        errors: BinaryIO,
        largest_file: int | None = None,
    ) -> "ProgramCopy":
        """Start the program, which writes into the files, and do not wait for its end."""
        asked = {
            "arguments": list(arguments),
            "directory": str(directory),
            "environment": dict(environment),
            "largest_file": largest_file,
        }
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_SECONDS)
        connection.connect(str(self._address))
        socket.send_fds(connection, [b"\0"], [output.fileno(), errors.fileno()])
        connection.sendall(json.dumps(asked).encode())
        connection.shutdown(socket.SHUT_WR)
        return ProgramCopy(connection)


class ProgramCopy:
    """A copy that runs the program, with those methods of `subprocess.Popen` that tests need."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int(connection.recv(_PID, socket.MSG_WAITALL))
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the status that the program ends with. Raises subprocess.TimeoutExpired where it
        still runs after so many seconds.
        """
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = int(self._connection.recv(100))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(str(SIGSEEK), timeout or 0) from None
            self._connection.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the status that the program has ended with, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send the program a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send the program SIGTERM, if it still runs."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the program, if it still runs."""
        self.send_signal(signal.SIGKILL)


@contextmanager
def program_copies() -> Iterator[ProgramCopies]:
    """Have a process that runs the program in copies of itself, in a `with` statement."""
    with tempfile.TemporaryDirectory(prefix="sigseek-copies-") as directory:
        address = Path(directory) / "socket"
        code = f"from tests.program import serve; serve({str(address)!r})"
        with subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parent.parent,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield ProgramCopies(address)
            process.communicate()  # it ends when its input does


def serve(address: str) -> None:
    """Run the program in a copy of this process for each connection, until the input ends."""
    from sigseek.siglip.runtimes.openvino import import_openvino

    for name in _NEEDED:
        importlib.import_module(name)
    with suppress(ImportError):  # it has no wheels for some machines
        import_openvino()
    assert threading.active_count() == 1, "a copy has one thread, whatever others were doing"
    gc.freeze()  # else the collector of each copy would write to all that is shared
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while True:
            readable, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in readable:
                return
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(connection)
            connection.close()
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _answer(connection: socket.socket) -> None:
    """Run the program as the connection asks, tell its status and end this process."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 2)
    asked = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
    program = os.fork()
    if program == 0:
        connection.close()
        if asked["largest_file"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, 2 * (asked["largest_file"],))
        _become_the_program(asked["arguments"], asked["directory"], asked["environment"], streams)
    connection.sendall(f"{program:{_PID}}".encode())
    _, status = os.waitpid(program, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become_the_program(
    arguments: list[str], directory: str, environment: dict[str, str], streams: list[int]
) -> None:
    from sigseek.__main__ import main

    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(directory)
    sys.path[0] = str(SIGSEEK.parent)
    sys.argv = [str(SIGSEEK), *arguments]
    if "COVERAGE_PROCESS_CONFIG" in environment:
        import coverage

        coverage.process_startup()
    main()
