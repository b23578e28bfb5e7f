"""Whether files and folders are there, gone, or on a drive that is unplugged."""

from pathlib import Path

import pytest

from sigseek.indexer.presence import (
    is_directory,
    is_empty,
    is_online,
    is_unplugged,
    may_be_there,
    real_path,
)
from tests.silent_disks import silent_disk


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A folder with `full/a.jpg` and an empty directory `empty`."""
    (tmp_path / "full").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "full" / "a.jpg").write_bytes(b"a")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "online", "directory", "empty", "there"),
    [
        ("full", True, True, False, True),
        ("empty", False, True, True, True),
        ("none", False, False, False, False),
        ("full/a.jpg", False, False, False, True),
        ("full/a.jpg/b", False, False, False, False),
        ("full/none/b", False, False, False, False),
    ],
)
def test_what_is_there(
    places: Path, name: str, online: bool, directory: bool, empty: bool, there: bool
) -> None:
    path = places / name
    assert is_online(path) is online
    assert is_directory(path) is directory
    assert is_empty(path) is empty
    assert may_be_there(path) is there


def test_an_empty_directory_on_the_way_may_be_an_unplugged_drive(places: Path) -> None:
    assert is_unplugged(places, "empty")
    assert is_unplugged(places, "empty/below/that")
    assert not is_unplugged(places, "full")
    assert not is_unplugged(places, "none")
    assert not is_unplugged(places / "empty", "."), "the folder itself is asked by `is_online`"


def test_nobody_can_tell_what_is_in_a_directory_that_may_not_be_entered(
    ordinary_folder: Path,
) -> None:
    closed = ordinary_folder / "closed"
    closed.mkdir()
    (closed / "a.jpg").write_bytes(b"a")
    closed.chmod(0)
    try:
        assert may_be_there(closed / "a.jpg")
        assert may_be_there(closed / "none.jpg")
        assert (is_online(closed), is_empty(closed)) == (False, False)
    finally:
        closed.chmod(0o755)


def test_a_disk_that_does_not_answer_is_offline_and_not_empty(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_disk(monkeypatch) as silent:
        silent.paths = {places}
        assert not is_online(places / "full")
        assert not is_directory(places / "full")
        assert not is_empty(places / "empty")
        assert may_be_there(places / "full" / "none.jpg")
        assert real_path(places / "full") == places / "full"
