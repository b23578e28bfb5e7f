"""Processes that are forked off one that has used a library, as a preloading server does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import os, signal, sigseek
library = sigseek.open({library!r}, model="mini", precision="fp32", device="cpu")
if {used}:
    library.search("format:jpeg")
    library.search("a house")
if os.fork():
    raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
signal.alarm(60)
try:
    print(len(library.search("format:jpeg")) > 0)
except sigseek.LibraryError as error:
    print(error)
    library.close()
own = sigseek.open({library!r}, model="mini", precision="fp32", device="cpu")
print(len(own.search("format:jpeg")) > 0, len(own.search("a house")) > 0, flush=True)
os._exit(0)  # as multiprocessing does: OpenVINO would end threads that are not here
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("used", [True, False])
def test_a_process_that_is_forked_off_searches(mini_library: Path, *, used: bool) -> None:
    program = _PROGRAM.format(library=str(mini_library), used=used)
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False
    )
    assert ran.returncode == 0, ran.stderr
    first, second = ran.stdout.splitlines()
    assert second == "True True"
    if used:
        assert first.endswith(
            "was in use before this process was forked off; open it again in this process, with "
            "sigseek.open"
        )
    else:
        assert first == "True"
