"""The indexer against a catalog. The tower here counts its calls and embeds plain pixels, so
that the embedding of every file is known; the real towers are tested in test_towers.py and run
in every whole-program test.
"""

import contextlib
import errno
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt
import psutil
import pytest
from sqlalchemy import Engine, event

from sigseek.errors import StoppedError
from sigseek.indexer import FolderError, Indexer, IndexReport, check_folder, ingest
from sigseek.indexer.decoding import worker_pool
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.digest import FileDigest, digest_file
from sigseek.indexer.errors import DecoderError, UndecidedError
from sigseek.indexer.map_ahead import map_ahead, map_ahead_together
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.siglip import Preprocessing
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.siglip.yardstick.steps import STEPS, WHOLE, YardstickStep
from sigseek.storage import Catalog, CheckpointRecord, FailureKind
from sigseek.storage.index.file_store import FileStore
from sigseek.storage.thumbnails import ThumbnailStore
from tests.catalogs import add_checkpoint, execute, random_unit, unit
from tests.listeners import Heard
from tests.photos import picture, save
from tests.raw_files import save_dng

pytestmark = pytest.mark.both_databases(always=True)

PREPROCESSING = Preprocessing(4, 4, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)


class PixelTower:
    """An image tower whose embedding is the picture itself."""

    precision = "fp32"
    device = "cpu"
    runtime = "torch"
    batch = 16

    def __init__(self) -> None:
        self.embedded = 0
        self.fail_after: int | None = None

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        if self.fail_after is not None and self.embedded >= self.fail_after:
            raise KeyboardInterrupt
        self.embedded += len(pixels)
        return embedding(pixels)


