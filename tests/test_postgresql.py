"""The tests' own PostgreSQL server leaves nothing behind."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.postgresql import programs

START = """
import os
from pathlib import Path
from tests.postgresql import programs, running_server
with running_server(programs()) as server:
    home = Path(server.empty_database().query["host"])
    print(home)
    print((home / "data" / "postmaster.pid").read_text().splitlines()[0], flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process can be bound to another")
def test_the_server_goes_with_a_killed_test_run() -> None:
    if programs() is None:
        pytest.skip("PostgreSQL's server is not installed (on Debian: apt-get install postgresql)")
    done = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    # The server may have ended by now, and taken its own file with its number along.
    home, process = Path(done.stdout.splitlines()[0]), int(done.stdout.splitlines()[1])
    ends = time.monotonic() + 30
    while _is_running(process):
        assert time.monotonic() < ends
        time.sleep(0.05)
    shutil.rmtree(home)


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
