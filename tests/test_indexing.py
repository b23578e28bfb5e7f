"""What indexing asks before it changes a library."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import sigseek
from sigseek import LibraryError
from tests.conftest import Run
from tests.indexed import indexed, save_photos
from tests.photos import save


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_photos(tmp_path / "photos")


@pytest.fixture
def library(tmp_path: Path, photos: Path) -> sigseek.Library:
    return indexed(tmp_path / "library", photos)


def known(library: sigseek.Library) -> sigseek.Status:
    """Return the library's status, without the thumbnails that all libraries share: other tests may
    add to them.
    """
    return replace(library.status(), thumbnails_bytes=0)


def test_more_than_half_gone_changes_nothing_without_yes(
    photos: Path, library: sigseek.Library, run: Run
) -> None:
    where = ("--library", library.directory)
    before = known(library)
    for name in "ab":
        shutil.rmtree(photos / name)
    refused = run("index", *where, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        f"error: 8 of 12 files in {photos} are gone, and nothing was changed; "
    )
    assert known(library) == before
    (report,) = map(json.loads, run("index", *where, "--yes", "--json").stdout.splitlines())
    assert (report["missing"], report["unchanged"]) == (8, 4)
    (again,) = map(json.loads, run("index", *where, "--json").stdout.splitlines())
    assert again["missing"] == 8, "what is missing already is asked about once"


def test_files_that_only_lie_elsewhere_are_not_asked_about(
    photos: Path, library: sigseek.Library, tmp_path: Path
) -> None:
    for name in "abc":
        (photos / name).rename(photos / f"{name}2")
    report = library.index()
    assert (report.moved, report.missing) == (12, 0)
    (tmp_path / "new").mkdir()
    for name in "abc":
        (photos / f"{name}2").rename(tmp_path / "new" / name)
    save(photos / "stays.png", seed=50)
    report = library.index(tmp_path / "new", photos)
    assert (report.added, report.moved, report.missing) == (1, 12, 0)


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (0, "0 is not a limit for pictures; give max_megapixels a whole number"),
        (-1, "-1 is not a limit for pictures; give max_megapixels a whole number"),
        (0.5, "0.5 is not a whole number; max_megapixels must be"),
        ("50", "'50' is not a whole number; max_megapixels must be"),
    ],
)
def test_a_limit_for_pictures_that_none_can_meet(
    tmp_path: Path, photos: Path, limit: int, said: str
) -> None:
    """The library would remember it, and refuse all pictures from then on."""
    with sigseek.open(tmp_path / "new", model="mini") as library:
        for call in (library.index, library.watch):
            with pytest.raises(sigseek.SigseekError, match=said):
                call(photos, max_megapixels=limit)
    assert not (tmp_path / "new").exists()


def test_a_library_without_folders_asks_for_some(library: sigseek.Library, photos: Path) -> None:
    library.forget(photos)
    with pytest.raises(LibraryError, match=r"has no folders; name the folders: library\.index"):
        library.index()
