"""Indexing with patterns that leave files out, and what is passed over and told."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np
import pytest

import sigseek
from sigseek.indexer import IndexReport
from sigseek.indexer.errors import PatternError
from sigseek.indexer.folder_patterns import FolderPatterns
from sigseek.indexer.preview import preview
from sigseek.progress import Stop
from sigseek.storage import Catalog
from tests.conftest import Run
from tests.photos import picture, save
from tests.test_pipeline import Library, counts

pytestmark = pytest.mark.both_databases


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.catalog.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six photos: two PNG at the top, two PNG and two JPEG in `sub`."""
    for seed, name in enumerate(["a.png", "b.png", "sub/c.png", "sub/d.png", "sub/e.jpg", "f.jpg"]):
        save(tmp_path / "photos" / name, seed=seed)
    return tmp_path / "photos"


def paths(library: Library, folder: Path) -> list[str]:
    return sorted(str(Path(path).relative_to(folder)) for path in library.contents())


def excluded(report: IndexReport) -> tuple[int, tuple[str, ...]]:
    return report.excluded, report.emptied


def test_photos_that_become_excluded_leave_and_come_back(library: Library, folder: Path) -> None:
    library.index(folder)
    report = library.index(folder, exclude=["*.jpg"])
    assert counts(report) == {"scanned": 4, "unchanged": 4}
    assert excluded(report) == (2, ())
    assert paths(library, folder) == ["a.png", "b.png", "sub/c.png", "sub/d.png"]
    assert library.catalog.photo_count() == 4
    assert excluded(library.index()) == (0, ()), "the pattern is remembered"
    report = library.index(folder / "sub", include=["*.jpg"], exclude=["c.png"])
    assert counts(report) == {"scanned": 2, "added": 1, "unchanged": 1}
    assert [one.excluded for one in library.catalog.folders()] == [("/sub/**/c.png",)]


def test_what_leaves_the_library_with_its_tags_is_told_beforehand_and_afterwards(
    tmp_path: Path, folder: Path, run: Run
) -> None:
    shutil.copy(folder / "f.jpg", folder / "sub" / "copy.jpg")
    where = ("--library", tmp_path / "library")
    run("index", folder, *where, "--model", "mini")
    catalog = Catalog(tmp_path / "library")
    tagged = catalog.find_photo_of_file(folder / "sub" / "c.png")
    with catalog.transaction() as transaction:
        transaction.put_tag("mine", 1, np.array([tagged]), np.array([0.9]))
    catalog.close()
    exclude = ("--exclude", "/sub/", "--exclude", "/a.png")
    listed = run("index", folder, "--list", *exclude, *where)
    assert listed.stderr.splitlines() == [
        f"{folder}/a.png: excluded by /a.png; 1 file would leave the library",
        f"{folder}/sub: excluded by /sub/; 4 files would leave the library",
        "5 files would be removed from the library because a rule now leaves out such files, and "
        "with them photos without any other file, their embeddings and tags (your photo files "
        "stay)",
    ]
    again = run("index", folder, "--list", "--exclude", "/sub/", "--json", *where)
    records = [json.loads(line) for line in again.stdout.splitlines()]
    assert {record["path"]: record["leaving"] for record in records if record["leaving"]} == {
        str(folder / "sub"): 4
    }
    done = run("index", folder, "--exclude", "/sub/", *where)
    assert (
        "4 files were removed from the library because a rule now leaves out such files, and 3 "
        "photos without any other file, 1 of them with tags (your photo files stay). To take a "
        f"pattern back: sigseek index --library {tmp_path}/library --include PATTERN; the tags do "
        "not come back\n"
    ) in done.stderr
    with sigseek.open(tmp_path / "library", model="mini") as library:
        report = library.index(folder, exclude=["/b.png"])
        assert (report.excluded, report.excluded_photos, report.excluded_tagged) == (1, 1, 0)


def test_a_pattern_is_taken_back_where_it_was_given(library: Library, folder: Path) -> None:
    library.index(folder / "sub", exclude=["*.jpg"])
    library.index(folder)
    assert [one.excluded for one in library.catalog.folders()] == [("/sub/**/*.jpg",)]
    assert paths(library, folder) == ["a.png", "b.png", "f.jpg", "sub/c.png", "sub/d.png"]
    kept = r"^no files are left out by \*\.jpg; these patterns are kept: /sub/\*\*/\*\.jpg$"
    with pytest.raises(PatternError, match=kept):
        library.index(folder, include=["*.jpg"])
    library.index(folder / "sub", include=["*.jpg"])
    assert [one.excluded for one in library.catalog.folders()] == [()]
    assert len(paths(library, folder)) == 6