def embedding(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return unit(pixels.reshape(len(pixels), -1).astype(np.float32) + 1)


class Library:
    """A catalog with one checkpoint, and runs of the indexer on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.catalog = Catalog(directory)
        self.checkpoint = add_checkpoint(self.catalog, 48)
        self.tower = PixelTower()
        self.loads = 0
        self.makes_the_least = False
        """Whether the yardstick is only made as far as it has to be."""
        self.wanted: list[tuple[YardstickStep, float]] = []
        """The step and the seconds, each time that the yardstick was asked for."""

    def load(self, listener: Listener, stop: Stop) -> PixelTower:
        self.loads += 1
        return self.tower

    def index(
        self,
        *folders: Path,
        accept_missing: bool = False,
        reread: bool = False,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
        max_pixels: int | None = None,
        thumbnails: ThumbnailStore | None = None,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> IndexReport:
        self.tower.embedded = 0
        indexer = Indexer(
            self.catalog,
            self.checkpoint,
            PREPROCESSING,
            self.load,
            self.yardstick,
            FileStore(self.directory / "index"),
            max_pixels=max_pixels,
            reread=reread,
            thumbnails=lambda: thumbnails,
            listener=listener,
            stop=stop,
        )
        report = indexer.run(
            [check_folder(f) for f in folders],
            accept_missing=accept_missing,
            exclude=exclude,
            include=include,
        )
        settled = report.added + report.changed + report.moved + report.unchanged + report.failed
        assert report.scanned == settled or (report.stopped and report.scanned > settled)
        return report

    def yardstick(
        self, listener: Listener, stop: Stop, least: YardstickStep, seconds: float
    ) -> Yardstick:
        listener.advanced(Progress(Phase.MEASURING, 30, 30))
        self.wanted.append((least, seconds))
        whole = Yardstick(*(random_unit(count, 48, count) for count in WHOLE))
        return whole.first(least) if self.makes_the_least else whole

    def contents(self) -> dict[str, bytes]:
        """Return the embedding that is kept for each path."""
        ids, vectors = self.catalog.embeddings(self.checkpoint.id)
        photos = self.catalog.photos(ids.tolist())
        return {
            path: vectors[row].tobytes()
            for row, id_ in enumerate(ids.tolist())
            if id_ in photos
            for path in photos[id_].paths
        }

    def check(self, folder: Path) -> None:
        """Check that the library holds exactly the folder's pictures, each with its own
        embedding.
        """
        expected = {}
        for path in sorted(folder.rglob("*.png")):
            pixels = decode_photo(path, PREPROCESSING).pixels
            expected[str(path)] = embedding(pixels[None])[0].astype(np.float16).tobytes()
        assert self.contents() == expected


def counts(report: IndexReport) -> dict[str, int]:
    names = ("scanned", "added", "changed", "moved", "unchanged", "missing", "offline", "failed")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "library")
    yield library
    library.catalog.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(40):
        save(tmp_path / "photos" / f"{number % 3}" / f"{number:02}.png", seed=number)
    return tmp_path / "photos"


def test_first_and_second_run(library: Library, folder: Path) -> None:
    report = library.index(folder)
    assert counts(report) == {"scanned": 40, "added": 40}
    assert (library.tower.embedded, report.device, report.model) == (40, "cpu", "a checkpoint")
    assert report.images_per_second > 0
    library.check(folder)
    report = library.index(folder)
    assert counts(report) == {"scanned": 40, "unchanged": 40}
    assert (library.tower.embedded, library.loads, report.device) == (0, 1, None), (
        "no photo embedded, no model loaded"
    )


def test_a_second_run_reads_no_file(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    monkeypatch.setattr(ingest, "digest_file", None)
    monkeypatch.setattr(ingest, "GuardedDecoder", None)
    assert counts(library.index(folder)) == {"scanned": 40, "unchanged": 40}


def test_moved_renamed_and_copied_files_are_not_embedded_again(
    library: Library, folder: Path
) -> None:
    library.index(folder)
    (folder / "elsewhere").mkdir()
    (folder / "0" / "00.png").rename(folder / "elsewhere" / "00.png")
    (folder / "1" / "01.png").rename(folder / "1" / "renamed.png")
    shutil.copy(folder / "2" / "02.png", folder / "elsewhere" / "copy.png")
    report = library.index(folder)
    assert counts(report) == {"scanned": 41, "added": 1, "moved": 2, "unchanged": 38}
    assert library.tower.embedded == 0
    library.check(folder)
    assert library.catalog.photo_count() == 40


def test_two_new_files_of_one_content_are_embedded_once(library: Library, folder: Path) -> None:
    for number in range(5):
        shutil.copy(folder / "0" / "00.png", folder / f"copy{number}.png")
    report = library.index(folder)
    assert counts(report) == {"scanned": 45, "added": 45}
    assert library.tower.embedded == 40
    library.check(folder)


def test_changed_and_touched_files(library: Library, folder: Path) -> None:
    library.index(folder)
    save(folder / "0" / "00.png", seed=1000)
    os.utime(folder / "1" / "01.png", ns=(1, 1))
    report = library.index(folder)
    assert counts(report) == {"scanned": 40, "changed": 1, "unchanged": 39}
    assert library.tower.embedded == 1, "a file that was only touched keeps its embedding"
    library.check(folder)
    assert library.catalog.embedded_ids(library.checkpoint.id).size == 40, "the old content is gone"


def test_times_of_change_beyond_64_bits(library: Library, folder: Path) -> None:
    late, early, bad = folder / "0" / "00.png", folder / "1" / "01.png", folder / "bad.jpg"
    bad.write_bytes(b"no picture")
    for path, year in ((late, 2300), (early, 1600), (bad, 2300)):
        os.utime(path, (0, (year - 1970) * 31_556_952))
    assert counts(library.index(folder)) == {"scanned": 41, "added": 40, "failed": 1}
    assert counts(library.index(folder)) == {"scanned": 41, "unchanged": 40, "failed": 1}
    library.check(folder)


def test_swapped_files(library: Library, folder: Path) -> None:
    library.index(folder)
    one, other, aside = folder / "0" / "00.png", folder / "1" / "01.png", folder / "aside.png"
    one.rename(aside)
    other.rename(one)
    aside.rename(other)
    for path in (one, other):
        os.utime(path)
    assert counts(library.index(folder)) == {"scanned": 40, "changed": 2, "unchanged": 38}
    assert library.tower.embedded == 0
    library.check(folder)


def test_a_missing_file_keeps_its_photo_and_comes_back(library: Library, folder: Path) -> None:
    library.index(folder)
    path = folder / "0" / "00.png"
    path.rename(folder.parent / "away.png")
    assert counts(library.index(folder)) == {"scanned": 39, "unchanged": 39, "missing": 1}
    assert str(path) in library.contents()
    assert counts(library.index(folder)) == {"scanned": 39, "unchanged": 39, "missing": 1}
    (folder.parent / "away.png").rename(path)
    assert counts(library.index(folder)) == {"scanned": 40, "unchanged": 40}
    assert library.tower.embedded == 0
    assert library.catalog.file_counts()[1] == (40, 0)


@pytest.mark.parametrize("state", ["gone", "empty"])
def test_an_unplugged_drive_is_offline_not_deleted(
    library: Library, folder: Path, state: str
) -> None:
    library.index(folder)
    folder.rename(folder.parent / "unplugged")
    if state == "empty":
        folder.mkdir()
    before = library.contents()
    assert counts(library.index()) == {"offline": 40}
    assert library.contents() == before
    assert library.catalog.file_counts()[1] == (40, 0)


def test_bad_files_are_failures_and_the_run_goes_on(library: Library, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "cut.png").write_bytes((folder / "0" / "00.png").read_bytes()[:200])
    (folder / "a.heic").write_bytes(b"heic")
    report = library.index(folder)
    assert counts(report) == {"scanned": 43, "added": 40, "failed": 3}
    reasons = {Path(failure.path).name: failure.reason for failure in library.catalog.failures()}
    assert set(reasons) == {"bad.png", "cut.png", "a.heic"}
    assert all(reasons.values())
    assert counts(library.index(folder)) == {"scanned": 43, "unchanged": 40, "failed": 3}
    save(folder / "bad.png", seed=500)
    (folder / "cut.png").unlink()
    assert counts(library.index(folder)) == {
        "scanned": 42,
        "added": 1,
        "unchanged": 40,
        "failed": 1,
    }
    assert [Path(failure.path).name for failure in library.catalog.failures()] == ["a.heic"]


@pytest.mark.parametrize(
    "error", [ValueError, KeyError, SyntaxError, NotImplementedError, RecursionError, MemoryError]
)
def test_whatever_one_item_raises_is_its_failure(error: type[Exception]) -> None:
    def work(number: int) -> int:
        if number == 7:
            raise error("odd")
        return -number

    with ThreadPoolExecutor(2) as pool:
        found = list(map_ahead(pool, work, range(10), lambda: 4))
    assert [item for item, _ in found] == list(range(10))
    assert isinstance(found[7][1], error)
    assert [result for _, result in found if not isinstance(result, Exception)] == [
        0,
        -1,
        -2,
        -3,
        -4,
        -5,
        -6,
        -8,
        -9,
    ]


def test_at_most_a_window_is_at_work() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(1, 101):
            taken = item
            yield item

    with ThreadPoolExecutor(2) as pool:
        for item, _ in map_ahead(pool, abs, items(), lambda: 5):
            assert taken <= item + 4


def test_items_that_are_done_come_together() -> None:
    def wait_for(number: int) -> int:
        if number == 3:
            assert late.wait(30)
        return -number

    late = Event()
    with ThreadPoolExecutor(4) as pool:
        groups = map_ahead_together(pool, wait_for, range(8), lambda: 8, 3)
        first = next(groups)
        found = first + next(groups) if len(first) < 3 else first
        late.set()
        rest = list(groups)
    assert [item for group in rest for item, _ in group] == list(range(8))[len(found) :]
    assert found == [(number, -number) for number in range(len(found))]
    assert max(map(len, [first, *rest])) <= 3


def test_a_photo_that_became_unreadable_content_is_no_hit_any_more(
    library: Library, folder: Path
) -> None:
    library.index(folder)
    path = folder / "0" / "00.png"
    path.write_bytes(b"overwritten by something else")
    assert counts(library.index(folder)) == {"scanned": 40, "unchanged": 39, "failed": 1}
    assert str(path) not in library.contents()
    assert library.catalog.embedded_ids(library.checkpoint.id).size == 39


def test_a_refused_permission_is_tried_again_and_costs_no_photo(ordinary_folder: Path) -> None:
    library = Library(ordinary_folder / "library")
    path = save(ordinary_folder / "photos" / "a.png")
    library.index(path.parent)
    os.utime(path)
    path.chmod(0)
    assert counts(library.index(path.parent)) == {"scanned": 1, "failed": 1}
    assert str(path) in library.contents()
    (failure,) = library.catalog.failures()
    assert failure.reason == "cannot be read: Permission denied"
    path.chmod(0o644)
    assert counts(library.index(path.parent)) == {"scanned": 1, "unchanged": 1}
    assert library.catalog.failures() == []
    library.catalog.close()


def test_an_unreadable_directory_hides_files_but_loses_none(ordinary_folder: Path) -> None:
    library = Library(ordinary_folder / "library")
    photos = ordinary_folder / "photos"
    save(photos / "open" / "a.png", seed=1)
    save(photos / "shut" / "b.png", seed=2)
    library.index(photos)
    (photos / "shut").chmod(0)
    report = library.index(photos)
    (photos / "shut").chmod(0o755)
    assert counts(report) == {"scanned": 1, "unchanged": 1}, "b.png is neither there nor missing"
    assert len(library.contents()) == 2
    assert [Path(failure.path).name for failure in library.catalog.failures()] == ["shut"]
    assert counts(library.index(photos)) == {"scanned": 2, "unchanged": 2}
    assert library.catalog.failures() == []
    library.catalog.close()


def test_interrupted_and_continued(library: Library, folder: Path) -> None:
    library.tower.fail_after = 2 * PixelTower.batch
    with pytest.raises(KeyboardInterrupt):
        library.index(folder)
    assert library.catalog.photo_count() == 2 * PixelTower.batch, "every finished batch is kept"
    library.tower.fail_after = None
    report = library.index(folder)
    assert counts(report) == {"scanned": 40, "added": 8, "unchanged": 32}
    assert library.tower.embedded == 8
    library.check(folder)


def test_part_of_a_folder_leaves_the_rest_alone(library: Library, folder: Path) -> None:
    library.index(folder)
    (folder / "0" / "00.png").unlink()
    (folder / "1" / "01.png").unlink()
    report = library.index(folder / "1")
    assert counts(report) == {"scanned": 12, "unchanged": 12, "missing": 1}
    assert library.catalog.file_counts()[1] == (39, 1)


def test_a_folder_and_one_inside_it_are_read_once(library: Library, folder: Path) -> None:
    assert counts(library.index(folder / "1", folder, folder)) == {"scanned": 40, "added": 40}
    library.check(folder)


def test_a_photo_in_two_folders_is_one_photo_with_two_files(library: Library, folder: Path) -> None:
    other = folder.parent / "other"
    shutil.copytree(folder / "0", other)
    assert counts(library.index(folder, other)) == {"scanned": 54, "added": 54}
    assert library.tower.embedded == 40
    (folder / "0" / "00.png").rename(other / "from-the-first.png")
    assert counts(library.index(other)) == {"scanned": 15, "moved": 1, "unchanged": 14}
    assert known_files(library) == {str(folder): (39, 0), str(other): (15, 0)}


def test_a_file_moved_to_another_folder_is_counted_once(library: Library, folder: Path) -> None:
    library.index(folder / "0", folder / "1", folder / "2")
    (folder / "0" / "00.png").rename(folder / "1" / "moved.png")
    (folder / "2" / "02.png").rename(folder / "0" / "moved.png")
    shutil.copy(folder / "0" / "moved.png", folder / "1" / "copy.png")
    for missing in (folder / "1" / "01.png", folder / "2" / "05.png"):
        missing.unlink()
    assert counts(library.index()) == {
        "scanned": 39,
        "added": 1,
        "moved": 2,
        "unchanged": 36,
        "missing": 2,
    }
    assert list(known_files(library).values()) == [(14, 0), (14, 1), (11, 1)]
    assert counts(library.index()) == {"scanned": 39, "unchanged": 39, "missing": 2}


def test_a_copy_of_what_lies_in_an_offline_folder_is_no_move(
    library: Library, folder: Path
) -> None:
    library.index(folder / "0", folder / "1")
    shutil.copy(folder / "0" / "00.png", folder / "1" / "copy.png")
    (folder / "0").rename(folder.parent / "unplugged")
    assert counts(library.index()) == {"scanned": 14, "added": 1, "unchanged": 13, "offline": 14}
    (folder.parent / "unplugged").rename(folder / "0")
    assert counts(library.index()) == {"scanned": 28, "unchanged": 28}


def test_copies_of_one_photo_are_looked_up_once(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    first, looked_up = folder / "0" / "00.png", []
    for number in range(60):
        (folder / f"copy{number}.png").hardlink_to(first)
    first.rename(folder / "renamed.png")
    real = Catalog.photo_paths

    def photo_paths(catalog: Catalog, photo_id: int) -> list[tuple[int, str, str]]:
        looked_up.append(photo_id)
        return real(catalog, photo_id)

    monkeypatch.setattr(Catalog, "photo_paths", photo_paths)
    assert counts(library.index(folder)) == {
        "scanned": 100,
        "added": 60,
        "moved": 1,
        "unchanged": 39,
    }
    assert len(looked_up) == 1


def test_a_second_checkpoint_embeds_beside_the_first(library: Library, folder: Path) -> None:
    library.index(folder)
    first = library.checkpoint
    library.checkpoint = add_checkpoint(library.catalog, 48, "another")
    library.index(folder)
    assert library.tower.embedded == 40
    checkpoints: list[CheckpointRecord] = [first, library.checkpoint]
    assert [library.catalog.embedded_ids(record.id).size for record in checkpoints] == [40, 40]
    assert library.catalog.photo_count() == 40


def test_a_batch_locks_what_other_writers_wait_for_last(library: Library, folder: Path) -> None:
    """After the checkpoint's row come only the embeddings of its generation, and after the row of
    the order's revision only its number.
    """
    library.index(folder)
    shutil.copy(folder / "0" / "00.png", folder / "again.png")
    save(folder / "new.png", seed=99)
    changes: list[str] = []

    def note(conn: object, cursor: object, statement: str, *rest: object) -> None:
        if not statement.startswith(("SELECT", "PRAGMA")):
            changes.append(" ".join(statement.split()[:3]))

    def note_end(conn: object) -> None:
        changes.append("COMMIT")

    event.listen(Engine, "before_cursor_execute", note)
    event.listen(Engine, "commit", note_end)
    try:
        library.index(folder)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        event.remove(Engine, "commit", note_end)
    at = changes.index("INSERT INTO embedding")
    assert changes[at - 1] == "UPDATE checkpoint SET"
    assert changes[at + 1 : changes.index("COMMIT", at)] == [
        "INSERT INTO order_revision",
        "UPDATE order_revision SET",
        "UPDATE former_file SET",
    ]
    assert "INSERT INTO file" in changes[:at]


def test_progress_counts_every_file(library: Library, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"no picture")
    heard = Heard()
    library.index(folder, listener=heard)
    seen = [progress for progress in heard.progress if progress.phase is Phase.EMBEDDING]
    last = seen[-1]
    assert (last.done, last.total, last.embedded, last.failed) == (41, 41, 40, 1)
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)


def test_folders_that_are_none(library: Library, folder: Path) -> None:
    with pytest.raises(FolderError, match="no folder"):
        library.index(folder / "nowhere")
    with pytest.raises(FolderError, match="is a file"):
        library.index(folder / "0" / "00.png")
    assert library.catalog.folders() == []


def test_a_name_that_is_not_utf8(library: Library, folder: Path) -> None:
    odd = os.fsencode(folder) + b"/caf\xe9.png"
    picture(123).save(folder / "plain.png")
    os.rename(os.fsencode(folder / "plain.png"), odd)
    assert counts(library.index(folder)) == {"scanned": 41, "added": 41}
    assert counts(library.index(folder)) == {"scanned": 41, "unchanged": 41}
    assert os.fsdecode(odd) in library.contents()


def test_a_folder_that_cannot_be_read(ordinary_folder: Path) -> None:
    shut = ordinary_folder / "shut"
    shut.mkdir(mode=0)
    with pytest.raises(
        FolderError, match=r"cannot be read \(Permission denied\); check its permissions"
    ):
        check_folder(shut)
    shut.chmod(0o755)


def test_a_copy_found_in_part_of_a_folder_is_no_move(library: Library, folder: Path) -> None:
    library.index(folder)
    shutil.copy(folder / "0" / "00.png", folder / "1" / "copy.png")
    assert counts(library.index(folder / "1")) == {"scanned": 14, "added": 1, "unchanged": 13}
    library.check(folder)


def test_a_link_that_leads_somewhere_again_is_no_failure_any_more(
    library: Library, folder: Path
) -> None:
    target = save(folder.parent / "target.png", seed=77)
    (folder / "link.png").symlink_to(target)
    library.index(folder)
    target.rename(folder.parent / "away.png")
    library.index(folder)
    assert [Path(failure.path).name for failure in library.catalog.failures()] == ["link.png"]
    (folder.parent / "away.png").rename(target)
    assert counts(library.index(folder)) == {"scanned": 41, "unchanged": 41}
    assert library.catalog.failures() == []


def test_a_file_lost_between_hashing_and_decoding_is_tried_again(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, away = folder / "1" / "07.png", folder.parent / "away.png"

    def digest_and_lose(path: Path, on_part: Callable[[], None]) -> FileDigest:
        read = digest_file(path, on_part)
        if path == lost:
            path.rename(away)
        return read

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "digest_file", digest_and_lose)
        assert counts(library.index(folder)) == {"scanned": 40, "added": 39, "failed": 1}
    assert [failure.reason for failure in library.catalog.failures()] == [
        "cannot be read: No such file or directory"
    ]
    away.rename(lost)
    assert counts(library.index(folder)) == {"scanned": 40, "added": 1, "unchanged": 39}


def test_a_copy_stands_in_for_a_file_lost_between_hashing_and_decoding(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("copy1.png", "copy2.png"):
        save(folder / name, seed=0)

    def digest_and_lose(path: Path, on_part: Callable[[], None]) -> FileDigest:
        read = digest_file(path, on_part)
        if path.name in ("copy1.png", "copy2.png"):
            path.unlink()
        return read

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "digest_file", digest_and_lose)
        assert counts(library.index(folder)) == {"scanned": 42, "added": 40, "failed": 2}
    assert counts(library.index(folder)) == {"scanned": 40, "unchanged": 40}
    library.check(folder)


def test_an_interrupted_run_does_not_wait_for_what_is_hashed(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(folder)
    slow, hashing, stopped = save(folder / "2" / "slow.png", seed=82), Event(), Event()
    os.utime(folder / "0" / "00.png")

    def digest_slowly(path: Path, on_part: Callable[[], None]) -> FileDigest:
        if path == slow:
            hashing.set()
            try:
                while True:
                    on_part()
                    time.sleep(0.01)
            except UndecidedError:
                stopped.set()
                raise
        assert hashing.wait(60)
        return digest_file(path, on_part)

    def interrupt(progress: Progress) -> None:
        if progress.done == 40:
            raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "digest_file", digest_slowly)
    with pytest.raises(KeyboardInterrupt):
        library.index(folder, listener=Heard(interrupt))
    assert stopped.wait(60)


def test_a_file_larger_than_any_photo_is_not_read(library: Library, folder: Path) -> None:
    library.index(folder)
    os.truncate(folder / "0" / "00.png", 2_000_000_000_000)
    for _ in range(2):
        assert counts(library.index(folder)) == {"scanned": 40, "unchanged": 39, "failed": 1}
    (failure,) = library.catalog.failures()
    assert failure.reason == "too large: 2,000 GB; no photo is larger than 16 GB"
    (kept,) = library.catalog.folder_failures(library.catalog.folders()[0].id)
    assert (kept.kind, kept.size) == (FailureKind.TOO_LARGE, 2_000_000_000_000)
    assert failure.path not in library.contents()


@pytest.mark.parametrize("to", ["other.png", "note.txt"])
def test_a_file_replaced_between_hashing_and_decoding_gets_no_others_embedding(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    library.index(folder)
    known, new, other = (
        folder / "0" / "00.png",
        folder / "0" / "n1.png",
        save(folder.parent / "other.png", seed=81),
    )
    (folder.parent / "note.txt").write_text("no picture")
    before = library.contents()
    for path in (known, new, folder / "2" / "copy.png"):
        save(path, seed=80)

    def digest_and_replace(path: Path, on_part: Callable[[], None]) -> FileDigest:
        read = digest_file(path, on_part)
        if path in (known, new):
            shutil.copy(folder.parent / to, path)
        return read

    with monkeypatch.context() as patch:
        patch.setattr(ingest, "digest_file", digest_and_replace)
        assert counts(library.index(folder)) == {
            "scanned": 42,
            "added": 1,
            "unchanged": 39,
            "failed": 2,
        }
    assert {f.reason for f in library.catalog.failures()} == {
        "it changed while it was read; the next run tries it again"
    }
    assert library.contents()[str(known)] == before[str(known)], (
        "kept until it is known what took its place"
    )
    for path in (known, new):
        shutil.copy(other, path)
    assert counts(library.index(folder)) == {
        "scanned": 42,
        "added": 1,
        "changed": 1,
        "unchanged": 40,
    }
    library.check(folder)


def test_a_picture_too_large_is_a_failure_until_a_run_takes_it(
    library: Library, folder: Path
) -> None:
    large = save(folder / "large.png", seed=90)
    picture(91, (640, 480)).save(large)
    limit = 64 * 48
    assert counts(library.index(folder, max_pixels=limit)) == {
        "scanned": 41,
        "added": 40,
        "failed": 1,
    }
    (failure,) = library.catalog.failures()
    assert failure.reason == "too large: 640 x 480 pixels; the limit is 0.003072 megapixels"
    assert counts(library.index(folder, max_pixels=limit)) == {
        "scanned": 41,
        "unchanged": 40,
        "failed": 1,
    }
    assert counts(library.index(folder, max_pixels=640 * 480)) == {
        "scanned": 41,
        "added": 1,
        "unchanged": 40,
    }
    library.check(folder)


def test_a_known_photo_replaced_by_one_too_large_is_no_hit_any_more(
    library: Library, folder: Path
) -> None:
    library.index(folder)
    path = folder / "0" / "00.png"
    picture(91, (640, 480)).save(path)
    assert counts(library.index(folder, max_pixels=64 * 48)) == {
        "scanned": 40,
        "unchanged": 39,
        "failed": 1,
    }
    assert str(path) not in library.contents()


def test_a_photo_that_another_checkpoint_knows_is_not_lost_by_a_limit(
    library: Library, folder: Path
) -> None:
    library.index(folder)
    before, first = library.contents(), library.checkpoint
    library.checkpoint = add_checkpoint(library.catalog, 48, "another")
    assert counts(library.index(folder, max_pixels=1)) == {"scanned": 40, "failed": 40}
    library.checkpoint = first
    assert library.contents() == before


@pytest.mark.usefixtures("own_workers")
def test_processes_that_somebody_kills_cost_no_photo(library: Library, folder: Path) -> None:
    others = set(psutil.Process().children())  # of earlier tests
    killed: set[psutil.Process] = set()

    def kill(progress: Progress) -> None:
        if len(killed) >= 20:  # each costs the start of another one
            return
        for child in set(psutil.Process().children()) - others:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
                killed.add(child)

    report = library.index(folder, listener=Heard(kill))
    assert killed
    assert report.added + report.failed == 40
    at_work = "decoding ended the worker process (SIGKILL)"
    starting = "no decoding process could be started (SIGKILL); memory may be short"
    assert {f.reason for f in library.catalog.failures()} <= {at_work, starting}
    assert library.index(folder).failed == 0
    library.check(folder)
    assert set(psutil.Process().children()) <= others, "none is left, not as a zombie either"


@pytest.mark.usefixtures("own_workers")
def test_where_nothing_can_be_decoded_no_photo_is_to_blame(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(worker_pool, "_start_process", refuse)
    with pytest.raises(DecoderError, match=r"cannot be started \(Permission denied\); check that"):
        library.index(folder)
    assert library.catalog.failures() == []
    monkeypatch.undo()
    assert library.index(folder).added == 40


@pytest.mark.parametrize("whole_first", [True, False])
def test_a_hidden_folder_indexed_by_name_stays_known(
    library: Library, folder: Path, whole_first: bool
) -> None:
    private = folder / "a" / ".private"
    kept, lost = save(private / "deep" / "kept.png", seed=200), save(private / "lost.png", seed=201)
    (private / "bad.png").write_bytes(b"no picture")
    for path in (folder, private) if whole_first else (private, folder):
        library.index(path)
    lost.unlink()
    assert counts(library.index(folder)) == {"scanned": 40, "unchanged": 40, "missing": 1}
    assert counts(library.index()) == {"scanned": 40, "unchanged": 40, "missing": 1}
    assert library.catalog.file_counts().popitem()[1] == (41, 1)
    assert str(kept) in library.contents()
    assert [Path(failure.path).name for failure in library.catalog.failures()] == ["bad.png"]
    assert counts(library.index(private)) == {
        "scanned": 2,
        "unchanged": 1,
        "missing": 1,
        "failed": 1,
    }
    shutil.rmtree(private)
    assert counts(library.index(folder)) == {"scanned": 40, "unchanged": 40, "missing": 2}
    assert library.catalog.failures() == []


def test_a_hidden_folder_that_may_not_be_entered_is_not_missing(ordinary_folder: Path) -> None:
    library = Library(ordinary_folder / "library")
    photos = ordinary_folder / "photos"
    save(photos / "a.png", seed=1)
    save(photos / ".private" / "b.png", seed=2)
    library.index(photos)
    library.index(photos / ".private")
    (photos / ".private").chmod(0)
    report = library.index(photos)
    (photos / ".private").chmod(0o755)
    assert counts(report) == {"scanned": 1, "unchanged": 1}
    library.catalog.close()


def test_a_file_is_missing_since_the_first_run_without_it(library: Library, folder: Path) -> None:
    library.index(folder)
    (folder / "0" / "00.png").unlink()
    library.index(folder)

    def since() -> object:
        return execute(
            library.catalog, "SELECT path, missing_since FROM file WHERE missing_since IS NOT NULL"
        )

    first = since()
    library.index(folder)
    assert since() == first != []


def test_a_directory_that_can_be_read_again_is_no_failure_any_more(ordinary_folder: Path) -> None:
    library = Library(ordinary_folder / "library")
    photos = ordinary_folder / "photos"
    save(photos / "a.png", seed=1)
    save(photos / "shut" / "b.png", seed=2)
    (photos / "shut").chmod(0)
    library.index(photos)
    assert [Path(failure.path).name for failure in library.catalog.failures()] == ["shut"]
    (photos / "shut").chmod(0o755)
    assert counts(library.index(photos / "shut")) == {"scanned": 1, "added": 1}
    assert library.catalog.failures() == []
    library.catalog.close()


def test_a_photo_whose_last_file_went_elsewhere_goes_with_its_embedding(
    library: Library, folder: Path
) -> None:
    library.index(folder)
    save(folder / "0" / "00.png", seed=300)
    library.index(folder)
    (folder / "1" / "01.png").unlink()
    library.index(folder)
    assert library.catalog.embedded_ids(library.checkpoint.id).size == 40, (
        "39 that are there and one that is missing"
    )


def test_a_folder_beside_one_whose_name_begins_alike(library: Library, folder: Path) -> None:
    save(folder / "1b" / "other.png", seed=400)
    library.index(folder)
    (folder / "1b" / "other.png").unlink()
    assert counts(library.index(folder / "1")) == {"scanned": 13, "unchanged": 13}


def test_raw_gives_way_to_a_jpeg_beside_it_and_comes_back_without(
    library: Library, folder: Path
) -> None:
    save_dng(folder / "x.dng", picture(60, (64, 48)), picture(60, (320, 240)))
    assert counts(library.index(folder)) == {"scanned": 41, "added": 41}
    save(folder / "x.JPG", seed=61)
    assert counts(library.index(folder)) == {"scanned": 41, "added": 1, "unchanged": 40}
    assert {Path(path).name for path in library.contents()} == {
        f"{number:02}.png" for number in range(40)
    } | {"x.JPG"}
    (folder / "x.JPG").unlink()
    assert counts(library.index(folder)) == {
        "scanned": 41,
        "added": 1,
        "unchanged": 40,
        "missing": 1,
    }


def test_a_raw_stays_while_the_jpeg_beside_it_gives_no_picture(
    library: Library, folder: Path
) -> None:
    raw, jpeg = folder / "x.dng", folder / "x.jpg"
    save_dng(raw, picture(60, (64, 48)), picture(60, (320, 240)))
    library.index(folder)
    before = library.contents()
    jpeg.touch()
    for _ in range(2):
        assert counts(library.index(folder)) == {"scanned": 42, "unchanged": 41, "failed": 1}
        assert library.contents() == before
    raw.unlink()
    save_dng(raw, picture(62, (64, 48)), picture(62, (320, 240)))
    assert counts(library.index(folder)) == {
        "scanned": 42,
        "changed": 1,
        "unchanged": 40,
        "failed": 1,
    }
    save(jpeg, seed=61)
    assert counts(library.index(folder)) == {"scanned": 41, "added": 1, "unchanged": 40}
    assert {Path(path).name for path in library.contents()} == {
        f"{number:02}.png" for number in range(40)
    } | {"x.jpg"}
    assert library.catalog.failures() == []
    jpeg.write_bytes(b"no picture any more")
    assert counts(library.index(folder)) == {
        "scanned": 42,
        "added": 1,
        "unchanged": 40,
        "failed": 1,
    }
    assert str(raw) in library.contents()


def test_a_raw_stays_while_the_jpeg_that_came_back_beside_it_cannot_be_read(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, jpeg = folder / "x.dng", folder / "x.jpg"
    save_dng(raw, picture(60, (64, 48)), picture(60, (320, 240)))
    save(jpeg, seed=61)
    library.index(folder)
    jpeg.unlink()
    library.index(folder)
    save(jpeg, seed=63)
    digest_file = ingest.digest_file

    def unreadable(path: Path, on_part: Callable[[], None]) -> FileDigest:
        if path == jpeg:
            raise OSError(errno.EIO, "Input/output error")
        return digest_file(path, on_part)

    monkeypatch.setattr(ingest, "digest_file", unreadable)
    for _ in range(2):
        assert counts(library.index(folder)) == {"scanned": 42, "unchanged": 41, "failed": 1}
        assert str(raw) in library.contents()


def test_a_copy_of_what_lay_on_an_unplugged_drive_is_a_move_for_now(
    library: Library, folder: Path, tmp_path: Path
) -> None:
    """A directory whose photos were all moved elsewhere looks just the same."""
    usb, copies = folder / "usb", tmp_path / "copies"
    for seed in (70, 71):
        save(usb / f"{seed}.png", seed=seed)
    library.index(folder)
    usb.rename(tmp_path / "unplugged")
    usb.mkdir()  # the mount point
    shutil.copytree(tmp_path / "unplugged", copies)
    assert counts(library.index(folder, copies)) == {"scanned": 42, "moved": 2, "unchanged": 40}
    usb.rmdir()
    (tmp_path / "unplugged").rename(usb)
    assert counts(library.index(folder, copies)) == {"scanned": 44, "added": 2, "unchanged": 42}
    assert library.tower.embedded == 0


def test_a_drive_that_goes_in_the_middle_of_a_run(
    library: Library, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest_file, calls = ingest.digest_file, itertools.count()

    def unplug(path: Path, on_part: Callable[[], None]) -> FileDigest:
        if next(calls) == 20:
            folder.rename(tmp_path / "unplugged")
        return digest_file(path, on_part)

    monkeypatch.setattr(ingest, "digest_file", unplug)
    with pytest.raises(
        FolderError, match=f"^{folder} went offline; what was done is kept; plug in its drive"
    ):
        library.index(folder)
    assert library.catalog.failures() == []
    assert counts(library.index()) == (
        {"offline": len(library.contents())} if library.contents() else {}
    )
    (tmp_path / "unplugged").rename(folder)
    library.index()
    library.check(folder)


def test_a_raw_and_a_jpeg_that_are_both_broken_are_read_once(
    library: Library, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("x.dng", "x.jpg"):
        (folder / name).write_bytes(b"no picture " + name.encode())
    assert counts(library.index(folder)) == {"scanned": 42, "added": 40, "failed": 2}
    monkeypatch.setattr(ingest, "digest_file", None)
    assert counts(library.index(folder)) == {"scanned": 42, "unchanged": 40, "failed": 2}
    assert [Path(failure.path).name for failure in library.catalog.failures()] == ["x.dng", "x.jpg"]


def test_one_content_under_two_names_of_which_one_misleads(
    tmp_path: Path, library: Library
) -> None:
    for misled, good in (("a.nef", "b.tif"), ("d.nef", "c.tif")):
        save(tmp_path / "photos" / good, seed=ord(good[0]))
        shutil.copy(tmp_path / "photos" / good, tmp_path / "photos" / misled)
    report = library.index(tmp_path / "photos")
    assert (report.added, report.failed) == (3, 1)
    assert sorted(Path(path).name for path in library.contents()) == ["b.tif", "c.tif", "d.nef"], (
        "d.nef is known by its bytes"
    )
    assert [Path(failure.path).name for failure in library.catalog.failures()] == ["a.nef"]


def known_files(library: Library) -> dict[str, tuple[int, int]]:
    """Return how many files are known as there and as missing, by the path of the folder."""
    counted = library.catalog.file_counts()
    return {folder.path: counted.get(folder.id, (0, 0)) for folder in library.catalog.folders()}


@pytest.mark.parametrize("empty", [True, False])
def test_an_offline_folder_does_not_become_part_of_one_above_it(
    library: Library, folder: Path, empty: bool
) -> None:
    library.index(folder / "0", folder / "1")
    before = known_files(library), library.contents()
    (folder / "0").rename(folder.parent / "unplugged")
    if empty:
        (folder / "0").mkdir()
    with pytest.raises(FolderError) as refused:
        library.index(folder)
    drive = str(folder / "0")
    assert str(refused.value) == (
        f"{drive} is offline and would become part of {folder}; plug in its drive first; "
        f"if it has moved: library.relocate({drive!r}, NEW); "
        f"if it is gone for good: library.forget({drive!r})"
    )
    assert (known_files(library), library.contents()) == before
    assert counts(library.index()) == {"scanned": 13, "unchanged": 13, "offline": 14}
    if empty:
        assert counts(library.index(folder, accept_missing=True)) == {
            "scanned": 26,
            "added": 13,
            "unchanged": 13,
            "missing": 14,
        }
        return
    (folder.parent / "unplugged").rename(folder / "0")
    assert counts(library.index(folder)) == {"scanned": 40, "added": 13, "unchanged": 27}
    library.check(folder)


def test_a_refused_run_leaves_the_folders_as_they_were(library: Library, folder: Path) -> None:
    bad = folder / "0" / "bad.png"
    bad.write_bytes(b"no picture")
    library.index(folder / "0")
    before = known_files(library), library.contents(), library.catalog.failures()
    shutil.rmtree(folder / "0")
    save(folder / "0" / "00.png", seed=0)
    with pytest.raises(
        FolderError,
        match=f"13 of 14 files in {folder} are gone, and nothing was changed",
    ):
        library.index(folder, save(folder.parent / "new" / "a.png", seed=70).parent)
    assert (known_files(library), library.contents(), library.catalog.failures()) == before
    report = library.index(folder, accept_missing=True)
    assert counts(report) == {"scanned": 27, "added": 26, "unchanged": 1, "missing": 13}
    assert (known_files(library), library.catalog.failures()) == ({str(folder): (27, 13)}, [])


def test_runs_with_new_photos_make_the_first_step_of_the_yardstick_and_others_the_rest(
    library: Library, tmp_path: Path
) -> None:
    library.makes_the_least = True
    save(tmp_path / "photos" / "a.png", seed=1)
    assert library.index(tmp_path / "photos").provisional
    save(tmp_path / "photos" / "b.png", seed=2)
    report = library.index(tmp_path / "photos")
    assert report.provisional
    assert [least for least, _ in library.wanted] == [STEPS[0], STEPS[0]]
    assert all(0 < allowed < report.seconds for _, allowed in library.wanted)
    measured = library.catalog.measured(library.checkpoint.id)
    assert measured is not None
    assert measured.common_texts == STEPS[0].common
    assert not library.index(tmp_path / "photos").provisional
    assert library.wanted[-1][0] == WHOLE
    measured = library.catalog.measured(library.checkpoint.id)
    assert measured is not None
    assert (measured.common_texts, measured.embeddings) == (WHOLE.common, 2)
    library.index(tmp_path / "photos")
    assert len(library.wanted) == 3, "nothing is left to do"
    save(tmp_path / "photos" / "c.png", seed=3)
    assert not library.index(tmp_path / "photos").provisional
    assert library.wanted[-1][0] == WHOLE, "a step that was reached is never left again"


def test_photos_that_no_run_has_measured_are_measured_against_the_first_step_before_the_rest(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "photos" / "a.png", seed=1)

    def stopped(*_: object) -> Yardstick:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(library, "yardstick", stopped)
        assert library.index(tmp_path / "photos").stopped
    library.makes_the_least = True
    assert not library.index(tmp_path / "photos").provisional
    assert [least for least, _ in library.wanted] == [STEPS[0], WHOLE]
