import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sigseek.storage import LibraryError, writer_lock

HOLD = """
import sys
from pathlib import Path
from sigseek.storage import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with (
            pytest.raises(LibraryError, match=f"process {holder.pid} on .* since 20"),
            writer_lock(tmp_path),
        ):
            pass
        holder.kill()  # without any chance to tidy up
    with writer_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock.json").read_text()
    assert not (tmp_path / "lock.json").exists()


def test_a_library_that_may_not_be_written(ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0o555)
    with pytest.raises(LibraryError) as caught, writer_lock(ordinary_folder):
        pass
    ordinary_folder.chmod(0o755)
    said = f"the library {ordinary_folder} is read-only (Permission denied); check its permissions"
    assert str(caught.value) == said


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As some network drives are: a lock that is but a file would outlive a process that is
    killed.
    """

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(
            LibraryError, match=r"is on a file system that cannot lock files \(.*\); move it"
        ),
        writer_lock(tmp_path),
    ):
        pass
