"""The ledger of a run: what it counts, and what its clock says."""

from pathlib import Path

import pytest

from sigseek.indexer import ledger as ledger_module
from sigseek.indexer.comparison import Comparison
from sigseek.indexer.ledger import Ledger, Outcome
from sigseek.progress import Phase, Problem
from tests.test_pipeline import Heard, counts

pytestmark = pytest.mark.both_databases


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(ledger_module, "time", clock)
    return clock


def test_every_count_of_the_report(clock: Clock) -> None:
    heard = Heard()
    ledger = Ledger("a model", heard)
    ledger.begin(Phase.SCANNING)
    found = Comparison(9, {"closed": "cannot be read"}, unchanged=2, failed=1, skipped=4)
    found.missing = {"gone.jpg", "moved.jpg"}
    found.excluded = ["left.jpg"]
    ledger.enter_scan(1, "/photos", found)
    ledger.enter_offline(7)
    ledger.enter_emptied("/empty")
    assert ledger.is_missing(1, "moved.jpg")
    ledger.begin(Phase.EMBEDDING)
    for outcome in (Outcome.ADDED, Outcome.ADDED, Outcome.CHANGED, Outcome.MOVED):
        ledger.enter_file(outcome)
    ledger.enter_move(1, "moved.jpg")
    assert not ledger.is_missing(1, "moved.jpg")
    ledger.enter_failure("/photos/bad.jpg", "no picture")
    ledger.enter_file(Outcome.UNCHANGED)
    report = ledger.finish(stopped=False)
    assert counts(report) == {
        "scanned": 9,
        "added": 2,
        "changed": 1,
        "moved": 1,
        "unchanged": 3,
        "missing": 1,
        "offline": 7,
        "failed": 2,
    }
    assert (report.excluded, report.skipped, report.emptied) == (1, 4, ("/empty",))
    assert report.unreadable_directories == 1
    assert heard.problems == [
        Problem("/photos/closed", "cannot be read"),
        Problem("/photos/bad.jpg", "no picture"),
    ]


def test_the_speed_leaves_out_the_loading_of_the_checkpoint(clock: Clock) -> None:
    ledger = Ledger("a model", Heard())
    ledger.begin(Phase.SCANNING)
    clock.now += 10
    ledger.begin(Phase.EMBEDDING)
    clock.now += 1
    with ledger.loading():
        clock.now += 5
    clock.now += 19
    ledger.enter_commit(40)
    clock.now += 100
    report = ledger.finish(stopped=True)
    assert (report.seconds, report.images_per_second, report.stopped) == (135.0, 2.0, True)


def test_the_speed_counts_the_decoding_while_the_checkpoint_is_loaded(clock: Clock) -> None:
    ledger = Ledger("a model", Heard())
    ledger.begin(Phase.SCANNING)
    ledger.begin(Phase.EMBEDDING)
    clock.now += 1
    with ledger.loading():
        clock.now += 3
        ledger.note_decoded()
        clock.now += 2  # all that may be decoded ahead is decoded
    clock.now += 16
    ledger.enter_commit(40)
    assert ledger.finish(stopped=False).images_per_second == 2.0


def test_rate_and_time_left(clock: Clock) -> None:
    heard = Heard()
    ledger = Ledger("a model", heard)
    ledger.enter_scan(1, "/photos", Comparison(10, {}, unchanged=2))
    ledger.begin(Phase.EMBEDDING)
    assert (heard.progress[-1].done, heard.progress[-1].total) == (2, 10)
    assert heard.progress[-1].rate is None
    clock.now += 2
    ledger.enter_file(Outcome.ADDED)
    assert (heard.progress[-1].rate, heard.progress[-1].seconds_left) == (0.5, 14.0)


def test_a_run_that_embeds_nothing_has_no_speed(clock: Clock) -> None:
    report = Ledger("a model", Heard()).finish(stopped=False)
    assert (report.images_per_second, report.device, report.model) == (0.0, None, "a model")


def test_tags_that_go_are_told_once(clock: Clock, tmp_path: Path) -> None:
    heard = Heard()
    ledger = Ledger("a model", heard)
    ledger.enter_untagged(3)
    assert ledger.finish(stopped=False).untagged == 3
    assert len(heard.lines) == 1
