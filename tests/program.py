"""The program in copies of a process that has loaded it.

A copy has arguments, environment, directory and streams of its own, and runs `main` of `sigseek` to
the end. All else is as in a process that was started, but for the worker processes that it starts:
they are copies as well.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tests.process_copies import Asked, ProcessCopy, copied_process, serve, start_copy
from tests.worker_copies import start_copies_only, worker_copies

SIGSEEK = Path(sys.executable).parent / "sigseek"
_SECONDS = 300
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
    "sigseek.search.searcher",
    "sigseek.siglip.runtimes.choose",
    "sigseek.siglip.runtimes.openvino",
    "sigseek.storage.index.faiss",
    "sqlalchemy.dialects.sqlite",
)
"""Modules that most commands load, sooner or later, with what these import."""


class ProgramCopies:
    """A process that runs the program in copies of itself."""

    def __init__(self, address: Path, workers: Path) -> None:
        self._address = address
        self._workers = workers
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
    ) -> ProcessCopy:
        """Start the program, which writes into the files, and do not wait for its end."""
        asked = {
            "arguments": list(arguments),
            "directory": str(directory),
            "environment": dict(environment),
            "largest_file": largest_file,
            "workers": str(self._workers),
        }
        return start_copy(self._address, asked, [output.fileno(), errors.fileno()])


@contextmanager
def program_copies() -> Iterator[ProgramCopies]:
    """Have a process that runs the program in copies of itself, in a `with` statement."""
    with worker_copies() as workers, copied_process("tests.program:serve_program") as address:
        yield ProgramCopies(address, workers)


def serve_program(address: str) -> None:
    """Run the program in a copy of this process for each connection."""
    from sigseek.siglip.runtimes.openvino import import_openvino

    with suppress(ImportError):  # it has no wheels for some machines
        import_openvino()
    serve(address, _NEEDED, _become_the_program)


def _become_the_program(asked: Asked, streams: list[int]) -> None:
    from sigseek.__main__ import main

    if asked["largest_file"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, 2 * (asked["largest_file"],))
    start_copies_only(Path(asked["workers"]))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    os.chdir(asked["directory"])
    sys.path[0] = str(SIGSEEK.parent)
    sys.argv = [str(SIGSEEK), *asked["arguments"]]
    if "COVERAGE_PROCESS_CONFIG" in os.environ:
        import coverage

        coverage.process_startup()
    main()
