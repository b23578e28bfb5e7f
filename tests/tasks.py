"""What the tests have worker processes do."""

import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Any

_kept: list[IO[str]] = []
_calls: list[str] = []


def pid() -> int:
    return os.getpid()


def modules() -> set[str]:
    return {name.partition(".")[0] for name in sys.modules}


def wait(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def compute() -> None:
    while True:
        pass


def allocate(size: int) -> int:
    return len(bytearray(size))


def hoard(size: int) -> int:
    """Keep what was allocated, as a decoder that leaks."""
    _kept.append(bytearray(size))  # type: ignore[arg-type]
    return os.getpid()


def end_by(signal_name: str) -> int:
    os.kill(os.getpid(), signal.Signals[signal_name])
    return os.getpid()


def end_with(code: int) -> None:
    os._exit(code)


def end_unless_first() -> int:
    """Work in a new process only, as if what came before had damaged the memory."""
    _calls.append("")
    if len(_calls) > 1:
        os.abort()
    return os.getpid()


def throw(error: Exception) -> None:
    raise error


def throw_odd() -> None:
    class OddError(Exception):
        def __init__(self, one: int, other: int) -> None:
            super().__init__(f"{one} and {other}")

    raise OddError(1, 2)


def make_noise() -> str:
    print("from Python")
    print("from Python", file=sys.stderr)
    os.write(1, b"from a library")
    os.write(2, b"from a library")
    return "heard nothing"


def read_input() -> str:
    return sys.stdin.read()


def hold(path: Path) -> Any:
    """Have the file open for writing until this process ends."""
    _kept.append(path.open("w"))


def lambda_result() -> object:
    return lambda: None
