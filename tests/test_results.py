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
    headline,
    json_line,
    offline_folder,
    report_in_words,
    size_in_words,
)
from sigseek.search.results import Hit, SearchResults
from sigseek.search.verdicts import JudgedBy, Verdict


@dataclass(frozen=True)
class Record:
    at: datetime
    where: Path


def hit(verdict: Verdict | None, probability: float = 0.9) -> Hit:
    return Hit(
        id=1, rank=1, path="/p/a.jpg", width=1, height=1, damaged=False, taken_at=None,
        date_source=None,
        camera=None, latitude=None, longitude=None, city=None, region=None, country=None,
        place_source=None, lens=None, rating=None, title=None, description=None, keywords=(),
        people=(), tags=(), copies=(), available=True,
        score=0.5, logit=0.0,
        cosine=0.1, probability=probability, verdict=verdict, confidence=None,
        judged_by="calibrated",
    )  # fmt: skip


def found(
    *verdicts: Verdict | None,
    matches: int | None = None,
    maybes: int = 0,
    counted: bool = True,
    expected: float = 0,
    best: Hit | None = None,
    judged_by: JudgedBy = "calibrated",
    photos: int = 200,
) -> SearchResults:
    hits = tuple(map(hit, verdicts))
    return SearchResults(
        hits,
        best or (hits[0] if hits else None),
        verdicts.count("match") if matches is None else matches,
        maybes,
        counted,
        expected,
        0.9,
        photos,
        judged_by,
    )


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


@pytest.mark.parametrize(
    ("results", "limit", "said"),
    [
        (found("match", expected=1.4), 10, "1 photo matches"),
        (found("match", "match", expected=2.1), 2, "2 photos match"),
        (
            found("match", "match", matches=23, maybes=6, expected=24.4),
            2,
            "23 photos match, the best 2 shown (-n 20 for more); 6 more may (--all)",
        ),
        (
            found("match", "match", matches=23_456, counted=False, maybes=12_345, expected=9e5),
            2,
            "about 23,000 photos match, the best 2 shown (-n 20 for more); 12,000 more may (--all)",
        ),
        (
            found("match", "match", expected=29.6, photos=1_000_000),
            10,
            "2 photos match, probably about 30 of 1,000,000 in all",
        ),
        (
            found("match", judged_by="uncalibrated", maybes=2),
            10,
            "1 photo matches (uncalibrated); 2 more may (--all)",
        ),
        (found(None, None, judged_by="nothing"), 10, "2 photos listed, not judged yet"),
        (found(maybes=5, best=hit("maybe")), 10, "No photo clearly matches; 5 may (--all)"),
        (found(best=hit("no match")), 10, "No photo matches; the closest is /p/a.jpg"),
        (found(), 10, "No photo matches"),
    ],
)
def test_headlines(results: SearchResults, limit: int, said: str) -> None:
    assert headline(results, limit).spelled(spell) == said


@pytest.mark.parametrize(
    ("results", "limit", "said"),
    [
        (
            found("match", "maybe", maybes=1),
            2,
            "1 photo matches; 1 more may; the best 2 of 200 photos listed (-n 20 for more)",
        ),
        (found("match", "no match", photos=2), 10, "1 photo matches; all 2 photos listed"),
        (
            found("match", "match", matches=3),
            2,
            "3 photos match; the best 2 of 200 photos listed (-n 20 for more)",
        ),
        (
            found("maybe", maybes=1, photos=1),
            10,
            "No photo clearly matches; 1 may; 1 photo listed",
        ),
    ],
)
def test_headlines_of_everything(results: SearchResults, limit: int, said: str) -> None:
    """A hint that was followed is not given again."""
    assert headline(results, limit, include_all=True).spelled(spell) == said


def test_a_probability_that_is_asked_for() -> None:
    results = found("match", "match", matches=5)
    assert headline(results, 2, 0.9).spelled(spell) == (
        "5 photos match with a probability of 0.9 or more, the best 2 shown (-n 20 for more)"
    )


def test_a_probability_that_is_asked_for_and_not_reached() -> None:
    results = found(best=hit("match", 0.99995))
    assert headline(results, 10, 0.99999).spelled(spell) == (
        "No photo has a probability of 0.99999 or more; the best has 0.99995: /p/a.jpg"
    )


def test_reports() -> None:
    assert (
        report_in_words(IndexReport(seconds=1, model="mini")) == "No pictures found (1.0 s, mini)"
    )
    report = IndexReport(scanned=2, added=1, failed=1, seconds=1, model="mini")
    assert report_in_words(report) == "2 pictures: 1 added, 1 failed (1.0 s, mini)"
    assert offline_folder("/my {photos}", 158).spelled(spell) == (
        "/my {photos} is offline (missing or empty); its 158 known files are kept. "
        "If it has moved: sigseek relocate '/my {photos}' NEW; "
        "if it is gone for good: sigseek forget '/my {photos}'"
    )
