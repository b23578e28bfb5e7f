"""What the catalog keeps of files that are left out: patterns, and files that are passed over."""

from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from sigseek.storage import Catalog
from sigseek.storage.catalog.paths import patterns_below
from sigseek.storage.records import OtherFile

pytestmark = pytest.mark.both_databases


@pytest.fixture
def catalog(open_catalog: Callable[[], Catalog]) -> Catalog:
    return open_catalog()


@pytest.mark.parametrize(
    ("directory", "pattern", "below"),
    [
        (".", "*.png", "*.png"),
        ("2020", "*.png", "/2020/**/*.png"),
        ("2020", "raw/", "/2020/**/raw/"),
        ("2020", "/raw", "/2020/raw"),
        ("2020/May", "a/b/", "/2020/May/a/b/"),
        ("2020", "!keep.png", "!/2020/**/keep.png"),
        ("!a [1]*", "b", r"/\!a\ \[1\]\*/**/b"),
    ],
)
def test_patterns_of_a_directory_as_patterns_of_its_folder(
    directory: str, pattern: str, below: str
) -> None:
    assert patterns_below(PurePath(directory), [pattern]) == [below]


def test_patterns_are_kept_and_go_with_their_folder(catalog: Catalog) -> None:
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos/2020"))
        transaction.put_excluded(folder.id, ["*.png", "/raw"])
    assert [one.excluded for one in catalog.folders()] == [("*.png", "/raw")]
    with catalog.transaction() as transaction:
        transaction.relocate(Path("/photos/2020"), Path("/pictures/2021"))
    assert [one.excluded for one in catalog.folders()] == [("*.png", "/raw")]
    with catalog.transaction() as transaction:
        whole, _ = transaction.add_folder(Path("/pictures"))
    assert whole.excluded == ("/2021/**/*.png", "/2021/raw")
    assert [one.excluded for one in catalog.folders()] == [whole.excluded]
    with catalog.transaction() as transaction:
        transaction.put_excluded(whole.id, [])
    assert [one.excluded for one in catalog.folders()] == [()]


def test_patterns_go_with_a_folder_into_another(catalog: Catalog) -> None:
    with catalog.transaction() as transaction:
        one, _ = transaction.add_folder(Path("/one"))
        other, _ = transaction.add_folder(Path("/other"))
        transaction.put_excluded(one.id, ["a"])
        transaction.put_excluded(other.id, ["b"])
        transaction.relocate(Path("/one"), Path("/other/one"))
    assert [one.excluded for one in catalog.folders()] == [("b", "/one/**/a")]


def test_files_that_are_passed_over(catalog: Catalog) -> None:
    files = [
        OtherFile("a/notes", 10, 1, None),
        OtherFile("a/old.jpg_original", 20, 2, "JPEG"),
        OtherFile("b/link", 0, 3, "directory"),
    ]
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/photos"))
        transaction.put_other_files(folder.id, [], files)
    assert catalog.other_files(folder.id, PurePath()) == {file.path: file for file in files}
    assert list(catalog.other_files(folder.id, PurePath("a"))) == ["a/notes", "a/old.jpg_original"]
    assert catalog.skipped_files() == [("/photos", files[1]), ("/photos", files[2])]
    changed = OtherFile("a/notes", 11, 4, "PNG")
    with catalog.transaction() as transaction:
        transaction.put_other_files(folder.id, ["b/link"], [changed])
    assert catalog.skipped_files() == [("/photos", changed), ("/photos", files[1])]
    with catalog.transaction() as transaction:
        transaction.remove_folder(folder.id)
    assert catalog.skipped_files() == []
