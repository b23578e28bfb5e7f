"""What a scan leaves out of a folder, and why."""

import os
from pathlib import Path, PurePath

import pytest

from sigseek.errors import ErrorKind
from sigseek.indexer.errors import PatternError
from sigseek.indexer.exclusion import checked_pattern
from sigseek.indexer.listing import Listing
from sigseek.indexer.scan import scan_folder
from tests.test_scan import touch


def scan(root: Path, *patterns: str, inside: str = ".") -> Listing:
    return scan_folder(root, PurePath(inside), patterns=patterns)


def test_patterns_leave_out_files_and_directories_at_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.png", "raw/c.jpg", "d/raw/e.jpg", "d/f.png", "d/g.jpg")
    listing = scan(tmp_path, "*.png", "raw/")
    assert list(listing.files) == ["a.jpg", "d/g.jpg"]
    assert listing.excluded == {
        "b.png": "excluded by *.png",
        "raw": "excluded by raw/",
        "d/f.png": "excluded by *.png",
        "d/raw": "excluded by raw/",
    }


def test_a_pattern_with_a_slash_is_about_one_place(tmp_path: Path) -> None:
    touch(tmp_path, "raw/c.jpg", "d/raw/e.jpg")
    assert list(scan(tmp_path, "/raw").files) == ["d/raw/e.jpg"]
    assert list(scan(tmp_path, "d/raw").files) == ["raw/c.jpg"]


def test_a_later_pattern_takes_files_in_again(tmp_path: Path) -> None:
    touch(tmp_path, "raw/a.jpg", "raw/keep.jpg", "b.jpg")
    assert list(scan(tmp_path, "raw/**", "!keep.jpg").files) == ["b.jpg", "raw/keep.jpg"]


def test_ignore_files_hold_for_their_directory(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "d/a.png", "d/e/a.png", "d/e/b.png", "d/c.jpg")
    (tmp_path / "d" / ".sigseekignore").write_text("# notes\n\n*.png\n")
    (tmp_path / "d" / "e" / ".sigseekignore").write_text("!b.png\n")
    listing = scan(tmp_path)
    assert list(listing.files) == ["a.png", "d/c.jpg", "d/e/b.png"]
    reason = f"d{os.sep}.sigseekignore: *.png"
    assert listing.excluded == {"d/a.png": reason, "d/e/a.png": reason}
    assert list(scan(tmp_path, inside="d/e").files) == ["d/e/b.png"]
    assert list(scan(tmp_path, "b.png").files) == ["a.png", "d/c.jpg"]


@pytest.mark.parametrize("text", [b"\xff\xfe\n*.png\n", b"*.png\r\n", b"*.png" * 1_000_000])
def test_an_odd_ignore_file_ends_no_scan(tmp_path: Path, text: bytes) -> None:
    touch(tmp_path, "a.jpg", "b.png")
    (tmp_path / ".sigseekignore").write_bytes(text)
    assert "a.jpg" in scan(tmp_path).files


def test_an_ignore_file_that_is_a_directory_is_noted(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", ".sigseekignore/b.jpg")
    listing = scan(tmp_path)
    assert list(listing.files) == ["a.jpg"]
    assert listing.unreadable == {".sigseekignore": "cannot be read: Is a directory"}


def test_an_ignore_file_of_windows(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.png", "c.gif")
    (tmp_path / ".sigseekignore").write_bytes(b"\xef\xbb\xbf*.png\r\n*.gif\r\n")
    assert list(scan(tmp_path).files) == ["a.jpg"]


def test_accents_may_be_spelled_in_two_ways(tmp_path: Path) -> None:
    composed, decomposed = "K\u00f6ln", "Ko\u0308ln"
    for name, pattern in ((composed, decomposed), (decomposed, composed)):
        root = tmp_path / name
        touch(root, f"{name}/a.jpg", "b.jpg", f"c/{name}.jpg")
        assert list(scan(root, f"/{pattern}/").files) == ["b.jpg", f"c/{name}.jpg"]
        absolute = checked_pattern(f"{tmp_path}/{pattern}/c/", root, PurePath())
        assert list(scan(root, absolute).files) == ["b.jpg", f"{name}/a.jpg"]
        (root / ".sigseekignore").write_text(pattern + ".jpg")
        assert list(scan(root).files) == ["b.jpg", f"{name}/a.jpg"]


def test_nomedia_leaves_out_its_directory_but_not_the_folder_itself(tmp_path: Path) -> None:
    touch(tmp_path, ".nomedia", "a.jpg", "d/.nomedia", "d/b.jpg", "d/e/c.jpg")
    listing = scan(tmp_path)
    assert list(listing.files) == ["a.jpg"]
    assert listing.excluded == {"d": "it has a .nomedia file"}
    inside = scan(tmp_path, inside="d/e")
    assert (inside.files, inside.excluded) == ({}, {"d": "it has a .nomedia file"})


@pytest.mark.parametrize(
    "name",
    [
        "@Recycle", "Thumbs", "thumbnails", "Lightroom Previews.lrdata", "Game.app",
        "Photos Library.photoslibrary/resources", "Photos Library.photoslibrary/database",
        "Old.aplibrary/Previews",
    ],
)  # fmt: skip
def test_other_programs_directories_are_left_out(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "a.jpg", f"{name}/deep/b.jpg")
    listing = scan(tmp_path)
    assert list(listing.files) == ["a.jpg"]
    assert list(listing.excluded) == [name]


def test_the_originals_of_a_bundle_are_taken(tmp_path: Path) -> None:
    names = ["Photos Library.photoslibrary/originals/0/a.heic", "Old.aplibrary/Masters/b.jpg"]
    touch(tmp_path, *names)
    assert set(scan(tmp_path).files) == set(names)


def test_a_users_rule_takes_in_what_is_left_out_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "thumbs/a.jpg", "d/thumbs/b.jpg")
    (tmp_path / "d" / ".sigseekignore").write_text("!thumbs/\n")
    assert list(scan(tmp_path).files) == ["d/thumbs/b.jpg"]
    assert set(scan(tmp_path, "!thumbs").files) == {"thumbs/a.jpg", "d/thumbs/b.jpg"}


@pytest.mark.parametrize(
    ("pattern", "inside", "checked"),
    [
        ("*.png", ".", "*.png"),
        ("/photos/raw", ".", "/raw"),
        ("/photos/2020/raw", "2020", "/raw"),
        ("/elsewhere", ".", "/elsewhere"),
    ],
)
def test_an_absolute_path_is_about_a_place_in_the_folder(
    pattern: str, inside: str, checked: str
) -> None:
    assert checked_pattern(pattern, Path("/photos"), PurePath(inside)) == checked


def test_an_absolute_path_that_is_there_is_a_name_and_no_pattern(tmp_path: Path) -> None:
    touch(tmp_path, "[x] y/a.jpg", "x y/a.jpg", "b.jpg")
    for name in ("[x] y", "[x] y/"):
        pattern = checked_pattern(f"{tmp_path}/{name}", tmp_path, PurePath())
        assert sorted(scan(tmp_path, pattern).files) == ["b.jpg", "x y/a.jpg"]
    assert checked_pattern(f"{tmp_path}/*.jpg", tmp_path, PurePath()) == "/*.jpg"


@pytest.mark.parametrize("pattern", ["", " ", "!", "/", "#a", "a\nb"])
def test_patterns_that_name_nothing_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="names no files") as caught:
        checked_pattern(pattern, Path("/photos"), PurePath())
    assert caught.value.kind is ErrorKind.INVALID
