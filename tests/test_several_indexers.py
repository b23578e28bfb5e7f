"""Processes that change different folders of one library in PostgreSQL at the same time."""

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import URL

import sigseek
from benchmarks.writers import find_wrong, run_writers
from sigseek.errors import ErrorKind
from sigseek.indexer import IndexReport
from sigseek.library import Library
from sigseek.progress import Phase, Progress
from sigseek.storage import LibraryError
from tests.listeners import Heard
from tests.photos import save
from tests.postgresql import Server, address

LONG = 60  # seconds


@pytest.fixture
def url(postgresql_server: Server) -> Iterator[URL]:
    made = postgresql_server.database()
    yield made
    postgresql_server.drop(made)


def test_processes_that_index_and_forget_folders_lose_nothing(url: URL, tmp_path: Path) -> None:
    done = run_writers(url, tmp_path, processes=3, photos=12, rounds=4, seed=1)
    assert find_wrong(url, tmp_path) == ""
    # the seed has each of them happen
    assert {"indexed together", "indexed alone", "forgot the folder"} <= done.keys()


class HeldRun:
    """A run of `index` in a thread, which stays in the middle of its folder until `go_on`: it has
    compared its files with the catalog, and has not read any.
    """

    def __init__(self, library: Library, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.go_on = threading.Event()
        inside = threading.Event()

        def hold(progress: Progress) -> None:
            if progress.phase is Phase.EMBEDDING and not inside.is_set():
                inside.set()
                assert self.go_on.wait(LONG)

        self.heard = Heard(hold)
        self.report: Future[IndexReport] = pool.submit(
            library.index, folder, listener=self.heard, accept_missing=True
        )
        while not inside.wait(0.05):
            assert not self.report.done(), self.report.result()

    def end(self) -> IndexReport:
        """Let the run go on, and return its report."""
        self.go_on.set()
        return self.report.result(LONG)


@pytest.fixture
def libraries(url: URL) -> Iterator[tuple[Library, Library]]:
    """The library twice, as two processes have it open."""
    with (
        sigseek.open(address(url), model="mini") as one,
        sigseek.open(address(url), model="mini") as other,
    ):
        yield one, other


@pytest.fixture
def hold(libraries: tuple[Library, Library]) -> Iterator[Callable[[Path], HeldRun]]:
    """Begins a run over a folder by the first of the libraries."""
    runs: list[HeldRun] = []
    with ThreadPoolExecutor(1) as pool:

        def begin(folder: Path) -> HeldRun:
            runs.append(HeldRun(libraries[0], folder, pool))
            return runs[-1]

        yield begin
        for run in runs:
            run.go_on.set()


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two folders of three photos each, of which one is in both."""
    for number, folder in enumerate("ab"):
        for seed in (0, number * 2 + 1, number * 2 + 2):
            save(tmp_path / folder / f"{seed}.png", seed=seed)
    return tmp_path / "a", tmp_path / "b"


def test_two_processes_index_two_folders_at_the_same_time(
    libraries: tuple[Library, Library],
    hold: Callable[[Path], HeldRun],
    folders: tuple[Path, Path],
) -> None:
    """Both runs are the first ones of a new library."""
    _, other = libraries
    first = hold(folders[0])
    assert other.index(folders[1]).added == 3
    assert not first.report.done()
    assert first.end().added == 3
    status = other.status()
    assert (status.photos, [folder.files for folder in status.folders]) == (5, [3, 3])
    assert all(folder.indexed_at for folder in status.folders)
    assert other.verify().sound


def test_folders_that_overlap_are_not_indexed_at_the_same_time(
    libraries: tuple[Library, Library],
    hold: Callable[[Path], HeldRun],
    folders: tuple[Path, Path],
) -> None:
    _, other = libraries
    other.index(folders[1])
    save(folders[0] / "2024" / "9.png", seed=9)
    first = hold(folders[0])
    for change in (
        lambda: other.index(folders[0]),
        lambda: other.index(folders[0] / "2024"),
        lambda: other.index(folders[0].parent),
        lambda: other.index(),
        lambda: other.forget(folders[0]),
        lambda: other.tag(["cat"]),
    ):
        with pytest.raises(LibraryError, match=r"another sigseek \(process \d+ on ") as caught:
            change()
        assert caught.value.kind is ErrorKind.BUSY
    assert first.end().added == 4
    assert other.index(folders[0]).unchanged == 4


def test_directories_of_one_folder_are_indexed_at_the_same_time(
    libraries: tuple[Library, Library],
    hold: Callable[[Path], HeldRun],
    folders: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    _, other = libraries
    other.index(tmp_path)
    save(folders[0] / "new.png", seed=11)
    save(folders[1] / "new.png", seed=12)
    (folders[1] / "3.png").unlink()
    first = hold(folders[0])
    report = other.index(folders[1], exclude=["4.png"])
    assert (report.added, report.missing, report.excluded) == (1, 1, 1)
    assert first.end().added == 1
    (folder,) = other.status().folders
    assert folder.excluded == ("/b/**/4.png",)
    assert (folder.files, folder.missing) == (6, 1)
    assert other.index(tmp_path).unchanged == 6
    assert other.verify().sound


def test_files_that_move_between_folders_that_are_both_indexed_keep_photo_and_tags(
    libraries: tuple[Library, Library],
    hold: Callable[[Path], HeldRun],
    folders: tuple[Path, Path],
) -> None:
    """One file moves to the other folder and one comes from there, and two swap names across the
    folders. The second run ends while the first is in the middle, and each of the photos whose file
    in its folder holds another one now is without a file until then.
    """
    _, other = libraries
    a, b = folders
    for seed in (5, 6, 7, 8):
        save(folders[seed % 2] / f"{seed}.png", seed=seed)
    other.index(a)
    other.index(b)
    before = {Path(photo.path).name: photo.id for photo in other.list_photos(100).hits}
    for name in ("1.png", "5.png", "6.png"):
        other.add_tag("kept", [before[name]])
    shutil.move(a / "1.png", b / "moved.png")
    shutil.move(b / "3.png", a / "moved.png")
    for one, two in ((a / "6.png", b / "5.png"), (a / "8.png", b / "7.png")):
        content = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(content)
    first = hold(a)
    other.index(b, accept_missing=True)
    assert not first.report.done()
    first.end()
    after = {photo.path: photo.id for photo in other.list_photos(100).hits}
    names = {str(b / "moved.png"): "1.png", str(a / "moved.png"): "3.png"}
    swapped = {
        "6.png": b / "5.png",
        "5.png": a / "6.png",
        "8.png": b / "7.png",
        "7.png": a / "8.png",
    }
    names |= {str(path): name for name, path in swapped.items()}
    assert {path: after.get(path) for path in names} == {
        path: before[name] for path, name in names.items()
    }
    assert other.matching_photos("tag:kept") == sorted(
        before[name] for name in ("1.png", "5.png", "6.png")
    )
    assert other.status().photos == len(before)
    assert other.verify().sound


def test_a_run_whose_connections_are_lost_frees_its_folder(
    postgresql_server: Server,
    url: URL,
    libraries: tuple[Library, Library],
    hold: Callable[[Path], HeldRun],
    folders: tuple[Path, Path],
) -> None:
    _, other = libraries
    first = hold(folders[0])
    postgresql_server.end_connections(url)
    assert other.index(folders[0]).added == 3
    with pytest.raises(LibraryError, match="was lost") as caught:
        first.end()
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert other.index(folders[0]).unchanged == 3


def test_processes_index_together_beside_one_that_indexes_alone(
    libraries: tuple[Library, Library],
    hold: Callable[[Path], HeldRun],
    folders: tuple[Path, Path],
) -> None:
    _, other = libraries
    first = hold(folders[0])
    assert other.index(folders[1], join=True).added == 3
    assert not first.report.done()
    with ThreadPoolExecutor(1) as pool:
        heard = Heard()
        said = heard.lines
        joined = pool.submit(other.index, folders[0], join=True, listener=heard)
        while not said:
            assert not joined.done(), joined.result()
        assert said[0].endswith("; this process waits until it has finished")
        assert first.end().added == 3
        assert joined.result(LONG).unchanged == 3
