"""Directories that are being made in the user's cache."""

import os
import time
from pathlib import Path

import pytest

from sigseek.siglip.runtimes import unfinished

HOUR = 3600


def test_the_directory_is_removed_and_what_was_moved_out_of_it_stays(tmp_path: Path) -> None:
    with unfinished.directory(tmp_path) as made:
        assert made.parent == tmp_path
        (made / "whole").mkdir()
        (made / "half").write_text("half")
        (made / "whole").rename(tmp_path / "whole")
    with pytest.raises(ValueError, match="wrong"), unfinished.directory(tmp_path) as made:
        raise ValueError("wrong")
    assert [path.name for path in tmp_path.iterdir()] == ["whole"]


def test_what_killed_processes_left_goes_after_an_hour_and_stopped_ones_after_a_day(
    tmp_path: Path,
) -> None:
    ages = {".making-new": 0, ".making-old": 2, ".stopped-new": 2, ".stopped-old": 25, "whole": 100}
    for name, hours in ages.items():
        (tmp_path / name).mkdir()
        then = time.time() - hours * HOUR
        os.utime(tmp_path / name, (then, then))
    with unfinished.directory(tmp_path):
        pass
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {".making-new", ".stopped-new", "whole"}


def test_another_process_may_remove_a_directory_meanwhile(tmp_path: Path) -> None:
    (tmp_path / ".making-removed").symlink_to("nowhere")  # it is listed, and then not there
    with unfinished.directory(tmp_path) as made:
        assert made.is_dir()
