"""What a person can do while the first run is still under way."""

import json
from pathlib import Path

import pytest

import sigseek
from sigseek.indexer.ledger import Ledger
from sigseek.progress import Phase, Progress, Stop
from sigseek.siglip.yardstick import embeddings
from tests.conftest import Run
from tests.listeners import Heard


def test_photos_are_found_from_another_process_while_the_others_are_embedded(
    tmp_path: Path, drawn: Path, run: Run
) -> None:
    found: list[list[dict[str, object]]] = []

    def search(progress: Progress) -> None:
        if progress.phase is Phase.EMBEDDING and progress.embedded and not found:
            done = run(
                "search", "a house", "-n", "100", "--json", "--library", tmp_path / "library"
            )
            found.append([json.loads(line) for line in done.stdout.splitlines()])

    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(drawn, listener=Heard(search))
        later = library.search("a house", 100, include_all=True)
    (hits,) = found
    assert len(hits) == 16, "the first batch"
    assert {(hit["verdict"], hit["judged_by"]) for hit in hits} == {(None, "nothing")}
    assert len(later) == 40
    assert {hit.judged_by for hit in later} == {"calibrated"}


def test_stopped_while_texts_are_embedded_a_run_goes_on_with_the_next_text(
    tmp_path: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings, "cache_directory", lambda: tmp_path / "cache")
    stop, stopped_at = Stop(), []

    def stop_after_100(progress: Progress) -> None:
        if progress.phase is Phase.MEASURING and progress.done >= 100:
            stopped_at.append(progress.done)
            stop.set()

    def begun(heard: Heard) -> list[int]:
        return [
            progress.done
            for progress in heard.progress
            if progress.phase is Phase.MEASURING and progress.total
        ]

    with sigseek.open(tmp_path / "library", model="mini") as library:
        first = library.index(drawn, listener=Heard(stop_after_100), stop=stop)
        assert (first.stopped, first.added) == (True, 40)
        found = library.search("a house", 100, include_all=True)
        assert len(found) == 40
        idle = (
            "include_all=True does nothing in this library, because its photos have no verdicts yet"
        )
        assert idle in map(str, found.notes)
        assert idle not in map(str, library.search("a house").notes)
        assert library.judged_by == "nothing"
        heard = Heard()
        second = library.index(drawn, listener=heard)
        assert (second.stopped, second.unchanged) == (False, 40)
        assert [begun(heard)[0]] == stopped_at
        assert begun(heard)[-1] == 456
        assert library.judged_by == "calibrated"
        found = library.search("a house", 100, include_all=True)
        assert idle not in map(str, found.notes)


def test_what_earlier_runs_did_does_not_count_in_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sigseek.indexer import ledger as module

    monkeypatch.setattr(module, "_ENOUGH", 0)
    heard = Heard()
    ledger = Ledger("mini", heard)
    ledger.begin(Phase.MEASURING)
    ledger.advanced(Progress(Phase.MEASURING, 400, 456))
    assert heard.progress[-1].seconds_left is None
    ledger.advanced(Progress(Phase.MEASURING, 428, 456))
    rate, left = heard.progress[-1].rate, heard.progress[-1].seconds_left
    assert rate
    assert left == pytest.approx(28 / rate)
    ledger.advanced(Progress(Phase.MEASURING, 456, 456))
    assert heard.progress[-1].seconds_left == 0
