import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage import LibraryError, writer_lock

HOLD = """
import sys
from pathlib import Path
from storage import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LibraryError, match=f"process {holder.pid} on .* since 20"), writer_lock(tmp_path):
            pass
        holder.kill()  # without any chance to tidy up
    with writer_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock.json").read_text()
    assert not (tmp_path / "lock.json").exists()
