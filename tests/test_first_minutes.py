"""What a person can do while the first run is still under way."""

import json
from pathlib import Path

import numpy as np
import pytest

import sigseek
from sigseek.indexer import measuring
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.measure_biases import measure_biases
from sigseek.progress import Phase, Progress, Stop
from sigseek.search.calibration import Calibration
from sigseek.search.query import Text
from sigseek.search.results import SearchResults
from sigseek.search.searcher import Searcher
from sigseek.siglip.yardstick import embeddings
from sigseek.siglip.yardstick.steps import STEPS, WHOLE
from sigseek.storage import Catalog
from tests.checkpoints import copy_mini
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


@pytest.fixture
def bare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_cache: Path, mini_library: Path
) -> str:
    """mini without its calibration, with the first step of its yardstick in the cache and nearly
    all texts of the others, but none of their pictures, and no time for more than the least.
    """
    references = tmp_path / "cache" / "references"
    references.mkdir(parents=True)
    for made in (shared_cache / "references").glob("*.npz"):
        with np.load(made) as parts:
            left = {"common": parts["common"][:-6], "pictures": parts["pictures"][:4]}
            np.savez(references / made.name, **{**parts, **left})
    monkeypatch.setattr(embeddings, "cache_directory", lambda: tmp_path / "cache")
    monkeypatch.setattr(measuring, "_YARDSTICK_SHARE", 0)
    directory = copy_mini(tmp_path / "bare" / "mini")  # the name is that of mini's conversion
    (directory / "calibration.json").unlink()
    return str(directory)


def test_a_first_run_judges_provisionally_and_the_next_one_makes_the_rest(
    tmp_path: Path, drawn: Path, bare: str
) -> None:
    with sigseek.open(tmp_path / "library", model=bare) as library:
        assert library.index(drawn).provisional
        found = library.search("a house", 40, include_all=True)
        assert found.judged_by == "provisional"
        assert {hit.judged_by for hit in found} == {"provisional"}
        assert {hit.verdict for hit in found} >= {"match", "no match"}
        assert str(found.notes[0]).startswith("verdicts are provisional, because only the first")
        assert library.status().checkpoints[0].reference_captions == STEPS[0].texts
        again = library.index()
        assert (again.provisional, again.unchanged) == (False, 40)
        found = library.search("a house", 40, include_all=True)
        assert found.judged_by == "uncalibrated"
        assert not any("provisional" in str(note) for note in found.notes)
        assert library.status().checkpoints[0].reference_captions == WHOLE.texts


def test_a_library_is_measured_whole_once_it_is_calibrated(
    tmp_path: Path, drawn: Path, bare: str
) -> None:
    with sigseek.open(tmp_path / "library", model=bare) as library:
        library.index(drawn)
        assert library.judged_by == "provisional"
        library.calibrate(drawn / "captions.jsonl")
        assert library.judged_by == "calibrated"


def test_no_answer_rests_on_two_steps_of_the_yardstick(
    tmp_path: Path, drawn: Path, bare: str
) -> None:
    """Another process calibrates the library and grows the yardstick in the middle of an answer."""
    text = Text("a house")
    with sigseek.open(tmp_path / "library", model=bare) as library:
        library.index(drawn)
        expected = library.search("a house", 40, include_all=True)
        vectors = {text: library.embed_texts([text.text])[0]}
        whole, other, tries = library.yardstick(), Catalog(library.directory), []
        (record,) = other.checkpoints()

        def question(searcher: Searcher) -> SearchResults:
            tries.append(searcher.judged_by)
            fitted = Calibration(1, 0, 1, -0.2, -2, pictures=30, captions=30)
            with other.transaction() as transaction:
                transaction.put_calibration(record.id, fitted.as_json())
            measure_biases(other, record, whole)
            return searcher.search(text, vectors, 40, include_all=True)

        found = library._opened.searcher.ask(question)
        other.close()
        assert tries == ["provisional"]
        assert found.judged_by == "provisional"
        assert [hit.confidence for hit in found] == [hit.confidence for hit in expected]
        assert library.judged_by == "calibrated"
