"""Programs timed from outside, as a user waits for them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Finished:
    """A process that has ended."""

    wall: float
    """Seconds from start to end."""
    busy: float
    """Seconds of processor time, user and system, of the process and its children."""
    peak: float
    """The most bytes of memory that the largest of its processes took."""
    output: str


def run(command: Sequence[str | Path], **environment: str) -> Finished:
    """Run the command to its end. Raises CalledProcessError, with what it printed, when it
    fails.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        started = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=said, env=os.environ | environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said.seek(0)
        if process.returncode:
            raise subprocess.CalledProcessError(
                process.returncode, list(command), out.read(), said.read()
            )
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Finished(wall, usage.ru_utime + usage.ru_stime, peak, out.read())


def sigseek(*words: str | Path, **environment: str) -> Finished:
    """Run the installed program."""
    return run([Path(sys.executable).with_name("sigseek"), *words], **environment)


def last_json(finished: Finished) -> dict[str, Any]:
    """Return the last line of the output, which is a JSON object."""
    found: dict[str, Any] = json.loads(finished.output.splitlines()[-1])
    return found
