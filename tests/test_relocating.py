"""Folders that move, from Python and through the program."""

import os
import re
import shutil
from pathlib import Path

import pytest

import sigseek
from sigseek import FolderError
from tests.indexed import assert_nothing_to_do, indexed, known, on_disk, save_photos
from tests.photos import save
from tests.silent_disks import silent_disk

pytestmark = pytest.mark.both_databases


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> sigseek.Library:
    return indexed(tmp_path / "library", photos)


def test_a_renamed_folder(library: sigseek.Library, photos: Path, tmp_path: Path) -> None:
    new = photos.rename(tmp_path / "renamed")
    relocated = library.relocate(photos, new)
    assert (relocated.old, relocated.new, relocated.files) == (str(photos), str(new), 12)
    assert known(library) == on_disk(new)
    assert_nothing_to_do(library)


def test_a_renamed_directory_in_a_folder(library: sigseek.Library, photos: Path) -> None:
    (photos / "a").rename(photos / "z")
    assert library.relocate(photos / "a", photos / "z").files == 4
    assert [folder.path for folder in library.status().folders] == [str(photos)]
    assert_nothing_to_do(library)


def test_a_directory_moved_out_becomes_a_folder_and_back_in_a_part_of_one(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    (photos / "a").rename(tmp_path / "out")
    library.relocate(photos / "a", tmp_path / "out")
    assert [folder.path for folder in library.status().folders] == [
        str(tmp_path / "out"),
        str(photos),
    ]
    assert_nothing_to_do(library)
    (tmp_path / "out").rename(photos / "b" / "in")
    library.relocate(tmp_path / "out", photos / "b" / "in")
    assert [folder.path for folder in library.status().folders] == [str(photos)]
    assert known(library) == on_disk(photos)
    assert_nothing_to_do(library)


def excluded(library: sigseek.Library) -> dict[str, tuple[str, ...]]:
    """Return the patterns of each folder, by the folder's name."""
    return {Path(folder.path).name: folder.excluded for folder in library.status().folders}


def test_patterns_move_along(library: sigseek.Library, photos: Path, tmp_path: Path) -> None:
    """`a` becomes a folder, then a part of another one, and is last renamed within that."""
    save(photos / "a" / "raw" / "x.png", seed=90)
    save(photos / "a" / "copy.png", seed=91)
    library.index(photos / "a", exclude=["/raw", "copy*"])
    library.index(photos, exclude=["*.gif", "/b/1.png"])
    before = ("/a/raw", "/a/**/copy*", "*.gif", "/b/1.png")
    assert excluded(library) == {"photos": before}
    (photos / "a").rename(tmp_path / "out")
    library.relocate(photos / "a", tmp_path / "out")
    assert excluded(library) == {"photos": before, "out": ("/raw", "copy*", "*.gif")}
    assert_nothing_to_do(library)
    save(tmp_path / "other" / "1.png", seed=92)
    library.index(tmp_path / "other")
    (tmp_path / "out").rename(tmp_path / "other" / "in")
    library.relocate(tmp_path / "out", tmp_path / "other" / "in")
    inside = ("/in/raw", "/in/**/copy*", "/in/**/*.gif")
    assert excluded(library) == {"photos": before, "other": inside}
    (tmp_path / "other" / "in").rename(tmp_path / "other" / "new")
    library.relocate(tmp_path / "other" / "in", tmp_path / "other" / "new")
    renamed = tuple(pattern.replace("/in/", "/new/") for pattern in inside)
    assert excluded(library)["other"] == inside + renamed
    assert_nothing_to_do(library)
    assert len(known(library)) == 13, "nothing that is left out has come in"


def test_a_folder_moved_one_level_down_or_up(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    photos.rename(tmp_path / "x")
    photos.mkdir()
    (tmp_path / "x").rename(photos / "deep")
    library.relocate(photos, photos / "deep")
    assert_nothing_to_do(library)
    for path in sorted((photos / "deep").iterdir()):
        path.rename(photos / path.name)
    library.relocate(photos / "deep", photos)
    assert known(library) == on_disk(photos)
    assert_nothing_to_do(library)


def test_directories_shifted_into_each_others_places(
    library: sigseek.Library, photos: Path
) -> None:
    """Everything in a/ now lies in a/a/, where a path may be one that another is moved away
    from.
    """
    (photos / "a").rename(photos / "x")
    (photos / "a").mkdir()
    (photos / "x").rename(photos / "a" / "a")
    library.relocate(photos / "a", photos / "a" / "a")
    (photos / "a" / "a").rename(photos / "x")
    (photos / "a" / "a").mkdir()
    (photos / "x").rename(photos / "a" / "a" / "a")
    library.relocate(photos / "a", photos / "a" / "a")
    assert known(library) == on_disk(photos)
    assert_nothing_to_do(library)


def test_what_is_known_in_the_new_place_stays(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    new = tmp_path / "renamed"
    shutil.copytree(photos, new)
    library.index(new)  # copies: known twice
    shutil.rmtree(photos)
    library.relocate(photos, new)
    assert [(folder.path, folder.files) for folder in library.status().folders] == [(str(new), 12)]
    assert_nothing_to_do(library)


def test_a_new_place_does_not_take_in_an_offline_folder(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    save(media / "usb" / "1.png", seed=80)
    library.index(media / "usb")
    shutil.copytree(photos, media, dirs_exist_ok=True)
    (media / "usb").rename(tmp_path / "unplugged")
    refused = (
        f"{media / 'usb'} is offline and would become part of {media}; plug in its drive first"
    )
    for old, new in ((photos, media), (photos / "a", media)):
        with pytest.raises(FolderError, match=f"^{refused}"):
            library.relocate(old, new, accept_missing=True)
    assert [(folder.path, folder.files) for folder in library.status().folders] == [
        (str(media / "usb"), 1),
        (str(photos), 12),
    ]
    (tmp_path / "unplugged").rename(media / "usb")
    shutil.rmtree(photos)
    assert library.relocate(photos, media).files == 12
    assert known(library) == on_disk(media)
    assert_nothing_to_do(library)


def test_relocated_names_need_not_be_utf8(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    odd = photos / "a" / os.fsdecode(b"\xff\xfe.png")
    save(photos / "a" / "plain.png", seed=99).rename(odd)
    library.index()
    (photos / "a").rename(photos / "b" / "a")
    assert library.relocate(photos / "a", photos / "b" / "a").files == 5
    assert str(photos / "b" / "a" / odd.name) in known(library)
    assert_nothing_to_do(library)


def test_a_failure_moves_along(library: sigseek.Library, photos: Path) -> None:
    (photos / "a" / "bad.png").write_text("no picture")
    library.index()
    (photos / "a").rename(photos / "z")
    library.relocate(photos / "a", photos / "z")
    assert [failure.path for failure in library.failures()] == [str(photos / "z" / "bad.png")]
    assert library.index().failed == 1


def test_relocating_to_where_the_files_are_not(
    library: sigseek.Library, photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FolderError, match=r"^none of the 12 files are in .*, so nothing was changed"
    ):
        library.relocate(photos, tmp_path / "empty")
    with pytest.raises(FolderError, match=f"is not in the library; its folders are: {photos}"):
        library.relocate(tmp_path / "other", tmp_path / "empty")
    call = f"library.relocate({str(photos)!r}, {str(tmp_path)!r})"
    swapped = f"the library knows {photos}, not {tmp_path}; give the old place first: {call}"
    with pytest.raises(FolderError, match=f"^{re.escape(swapped)}$"):
        library.relocate(tmp_path, photos)
    with pytest.raises(FolderError, match=f"is not in the library; its folders are: {photos}"):
        library.relocate(tmp_path / "mistyped", photos)
    with pytest.raises(FolderError, match="the library knows no files in"):
        library.relocate(photos / "nowhere", tmp_path / "empty")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(FolderError, match=f"{tmp_path / 'loop'} is not in the library"):
        library.relocate(tmp_path / "loop", tmp_path / "empty")
    with pytest.raises(FolderError, match=f"{tmp_path / 'loop'} cannot be read"):
        library.relocate(photos, tmp_path / "loop")
    assert_nothing_to_do(library)
    assert library.relocate(photos, tmp_path / "empty", accept_missing=True).files == 12


def test_a_folder_is_relocated_from_a_disk_that_does_not_answer(
    library: sigseek.Library, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a server is replaced by another one: the old mount hangs, the new one has all."""
    new = Path(shutil.copytree(photos, tmp_path / "new"))
    with silent_disk(monkeypatch) as silent:
        silent.paths = {photos}
        assert library.relocate(photos, new).files == 12
    assert known(library) == on_disk(new)


def test_a_disk_that_falls_silent_while_its_files_are_looked_for(
    library: sigseek.Library, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Path(shutil.copytree(photos, tmp_path / "new"))
    with silent_disk(monkeypatch) as silent:
        silent.paths = set(new.rglob("*.png"))
        with pytest.raises(FolderError, match=f"^the disk of {new} does not answer; "):
            library.relocate(photos, new)
    assert known(library) == on_disk(photos)


def test_the_two_places_are_named_the_other_way_round_and_one_does_not_answer(
    library: sigseek.Library, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Path(shutil.copytree(photos, tmp_path / "new"))
    with silent_disk(monkeypatch) as silent:
        silent.paths = {photos}
        with pytest.raises(FolderError, match="give the old place first"):
            library.relocate(new, photos)
