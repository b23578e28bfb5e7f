"""Two thousand damaged files through the indexer."""

from collections import Counter
from pathlib import Path

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


def test_two_thousand_damaged_files(tmp_path: Path) -> None:
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
    write_damaged(tmp_path / "photos", seeds, 2000)
    library = Library(tmp_path / "library")
    report = library.index(tmp_path / "photos")
    failures = library.catalog.failures()
    assert report.scanned == 2000 == report.added + report.failed
    assert report.failed == len(failures) > 500
    assert report.added > 300
    reasons = Counter(failure.reason for failure in failures)
    assert [
        reason
        for reason in reasons
        if not reason.startswith(REASONS) or "\n" in reason or len(reason) > 300
    ] == []
    again = library.index(tmp_path / "photos")
    assert (again.unchanged, again.failed, again.added) == (report.added, report.failed, 0)
    library.catalog.close()
