"""The tests' own PostgreSQL server leaves nothing behind."""

import os
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
from tests.postgresql import programs, running_server
with running_server(programs()) as server:
    print(server.empty_database().query["host"], flush=True)
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
    home = Path(done.stdout.strip())
    process = int((home / "data" / "postmaster.pid").read_text().splitlines()[0])
    ends = time.monotonic() + 30
    while _is_running(process):
        assert time.monotonic() < ends
        time.sleep(0.05)
    shutil.rmtree(home)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
