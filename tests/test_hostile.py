"""Damaged files of all kinds through the indexer."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.variants import small_pictures, write_damaged
from tests.test_pipeline import Library

REASONS = (
    "damaged, or an unsupported kind of ",
    "damaged: ",
    "a JPEG of 1",
    "not a picture, or its header is damaged",
    "the file is empty",
    "too large: ",
    "this format is not supported",
    "PostScript is not supported",
    "vector graphics are not supported",
    "decoding ",
)
"""The beginnings of the reasons that a person may read."""


@pytest.mark.parametrize("count", [424, pytest.param(2_000, marks=pytest.mark.slow)])
def test_many_damaged_files(tmp_path: Path, count: int) -> None:
    seeds = small_pictures()
    assert {Path(name).suffix for name in seeds} >= {
        ".jfif",
        ".png",
        ".gif",
        ".tif",
        ".webp",
        ".bmp",
        ".jp2",
        ".avif",
        ".tga",
    }
    write_damaged(tmp_path / "photos", seeds, count)
    library = Library(tmp_path / "library")
    report = library.index(tmp_path / "photos")
    failures = library.catalog.failures()
    assert report.scanned == count == report.added + report.failed
    assert report.failed == len(failures) > count / 4
    assert report.added > count / 7
    reasons = Counter(failure.reason for failure in failures)
    assert [
        reason
        for reason in reasons
        if not reason.startswith(REASONS) or "\n" in reason or len(reason) > 300
    ] == []
    again = library.index(tmp_path / "photos")
    assert (again.unchanged, again.failed, again.added) == (report.added, report.failed, 0)
    library.catalog.close()
