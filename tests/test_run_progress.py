"""How an indexing run tells of itself, and how it is stopped."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from sigseek.indexer import ingest
from sigseek.indexer.decoding.digest import FileDigest, digest_file
from sigseek.progress import Listener, Phase, Problem, Progress, Stop
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.siglip.yardstick.steps import YardstickStep
from tests.listeners import Heard
from tests.photos import save
from tests.test_pipeline import Library, counts


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.catalog.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(60):
        save(tmp_path / "photos" / f"{number:02}.png", seed=number)
    return tmp_path / "photos"


def phases(heard: Heard) -> list[Phase]:
    return [phase for phase, _ in groupby(progress.phase for progress in heard.progress)]


def test_a_run_tells_its_phases_in_order(library: Library, folder: Path) -> None:
    heard = Heard()
    library.index(folder, listener=heard)
    assert phases(heard) == [
        Phase.SCANNING,
        Phase.EMBEDDING,
        Phase.PREPARING,
        Phase.EMBEDDING,
        Phase.MEASURING,
        Phase.INDEXING,
    ]
    assert heard.progress[0] == Progress(Phase.SCANNING)
    measuring = [progress for progress in heard.progress if progress.phase is Phase.MEASURING]
    assert [(progress.done, progress.total) for progress in measuring] == [(0, None), (30, 30)]
    again = Heard()
    library.index(folder, listener=again)
    assert phases(again) == [Phase.SCANNING, Phase.EMBEDDING]
    assert (again.progress[-1].done, again.progress[-1].total) == (60, 60)


def test_the_rate_and_the_time_left_follow_the_clock(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest_slowly(path: Path, on_part: Callable[[], None]) -> FileDigest:
        time.sleep(0.1)
        return digest_file(path, on_part)

    monkeypatch.setattr(ingest, "digest_file", digest_slowly)
    heard = Heard()
    library.index(folder, listener=heard)
    told = [progress for progress in heard.progress if progress.rate]
    assert told, "it took longer than a second"
    assert all(progress.phase is Phase.EMBEDDING for progress in told)
    for progress in told:
        assert progress.rate is not None
        assert progress.total is not None
        assert 0 < progress.rate <= 11 * ingest.THREADS
        assert progress.seconds_left == pytest.approx(
            (progress.total - progress.done) / progress.rate
        )


def test_problems_are_told_as_they_come(library: Library, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "link.png").symlink_to(folder / "nowhere.png")
    heard = Heard()
    library.index(folder, listener=heard)
    assert sorted(heard.problems, key=lambda problem: problem.path) == [
        Problem(str(folder / "bad.png"), "not a picture, or its header is damaged"),
        Problem(str(folder / "link.png"), "cannot be looked at: No such file or directory"),
    ]


@pytest.mark.parametrize(
    "moment",
    [0, 3, 40, 76, *(pytest.param(other, marks=pytest.mark.slow) for other in (1, 20, 60, 75, 77))],
)
def test_a_run_that_is_stopped_leaves_a_library_that_the_next_run_completes(
    library: Library, folder: Path, moment: int
) -> None:
    stop, seen = Stop(), 0

    def count(progress: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen > moment:
            stop.set()

    report = library.index(folder, listener=Heard(count), stop=stop)
    assert report.stopped or moment >= 60
    kept = len(library.contents())
    assert report.added <= kept <= 60
    (indexed,) = [folder.indexed_at for folder in library.catalog.folders()] or [None]
    assert indexed is None or kept == 60, "the folder was not gone through"
    report = library.index(folder)
    assert (report.stopped, report.scanned) == (False, 60)
    assert report.added == 60 - kept
    library.check(folder)


def test_a_run_stops_while_the_yardstick_is_embedded(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, embedded = Stop(), []
    whole = library.yardstick

    def embed_slowly(
        listener: Listener, stop: Stop, least: YardstickStep, seconds: float
    ) -> Yardstick:
        for done in range(30):
            stop.check()
            embedded.append(done)
            if done == 3:
                asked.set()
            listener.advanced(Progress(Phase.MEASURING, done, 30))
        return whole(listener, stop, least, seconds)

    monkeypatch.setattr(library, "yardstick", embed_slowly)
    assert library.index(folder, stop=asked).stopped
    assert embedded == [0, 1, 2, 3]
    monkeypatch.setattr(library, "yardstick", whole)
    again = library.index(folder)
    assert (again.stopped, again.unchanged) == (False, 60)
    assert library.catalog.yardstick(library.checkpoint.id)


def test_a_run_that_was_stopped_before_it_began_changes_nothing(
    library: Library, folder: Path
) -> None:
    stop = Stop()
    stop.set()
    report = library.index(folder, stop=stop)
    assert report.stopped
    assert library.catalog.folders() == []


def test_a_run_stops_though_a_file_hangs(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, forever = Stop(), threading.Event()

    def digest(path: Path, on_part: Callable[[], None]) -> FileDigest:
        if path.name == "50.png":
            threading.Timer(0.2, stop.set).start()
            forever.wait(300)
        return digest_file(path, on_part)

    monkeypatch.setattr(ingest, "digest_file", digest)
    before = time.monotonic()
    assert library.index(folder, stop=stop).stopped
    assert time.monotonic() - before < 60
    forever.set()
    monkeypatch.undo()
    library.index(folder)
    library.check(folder)


def test_a_raw_beside_a_jpeg_that_was_not_reached_is_not_indexed(
    library: Library, tmp_path: Path
) -> None:
    from tests.photos import picture
    from tests.raw_files import save_dng

    folder = tmp_path / "photos"
    for number in range(30):
        save(folder / f"{number}.jpg", seed=number)
    save_dng(folder / "9.dng", picture(9, (64, 48)), picture(9, (320, 240)))
    stop = Stop()

    def at(progress: Progress) -> None:
        if progress.phase is Phase.EMBEDDING and progress.done:
            stop.set()

    assert library.index(folder, listener=Heard(at), stop=stop).stopped
    assert counts(library.index(folder))["scanned"] == 30
    assert not any(path.endswith(".dng") for path in library.contents())


def test_a_stop_is_waited_for() -> None:
    stop = Stop()
    assert not stop.is_set()
    assert not stop.wait(0.01)
    threading.Timer(0.1, stop.set).start()
    assert stop.wait(60)
    assert stop.is_set()


def test_an_edit_that_drops_tags_is_told(library: Library, folder: Path) -> None:
    library.index(folder)
    ids = [
        library.catalog.find_photo(digest_file(folder / name).picture)
        for name in ("01.png", "02.png")
    ]
    with library.catalog.transaction() as transaction:
        transaction.put_tag("holiday", library.checkpoint.id, np.array(ids), np.array([0.9, 0.8]))
    heard = Heard()
    assert library.index(folder, listener=heard).untagged == 0
    save(folder / "01.png", seed=101)  # an edit of a tagged photo, and one of another
    save(folder / "03.png", seed=103)
    report = library.index(folder, listener=heard)
    assert (report.changed, report.untagged) == (2, 1)
    assert heard.lines == [
        "1 photo with tags changed; the new version has no tags until tagging is run again"
    ]
    assert library.index(folder, listener=heard).untagged == 0
