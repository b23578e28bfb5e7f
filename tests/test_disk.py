"""Questions to disks that may not answer."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sigseek import disk
from sigseek.disk import ask, first_there, is_there

PLACE = Path("/photos")


def test_answers_and_errors_come_as_they_are() -> None:
    assert ask(PLACE, lambda: 3, 5) == 3
    with pytest.raises(PermissionError, match=r"^no$"):
        ask(PLACE, lambda: _refuse(), 5)


def test_one_thread_asks_one_question_after_another() -> None:
    first = ask(PLACE, threading.get_ident, 0)
    assert first not in (0, threading.get_ident())
    assert ask(PLACE, threading.get_ident, 0) == first


def test_a_directory_that_does_not_answer_is_asked_again_once_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disk, "PATIENCE", 0.2)
    back = threading.Event()
    assert ask(PLACE, lambda: back.wait(120), "silent") == "silent"
    monkeypatch.setattr(disk, "PATIENCE", 60.0)
    assert ask(PLACE, lambda: _refuse(), "silent") == "silent", "it was not asked again"
    assert ask(Path("/elsewhere"), lambda: "there", "silent") == "there"
    asker = disk._waiting[str(PLACE)]
    back.set()
    while asker._answers.empty():
        pass
    assert ask(PLACE, lambda: "there", "silent") == "there"
    assert disk._waiting == {}


def test_of_a_silent_disk_the_first_directory_alone_takes_long(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    back = threading.Event()
    with monkeypatch.context() as silent:
        silent.setattr(disk, "PATIENCE", 0.2)
        silent.setattr(os.path, "exists", lambda path: back.wait(120))
        assert not is_there("/photos/2023/a.jpg")
        silent.setattr(disk, "PATIENCE", 60.0)
        started = time.monotonic()
        assert not is_there("/photos/2024/a.jpg")
        assert not is_there("/photos/2024/b.jpg")
        assert time.monotonic() - started < 10
    back.set()
    assert is_there(str(tmp_path))
    while disk._waiting:
        assert is_there(str(tmp_path))
    assert not is_there(str(tmp_path / "nothing"))


def test_the_files_of_many_photos_are_asked_for_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, gone = str(tmp_path), str(tmp_path / "nothing")
    questions: list[str] = []
    monkeypatch.setattr(disk._Asker, "put", _counted(disk._Asker.put, questions))
    assert first_there([[gone, here], [here], [gone], []]) == [here, here, None, None]
    assert len(questions) == 1
    assert first_there([]) == []
    assert first_there([[]]) == [None]
    assert len(questions) == 1, "there was nothing to ask"


def test_a_silent_disk_hides_no_file_of_another_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    back, there = threading.Event(), os.path.exists
    with monkeypatch.context() as silent:
        silent.setattr(disk, "PATIENCE", 0.2)
        silent.setattr(
            os.path,
            "exists",
            lambda path: back.wait(120) if path.startswith("/silent/") else there(path),
        )
        photos = [["/silent/a.jpg"], [str(tmp_path)], ["/silent/b.jpg", str(tmp_path)]]
        assert first_there(photos) == [None, str(tmp_path), str(tmp_path)]
        assert first_there(photos[1:]) == [str(tmp_path), str(tmp_path)]
    back.set()
    while disk._waiting:
        assert first_there([[str(tmp_path)]]) == [str(tmp_path)]


def _counted(
    put: Callable[[disk._Asker, Callable[[], object]], None], questions: list[str]
) -> Callable[[disk._Asker, Callable[[], object]], None]:
    """Return the method that puts a question, which also notes it."""

    def put_and_note(asker: disk._Asker, question: Callable[[], object]) -> None:
        questions.append("asked")
        put(asker, question)

    return put_and_note


def _refuse() -> int:
    raise PermissionError("no")