def test_a_pattern_that_excludes_everything_changes_nothing_unless_it_is_meant(
    library: Library, folder: Path
) -> None:
    library.index(folder)
    report = library.index(folder, exclude=["*"])
    assert counts(report) == {}
    assert excluded(report) == (0, (str(folder),))
    assert len(paths(library, folder)) == 6
    assert [one.excluded for one in library.catalog.folders()] == [()]
    report = library.index(folder, exclude=["*"], accept_missing=True)
    assert excluded(report) == (6, ())
    assert paths(library, folder) == []


def test_a_failure_that_is_left_out_is_none_any_more(library: Library, folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"no picture")
    assert library.index(folder).failed == 1
    assert library.index(folder, exclude=["broken*"]).failed == 0
    assert library.catalog.failures() == []


def test_a_new_nomedia_takes_its_directory_out(library: Library, folder: Path) -> None:
    library.index(folder)
    (folder / "sub" / ".nomedia").touch()
    assert excluded(library.index()) == (3, ())
    assert paths(library, folder) == ["a.png", "b.png", "f.jpg"]


def test_what_is_passed_over_is_counted_and_listed(library: Library, folder: Path) -> None:
    picture(9).save(folder / "old.jpg_original", "JPEG")
    (folder / "notes").write_text("no picture")
    (folder / "link").symlink_to(folder / "sub", target_is_directory=True)
    assert library.index(folder).skipped == 2
    assert [(file.path, file.holds) for _, file in library.catalog.skipped_files()] == [
        ("link", "directory"),
        ("old.jpg_original", "JPEG"),
    ]
    (folder / "old.jpg_original").unlink()
    assert library.index().skipped == 1
    assert [file.path for _, file in library.catalog.skipped_files()] == ["link"]


def test_the_preview_says_why(library: Library, folder: Path) -> None:
    picture(9).save(folder / "old.jpg_original", "JPEG")
    (folder / "sub" / ".nomedia").touch()
    (folder / ".hidden").mkdir()
    save(folder / "g.dng.png").rename(folder / "f.dng")
    patterns = FolderPatterns(library.catalog, ["/b.png"], [])
    listed = list(preview(folder, PurePath(), patterns, Stop()))
    assert [(PurePath(file.path).name, file.taken, file.reason) for file in listed] == [
        (".hidden", False, "hidden, or kept by the system"),
        ("a.png", True, None),
        ("b.png", False, "excluded by /b.png"),
        ("f.dng", False, "f.jpg stands for it"),
        ("f.jpg", True, None),
        (
            "old.jpg_original",
            False,
            "it holds a picture (JPEG) but has no picture's extension; rename it",
        ),
        ("sub", False, "it has a .nomedia file"),
    ]
    assert library.catalog.folders() == []


def test_the_command_line_and_python_say_the_same(tmp_path: Path, folder: Path, run: Run) -> None:
    library = tmp_path / "library"
    picture(9).save(folder / "old.jpg_original", "JPEG")
    listed = run("index", folder, "--list", "--json", "--exclude", "*.jpg", "--library", library)
    records = [json.loads(line) for line in listed.stdout.splitlines()]
    assert len(records) == 7
    assert {record["path"] for record in records if record["taken"]} == {
        str(folder / name) for name in ("a.png", "b.png", "sub/c.png", "sub/d.png")
    }
    assert not library.exists()
    model = ("--model", "mini", "--library", library)
    done = run("index", folder, "--exclude", "*.jpg", *model)
    assert done.stdout.startswith("4 pictures: 4 added")
    to_see = f"To see why: sigseek failures --library {library} --skipped"
    advice = f"1 file seems to hold photos but was passed over. {to_see}"
    assert advice in done.stderr
    reason = "it holds a picture (JPEG) but has no picture's extension; rename it"
    skipped = run("failures", "--skipped", "--library", library).stdout
    assert skipped == f"{folder / 'old.jpg_original'}: {reason}\n"
    assert "without *.jpg" in run("status", "--library", library).stdout
    everything = run("index", folder, "--exclude", "*", "--json", *model)
    assert f"warning: everything in {folder} is left out" in everything.stderr
    assert json.loads(everything.stdout)["emptied"] == [str(folder)]
    with sigseek.open(library, model="mini") as opened:
        assert [(one.path, one.reason) for one in opened.skipped_files()] == [
            (str(folder / "old.jpg_original"), reason)
        ]
        assert opened.status().folders[0].excluded == ("*.jpg",)
        taken = [one.path for one in opened.preview(folder, include=["*.jpg"]) if one.taken]
        assert len(taken) == 6
        assert opened.index(include=["*.jpg"]).added == 2
