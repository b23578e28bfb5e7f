"""Records as JSON and as words."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from sigseek.cli.remedies import spell
from sigseek.indexer import IndexReport
from sigseek.results import (
    counted,
    json_line,
    offline_folder,
    report_in_words,
    size_in_words,
    unreadable_files,
)
from tests.answered import hit


@dataclass(frozen=True)
class Record:
    at: datetime
    where: Path


def test_times_are_utc_and_text_is_ascii() -> None:
    at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    for same in (at, at.astimezone(timezone(timedelta(hours=2)))):
        line = json_line(Record(same, Path("/ä")))
        assert line.isascii()
        assert json.loads(line) == {"at": "2026-01-02T03:04:00Z", "where": "/ä"}


def test_fields_that_nobody_asked_for_are_left_out() -> None:
    fields = json.loads(json_line(hit("match")))
    assert not {"terms", "closer"} & set(fields)
    assert fields["keywords"] == []


def test_counts_and_sizes() -> None:
    assert (counted(1, "copy", "copies"), counted(2000, "file")) == ("1 copy", "2,000 files")
    assert [size_in_words(n) for n in (999, 1000, 2_500_000_000)] == ["999 B", "1.0 kB", "2.5 GB"]


def test_reports() -> None:
    assert (
        report_in_words(IndexReport(seconds=1, model="mini")) == "No pictures found (1.0 s, mini)"
    )
    stopped = IndexReport(seconds=1, model="mini", stopped=True)
    assert report_in_words(stopped) == "No picture was looked at (1.0 s, mini)"
    report = IndexReport(scanned=2, added=1, failed=1, seconds=1, model="mini")
    assert report_in_words(report) == "2 pictures: 1 added, 1 failed (1.0 s, mini)"
    assert offline_folder("/my {photos}", 158).spelled(spell) == (
        "/my {photos} is offline (missing or empty); its 158 known files are kept. "
        "If it has moved: sigseek relocate '/my {photos}' NEW; "
        "if it is gone for good: sigseek forget '/my {photos}'"
    )


@pytest.mark.parametrize(
    ("files", "directories", "said"),
    [
        (1, 0, "1 file could not be read. "),
        (0, 1, "1 directory could not be read. "),
        (65, 2, "65 files and 2 directories could not be read. "),
    ],
)
def test_what_could_not_be_read(files: int, directories: int, said: str) -> None:
    assert unreadable_files(files, directories).spelled(spell).startswith(said)
