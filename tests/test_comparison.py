"""A scan compared with what the catalog holds: known rows and listings, known answers."""

from pathlib import Path, PurePath

import pytest

from sigseek.indexer.comparison import Comparison, compare
from sigseek.indexer.decoding.formats import DECODER_VERSION
from sigseek.indexer.listing import FoundFile, Listing
from sigseek.storage import FailureKind, FailureRecord, FileRecord

HERE = PurePath()


def row(path: str, *, mtime: int = 1, embedded: bool = True, missing: bool = False) -> FileRecord:
    return FileRecord(path, 10, mtime, 5, embedded, missing, 1)


def listing(*paths: str) -> Listing:
    return Listing(dict.fromkeys(paths, (10, 1, 5)))


def run(
    tmp_path: Path,
    found: Listing,
    rows: list[FileRecord],
    failures: list[FailureRecord] | None = None,
    inside: PurePath = HERE,
) -> Comparison:
    return compare(tmp_path, inside, found, rows, failures or [], 1_000_000)


def test_new_changed_and_unchanged_files(tmp_path: Path) -> None:
    rows = [row("same"), row("touched", mtime=2), row("other checkpoint's", embedded=False)]
    found = run(tmp_path, listing("same", "touched", "other checkpoint's", "new"), rows)
    assert (found.scanned, found.unchanged, found.present_before) == (4, 1, 3)
    assert found.changed == [
        FoundFile(path, 10, 1, 5) for path in ("touched", "other checkpoint's", "new")
    ]
    assert set(found.known) == {"touched", "other checkpoint's"}
    assert (found.missing, found.newly_missing) == (set(), [])


def test_files_that_are_gone_and_files_that_are_back(tmp_path: Path) -> None:
    rows = [row("gone"), row("long gone", missing=True), row("back", missing=True)]
    found = run(tmp_path, listing("back"), rows)
    assert found.missing == {"gone", "long gone"}
    assert found.newly_missing == ["gone"]
    assert (found.reappeared, found.unchanged, found.present_before) == (["back"], 1, 1)


def test_what_is_outside_the_scan_is_left_alone(tmp_path: Path) -> None:
    rows = [row("a/1"), row("ab/2"), row("b/3")]
    found = run(tmp_path, listing(), rows, inside=PurePath("a"))
    assert found.missing == {"a/1"}


def test_what_could_not_be_looked_into_is_not_missing(tmp_path: Path) -> None:
    scan = listing()
    scan.unreadable = {"closed": "the directory cannot be read", "link.jpg": "cannot be looked at"}
    rows = [row("closed/1"), row("closed/deep/2"), row("link.jpg"), row("closed.jpg")]
    assert run(tmp_path, scan, rows).missing == {"closed.jpg"}


def test_a_hidden_file_is_missing_only_if_it_is_not_there(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "1").touch()
    found = run(tmp_path, listing(), [row(".hidden/1"), row(".hidden/2")])
    assert found.missing == {".hidden/2"}


def test_what_a_rule_leaves_out_is_excluded_and_not_missing(tmp_path: Path) -> None:
    scan = listing("kept")
    scan.excluded = {"raw": "excluded by raw/", "b.png": "excluded by *.png"}
    rows = [row("kept"), row("raw/deep/1"), row("b.png", missing=True), row("rawer/2")]
    failures = [FailureRecord("raw/3", "no picture", 10, 1)]
    found = run(tmp_path, scan, rows, failures)
    assert sorted(found.excluded) == ["b.png", "raw/deep/1"]
    assert found.missing == {"rawer/2"}
    assert found.resolved_failures == ["raw/3"]


@pytest.mark.parametrize(
    ("kind", "mtime", "read_again"),
    [
        (FailureKind.NO_PICTURE, 1, False),
        (FailureKind.NO_PICTURE, 2, True),
        (FailureKind.UNREADABLE, 1, True),
    ],
)
def test_failures_are_read_again_by_their_kind(
    tmp_path: Path, kind: FailureKind, mtime: int, read_again: bool
) -> None:
    failure = FailureRecord("bad", "a reason", 10, mtime, kind, decoder_version=DECODER_VERSION)
    found = run(tmp_path, listing("bad"), [], [failure])
    assert [file.path for file in found.changed] == (["bad"] if read_again else [])
    assert found.failed == (not read_again)


def test_failures_of_files_that_are_gone_are_resolved(tmp_path: Path) -> None:
    failures = [FailureRecord(path, "a reason", 10, 1) for path in ("gone", "there")]
    assert run(tmp_path, listing("there"), [], failures).resolved_failures == ["gone"]


def test_raw_files_wait_for_a_picture_that_is_read_first(tmp_path: Path) -> None:
    scan = listing("a.jpg", "b.jpg")
    pairs = {FoundFile("a.dng", 10, 1, 5): "a.jpg", FoundFile("b.dng", 10, 1, 5): "b.jpg"}
    scan.raw_pairs = pairs
    found = run(tmp_path, scan, [row("a.jpg")])
    assert {raw.path: jpeg for raw, jpeg in found.raw_pairs.items()} == {"b.dng": "b.jpg"}
    found = run(tmp_path, scan, [row("a.jpg"), row("b.jpg"), row("a.dng")])
    assert {raw.path: jpeg for raw, jpeg in found.raw_pairs.items()} == {"a.dng": "a.jpg"}
