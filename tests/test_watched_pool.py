"""Reading files whose disk does not answer: the run ends all the same."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from sigseek import disk
from sigseek.indexer import FolderError, ingest
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.digest import FileDigest, digest_file
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.errors import SlowError, UndecidedError
from sigseek.indexer.presence import is_online
from sigseek.indexer.watched_pool import WatchedPool
from sigseek.progress import Problem
from sigseek.storage import FailureKind
from tests.conftest import ROOT
from tests.photos import save
from tests.silent_disks import silent_disk
from tests.test_pipeline import Heard, Library, counts


@pytest.fixture
def pool() -> Iterator[WatchedPool]:
    pool = WatchedPool(2, patience=0.3)
    yield pool
    pool.close()


def test_results_and_errors_come_as_from_any_pool(pool: WatchedPool) -> None:
    assert pool.submit(abs, -3).result(60) == 3
    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda number: 1 // number, 0).result(60)


def test_what_gives_no_sign_of_life_is_given_up_and_its_thread_replaced(
    pool: WatchedPool,
) -> None:
    answer = threading.Event()
    stuck = [pool.submit(answer.wait, 60.0) for _ in range(4)]
    for future in stuck:
        with pytest.raises(SlowError, match=r"^reading it was given up: .* for 0\.3 s$"):
            future.result(60)
    assert pool.submit(abs, -3).result(60) == 3
    answer.set()


def test_what_gives_signs_of_life_may_take_longer(pool: WatchedPool) -> None:
    def slow(parts: int) -> int:
        for _ in range(parts):
            time.sleep(0.1)
            pool.give_sign_of_life()
        return parts

    assert pool.submit(slow, 10).result(60) == 10


def test_closing_ends_what_runs_at_its_next_sign_of_life(pool: WatchedPool) -> None:
    running = threading.Event()

    def go_on(_: int) -> None:
        while True:
            running.set()
            pool.give_sign_of_life()
            time.sleep(0.01)

    future = pool.submit(go_on, 0)
    assert running.wait(60)
    pool.close()
    with pytest.raises((UndecidedError, CancelledError)):
        future.result(60)


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photos; those whose names begin with `silent` give nothing when they are read,
    as on a network mount whose server is gone: they become pipes that nobody writes into.
    """

    def digest(path: Path, on_part: Callable[[], None]) -> FileDigest:
        if path.name.startswith("silent"):
            path.unlink()
            os.mkfifo(path)
        return digest_file(path, on_part)

    monkeypatch.setattr(ingest, "digest_file", digest)
    monkeypatch.setattr(disk, "PATIENCE", 2.0)
    for seed in range(8):
        save(tmp_path / "photos" / f"{seed}.png", seed=seed)
    return tmp_path / "photos"


def test_a_file_that_the_disk_does_not_give_is_a_failure_of_its_own(
    tmp_path: Path, silent: Path
) -> None:
    library = Library(tmp_path / "library")
    save(silent / "silent.png", seed=20)
    size = (silent / "silent.png").stat().st_size
    assert counts(library.index(silent)) == {"scanned": 9, "added": 8, "failed": 1}
    (failure,) = library.catalog.folder_failures(library.catalog.folders()[0].id)
    assert (failure.kind, failure.size) == (FailureKind.SLOW, size)
    assert failure.reason == "reading it was given up: the disk gave nothing of it for 2 s"
    library.catalog.close()


def test_a_disk_that_gives_nothing_at_all_ends_the_run(tmp_path: Path, silent: Path) -> None:
    library = Library(tmp_path / "library")
    for number in range(20):
        save(silent / f"silent{number}.png", seed=20 + number)
    with pytest.raises(FolderError, match=f"^the disk of {silent} does not answer; what was done"):
        library.index(silent)
    assert len(library.contents()) in (0, 8), "what was done is kept, a batch as a whole"
    library.catalog.close()


def test_a_disk_that_falls_silent_while_a_file_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "photos" / "a" / "silent.png", seed=1)
    save(tmp_path / "photos" / "b" / "fine.png", seed=2)
    library = Library(tmp_path / "library")
    decode = GuardedDecoder.decode
    with silent_disk(monkeypatch) as silent:

        def decode_and_fall_silent(
            decoder: GuardedDecoder, path: Path, thumbnail: int | None = None
        ) -> DecodedPhoto:
            decoded = decode(decoder, path, thumbnail)
            if path.name == "silent.png":
                silent.paths = {path.parent}
            return decoded

        monkeypatch.setattr(GuardedDecoder, "decode", decode_and_fall_silent)
        found = counts(library.index(tmp_path / "photos"))
    assert found == {"scanned": 2, "added": 1, "failed": 1}
    (failure,) = library.catalog.folder_failures(library.catalog.folders()[0].id)
    assert (failure.path, failure.kind) == ("a/silent.png", FailureKind.SLOW)
    assert failure.reason == "reading it was given up: the disk did not answer for 2 s"
    library.catalog.close()


def test_a_folder_whose_disk_falls_silent_is_offline_and_the_others_are_indexed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive, folder = tmp_path / "drive", tmp_path / "folder"
    for number in range(5):
        save(drive / str(number) / "a.png", seed=number)
    save(folder / "b.png", seed=20)
    library = Library(tmp_path / "library")
    library.index(drive, folder)
    save(folder / "c.png", seed=21)
    heard = Heard()
    with silent_disk(monkeypatch) as silent:
        silent.paths = {drive / str(number) for number in range(5)}
        report = library.index(listener=heard)
        assert counts(report) == {"scanned": 2, "added": 1, "unchanged": 1, "offline": 5}
        assert heard.problems == [Problem(str(drive), "its disk does not answer")]
        silent.paths = {drive}
        assert counts(library.index()) == {"scanned": 2, "unchanged": 2, "offline": 5}
    while not is_online(drive):  # until the question that waited is answered
        time.sleep(0.01)
    assert counts(library.index()) == {"scanned": 7, "unchanged": 7}
    library.catalog.close()


def test_a_new_folder_whose_disk_does_not_answer_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        save(tmp_path / "photos" / str(number) / "a.png", seed=number)
    library = Library(tmp_path / "library")
    refused = f"^the disk of {tmp_path / 'photos'} does not answer; what was done"
    with silent_disk(monkeypatch) as silent:
        silent.paths = {tmp_path / "photos" / str(number) for number in range(3)}
        with pytest.raises(FolderError, match=refused):
            library.index(tmp_path / "photos")
        silent.paths = {tmp_path / "photos"}
        with pytest.raises(FolderError, match=refused):
            library.index(tmp_path / "photos")
    assert library.catalog.folders() == []
    library.catalog.close()


def test_the_program_ends_though_a_thread_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    code = f"""
from sigseek.indexer.watched_pool import WatchedPool
pool = WatchedPool(2, 0.2)
try:
    pool.submit(lambda path: open(path).read(), {str(tmp_path / "pipe")!r}).result()
except Exception as error:
    print(type(error).__name__)
pool.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        timeout=60,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "SilentDiskError\n"
