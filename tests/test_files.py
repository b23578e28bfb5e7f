"""Files are replaced whole, or not at all."""

import threading
from pathlib import Path

import pytest

from sigseek.files import write_whole, written_whole


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a"
    write_whole(target, b"old")
    with written_whole(target) as aside:
        aside.write_bytes(b"ne")
        assert target.read_bytes() == b"old"
        aside.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "a"
    write_whole(target, b"old")

    def fail_half_way() -> None:
        with written_whole(target) as aside:
            aside.write_bytes(b"ne")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_threads_may_write_one_file(tmp_path: Path) -> None:
    target = tmp_path / "a"
    contents = [bytes([number]) * 100_000 for number in range(8)]
    threads = [threading.Thread(target=write_whole, args=(target, each)) for each in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [target]


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path) -> None:
    target = tmp_path / ("é" * 127)
    write_whole(target, b"x")
    assert target.read_bytes() == b"x"
