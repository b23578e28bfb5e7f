"""A library beside photos, when their folder comes back under another path."""

import shutil
from pathlib import Path

import pytest

import sigseek
from sigseek.storage import writer_lock
from tests.conftest import Run
from tests.listeners import Heard
from tests.photos import save
from tests.silent_disks import silent_disk


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """The path of a disk with twelve photos in a folder, and a library beside them."""
    photos = tmp_path / "a" / "photos"
    for number in range(12):
        save(photos / f"{number % 2}" / f"{number}.png", seed=number)
    with sigseek.open(photos / ".sigseek", model="mini") as library:
        library.index(photos)
    return tmp_path / "a"


@pytest.fixture
def moved(disk: Path, tmp_path: Path) -> Path:
    """The same disk under another path."""
    return disk.rename(tmp_path / "b")


@pytest.fixture
def heard() -> Heard:
    return Heard()


def paths(library: sigseek.Library) -> list[str]:
    return [folder.path for folder in library.status().folders]


def test_the_folder_is_relocated_with_one_line(disk: Path, moved: Path, heard: Heard) -> None:
    with sigseek.open(moved / "photos" / ".sigseek", listener=heard) as library:
        hits = library.similar(moved / "photos" / "0" / "0.png", limit=20)
        assert [hit.available for hit in hits] == [True] * 11
        assert {Path(hit.path).parts[: len(moved.parts)] for hit in hits} == {moved.parts}
        assert paths(library) == [str(moved / "photos")]
        assert library.index().unchanged == 12
    assert heard.lines == [
        f"{disk}/photos is now {moved}/photos; its files moved in the library: 12"
    ]
    again = Heard()
    with sigseek.open(moved / "photos" / ".sigseek", listener=again) as library:
        library.status()
    assert again.lines == []


def test_the_command_line_says_so(disk: Path, moved: Path, run: Run) -> None:
    done = run("status", "--library", moved / "photos" / ".sigseek")
    assert done.stderr == (
        f"{disk}/photos is now {moved}/photos; its files moved in the library: 12\n"
    )
    assert f"folder      {moved}/photos: 12 files" in done.stdout


def test_indexing_under_the_new_path_embeds_nothing_again(moved: Path) -> None:
    with sigseek.open(moved / "photos" / ".sigseek", model="mini") as library:
        report = library.index(moved / "photos")
        assert (report.unchanged, report.added, report.offline) == (12, 0, 0)
        assert paths(library) == [str(moved / "photos")]


def test_a_library_deep_inside_of_the_folder(tmp_path: Path, heard: Heard) -> None:
    for number in range(4):
        save(tmp_path / "a" / "2026" / f"{number}.png", seed=number)
    with sigseek.open(tmp_path / "a" / "2026" / ".sigseek", model="mini") as library:
        library.index(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "a").mkdir()  # as an unplugged drive leaves its mount point
    with sigseek.open(tmp_path / "b" / "2026" / ".sigseek", listener=heard) as library:
        assert paths(library) == [str(tmp_path / "b")]
    assert len(heard.lines) == 1


def test_a_copy_says_nothing_of_the_original(disk: Path, tmp_path: Path, heard: Heard) -> None:
    copy = shutil.copytree(disk, tmp_path / "copy")
    with sigseek.open(copy / "photos" / ".sigseek", listener=heard) as library:
        assert paths(library) == [str(disk / "photos")]
    assert heard.lines == []


def test_other_files_of_the_same_names_are_another_folder(moved: Path, heard: Heard) -> None:
    for number in range(7):  # more than half of them
        photo = moved / "photos" / f"{number % 2}" / f"{number}.png"
        photo.write_bytes(photo.read_bytes() + b"more")
    with sigseek.open(moved / "photos" / ".sigseek", listener=heard) as library:
        assert [folder.online for folder in library.status().folders] == [False]
    assert heard.lines == []


def test_half_of_the_files_are_enough(moved: Path, heard: Heard) -> None:
    shutil.rmtree(moved / "photos" / "1")
    with sigseek.open(moved / "photos" / ".sigseek", listener=heard) as library:
        assert paths(library) == [str(moved / "photos")]


def test_a_library_that_another_process_is_changing_stays_as_it_is(
    moved: Path, heard: Heard
) -> None:
    place = moved / "photos" / ".sigseek"
    with writer_lock(place), sigseek.open(place, listener=heard) as library:
        assert [folder.online for folder in library.status().folders] == [False]
    assert heard.lines == []


def test_a_library_of_another_name_lies_anywhere(disk: Path, tmp_path: Path, heard: Heard) -> None:
    (disk / "photos" / ".sigseek").rename(disk / "photos" / "library")
    moved = disk.rename(tmp_path / "b")
    with sigseek.open(moved / "photos" / "library", listener=heard) as library:
        assert [folder.online for folder in library.status().folders] == [False]
    assert heard.lines == []


def test_a_disk_that_does_not_answer_is_not_waited_for(
    disk: Path, moved: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        silent_disk(monkeypatch) as silent,
        sigseek.open(moved / "photos" / ".sigseek", listener=heard) as library,
    ):
        silent.paths = {moved / "photos" / "0", moved / "photos" / "1"}
        assert paths(library) == [str(disk / "photos")], "nobody can tell where it is now"
    assert heard.lines == []
