"""The directory of a library: what is in it, and who may write to it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sigseek.cli.remedies import spell
from sigseek.errors import ErrorKind, StoppedError
from sigseek.operations.directory import LibraryDirectory
from sigseek.progress import Stop
from sigseek.storage import LibraryError, writer_lock


def test_a_directory_without_a_library(tmp_path: Path) -> None:
    directory = LibraryDirectory(tmp_path / "library")
    assert not directory.exists()
    with pytest.raises(LibraryError, match=r"no library at .*; make one with: library\.index\("):
        directory.catalog()
    assert directory.catalog(create=True).photo_count() == 0
    assert directory.exists()
    directory.close()
    assert directory.catalog().photo_count() == 0, "opened again"
    directory.close()


def test_a_folder_of_photos_in_the_place_of_the_library_in_it(tmp_path: Path) -> None:
    inside = LibraryDirectory(tmp_path / ".sigseek")
    inside.catalog(create=True)
    inside.close()
    with pytest.raises(LibraryError) as raised:
        LibraryDirectory(tmp_path).catalog()
    assert raised.value.kind is ErrorKind.NOT_FOUND
    assert raised.value.spelled(spell) == (
        f"no library at {tmp_path}, but there is one in this folder; "
        f"use it with: --library {tmp_path / '.sigseek'}"
    )


def test_a_file_in_the_place_of_a_library(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("no library")
    directory = LibraryDirectory(tmp_path / "library")
    for create in (False, True):
        with pytest.raises(LibraryError, match="is a file, and a library is a directory"):
            directory.catalog(create=create)


def test_an_empty_catalog_beside_an_index_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").touch()
    directory = LibraryDirectory(tmp_path)
    assert not directory.exists(), "SQLite begins with an empty file"
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / f"{'0' * 16}-1.faiss").write_bytes(b"something")
    with pytest.raises(LibraryError, match="is empty; put a backup in its place") as raised:
        directory.exists()
    assert raised.value.kind is ErrorKind.DAMAGED


def test_threads_take_turns_and_other_processes_are_refused(tmp_path: Path) -> None:
    directory = LibraryDirectory(tmp_path)
    directory.catalog(create=True)
    entered: list[str] = []

    def write() -> None:
        with directory.writing():
            entered.append("other")

    thread = threading.Thread(target=write)
    with directory.changing() as catalog:
        thread.start()
        thread.join(0.2)
        assert entered == [], "the other thread waits"
        assert catalog is directory.catalog()
        entered.append("first")
    thread.join(60)
    assert entered == ["first", "other"]
    with writer_lock(tmp_path), pytest.raises(LibraryError) as raised, directory.writing():
        pass
    assert raised.value.kind is ErrorKind.BUSY
    directory.close()


def test_nobody_waits_for_another_threads_turn_after_a_stop(tmp_path: Path) -> None:
    directory, stop = LibraryDirectory(tmp_path), Stop()
    directory.catalog(create=True)
    stop.set()
    with directory.writing(), ThreadPoolExecutor(1) as pool:
        with pytest.raises(StoppedError):
            pool.submit(lambda: directory.writing(stop).__enter__()).result()
        with pytest.raises(StoppedError):
            pool.submit(lambda: directory.changing(stop=stop).__enter__()).result()
    with directory.writing(stop):
        pass
    directory.close()
