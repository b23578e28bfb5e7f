"""`sigseek watch`: the program itself on folders that change, and its loop where the program
would have to be provoked.
"""

import json
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import sigseek
from sigseek.indexer import FolderError, IndexReport
from sigseek.operations import folder_events, watch
from sigseek.progress import Stop
from sigseek.storage import Catalog, LibraryError, writer_lock
from tests.catalogs import add_checkpoint, add_photos, random_unit
from tests.conftest import Run, Start
from tests.photos import save, xmp
from tests.process_copies import ProcessCopy
from tests.silent_disks import silent_disk


def until(true: Callable[[], object], what: object = "") -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class Watching:
    """The program, watching."""

    def __init__(self, output: Path, process: ProcessCopy) -> None:
        self._output = output
        self.process = process

    def rounds(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for line in self._output.read_text().splitlines(keepends=True)
            if line.endswith("\n")
        ]

    def next(self, count: int) -> dict[str, int]:
        """Return the report of the round of that number, once it has come; there is no later
        one.
        """
        until(lambda: len(self.rounds()) >= count or self.process.poll() is not None)
        rounds = self.rounds()
        assert len(rounds) == count, rounds
        assert rounds[-1]["problem"] is None
        report: dict[str, int] = rounds[-1]["report"]
        return {
            name: report[name]
            for name in ("added", "changed", "moved", "missing", "failed")
            if report[name]
        }

    def problem(self, count: int) -> str:
        """Return the problem of that number, once it has come."""

        def problems() -> list[str]:
            return [found["problem"] for found in self.rounds() if found["problem"]]

        until(lambda: len(problems()) >= count, self.rounds)
        return problems()[count - 1]


StartWatching = Callable[..., AbstractContextManager[Watching]]


@pytest.fixture
def watching(tmp_path: Path, start: Start) -> StartWatching:
    """Run the program with mini in a `with` statement. It must end with the status at SIGTERM."""
    output, errors = tmp_path / "output", tmp_path / "errors"
    options = ("--model", "mini", "--debounce", "0.5", "--json")

    @contextmanager
    def watching(*arguments: object, status: int = 0) -> Iterator[Watching]:
        process = start("watch", *arguments, *options, output=output, errors=errors)
        yield Watching(output, process)
        process.terminate()
        assert process.wait(60) == status, errors.read_text()
        assert "Traceback" not in errors.read_text()

    return watching


def test_what_changes_is_indexed_and_nothing_else_causes_a_round(
    tmp_path: Path, watching: StartWatching
) -> None:
    folder = tmp_path / "photos"
    library = folder / "library"  # its own files change with every round
    for name in ("a.png", "b.png", "sub/c.png", *(f"{number}.png" for number in range(7))):
        save(folder / name, seed=ord(name[-5]))
    with watching(folder, "--library", library) as watched:
        assert watched.next(1) == {"added": 10}
        save(folder / "d.png", seed=4)
        assert watched.next(2) == {"added": 1}
        (folder / "d.png").rename(folder / "sub" / "e.png")
        assert watched.next(3) == {"moved": 1}
        (folder / "sub").rename(folder / "other.sub")
        assert watched.next(4) == {"moved": 2}
        save(folder / "a.png", seed=5)
        assert watched.next(5) == {"changed": 1}
        (folder / "b.png").unlink()
        assert watched.next(6) == {"missing": 1}
        (folder / "other.sub").rename(tmp_path / "put aside")
        assert watched.next(7) == {"missing": 3}
        save(tmp_path / "made elsewhere" / "f.png", seed=6)
        (tmp_path / "made elsewhere").rename(folder / "new")
        assert watched.next(8) == {"added": 1}
        for name in (".hidden.png", ".cache/g.png", "@eaDir/h.png", "#recycle/i.png"):
            save(folder / name, seed=7)
        (folder / "notes.txt").write_text("")
        (folder / "notes.txt").unlink()
        save(folder / "k.png", seed=8)
        (folder / "broken.png").write_bytes(b"no picture")
        assert watched.next(9) == {"added": 1, "failed": 1, "missing": 3}
        (folder / "k.png.xmp").write_bytes(xmp("", 'xmp:Rating="5"'))
        assert watched.next(10) == {"changed": 1, "failed": 1, "missing": 3}
    with sigseek.open(library) as opened:
        status = opened.status()
    assert (status.photos, status.files, status.missing, status.failures) == (13, 10, 3, 1)


def test_a_folder_that_is_forgotten_meanwhile_is_not_added_again(
    tmp_path: Path, watching: StartWatching, run: Run
) -> None:
    library = tmp_path / "library"
    for name in ("kept", "left"):
        save(tmp_path / name / "a.png", seed=ord(name[0]))
    with watching(tmp_path / "kept", tmp_path / "left", "--library", library) as watched:
        assert watched.next(2) == {"added": 1}
        run("forget", tmp_path / "left", "--yes", "--library", library)
        save(tmp_path / "left" / "b.png", seed=2)
        time.sleep(1.5)  # three times as long as it waits for quiet
        save(tmp_path / "kept" / "b.png", seed=3)
        # A round that meets the lock of `forget` has no report, and is tried again.
        until(lambda: 2 in [row["report"]["scanned"] for row in watched.rounds() if row["report"]])
    with sigseek.open(library) as opened:
        assert [(folder.path, folder.files) for folder in opened.status().folders] == [
            (str(tmp_path / "kept"), 2)
        ]


def test_a_name_that_is_not_utf8(tmp_path: Path, watching: StartWatching) -> None:
    folder = tmp_path / "photos"
    save(folder / "a.png", seed=1)
    with watching(folder, "--library", tmp_path / "library") as watched:
        assert watched.next(1) == {"added": 1}
        save(tmp_path / "b.png", seed=2).rename(folder / "caf\udce9.png")
        assert watched.next(2) == {"added": 1}


def test_a_folder_that_goes_and_comes_back(tmp_path: Path, watching: StartWatching) -> None:
    folder = tmp_path / "photos"
    save(folder / "a.png", seed=1)
    with watching(folder, "--library", tmp_path / "library") as watched:
        assert watched.next(1) == {"added": 1}
        folder.rename(tmp_path / "unplugged")
        gone = (
            f"the folder {folder} is not there; its photos stay, and it is watched again "
            f"once it is back"
        )
        assert watched.problem(1) == gone
        save(tmp_path / "unplugged" / "b.png", seed=2)
        (tmp_path / "unplugged").rename(folder)
        assert watched.next(3) == {"added": 1}
        save(folder / "c.png", seed=3)
        assert watched.next(4) == {"added": 1}
    folder.rename(tmp_path / "unplugged")
    with watching("--library", tmp_path / "library") as watched:
        assert watched.problem(1) == gone
        (tmp_path / "unplugged").rename(folder)
        assert watched.next(2) == {}


def test_while_another_process_changes_the_library(
    tmp_path: Path, watching: StartWatching, run: Run
) -> None:
    folder, library = tmp_path / "photos", tmp_path / "library"
    save(folder / "a.png", seed=1)
    with watching(folder, "--library", library) as watched:
        assert watched.next(1) == {"added": 1}
        assert run("index", "--library", library, "--json").returncode == 0, (
            "it holds no lock while it waits"
        )
        with writer_lock(library):
            save(folder / "b.png", seed=2)
            assert f"another sigseek (process {os.getpid()} on " in watched.problem(1)
        assert watched.next(3) == {"added": 1}


def test_it_ends_with_its_library(tmp_path: Path, watching: StartWatching) -> None:
    folder, library = tmp_path / "photos", tmp_path / "library"
    save(folder / "a.png", seed=1)
    with watching(folder, "--library", library, status=1) as watched:
        assert watched.next(1) == {"added": 1}
        shutil.rmtree(library)
        watched.process.wait(60)
    assert (
        (tmp_path / "errors")
        .read_text()
        .endswith(f"error: the library {library} is gone; put it back, or name another one\n")
    )
    assert not library.exists()


def test_it_ends_where_it_may_not_write(ordinary_folder: Path) -> None:
    """Trying again would not help, and nobody would see that nothing is indexed any more."""
    folder, directory = ordinary_folder / "photos", ordinary_folder / "library"
    save(folder / "a.png", seed=1)
    with sigseek.open(directory, model="mini") as library:
        library.index(folder)
    (directory / "lock").unlink(missing_ok=True)
    directory.chmod(0o555)
    try:
        with (
            sigseek.open(directory, model="mini") as library,
            pytest.raises(LibraryError, match="is read-only"),
        ):
            next(library.watch(folder))
    finally:
        directory.chmod(0o755)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_loses_nothing(
    tmp_path: Path, watching: StartWatching, run: Run, number: signal.Signals
) -> None:
    folder, library = tmp_path / "photos", tmp_path / "library"
    for seed in range(100):
        save(folder / f"{seed}.png", seed=seed)

    def embedded() -> int:
        try:
            with closing(
                sqlite3.connect(f"file:{library}/catalog.sqlite?mode=ro", uri=True)
            ) as connection:
                found: int = connection.execute("SELECT count(*) FROM embedding").fetchone()[0]
                return found
        except sqlite3.Error:  # it is not there yet
            return 0

    with watching(folder, "--library", library) as watched:
        until(embedded)
        watched.process.send_signal(number)
        assert watched.process.wait(60) == 0
        assert watched.rounds() == []
    kept = embedded()
    assert 0 < kept < 100
    report = json.loads(run("index", "--library", library, "--json").stdout)
    assert (report["added"], report["unchanged"]) == (100 - kept, kept)


def test_what_it_says_when_it_cannot_begin(tmp_path: Path, run: Run) -> None:
    library = ("--library", tmp_path / "library")
    done = run("watch", *library, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"error: there is no library at {tmp_path / 'library'} yet; name the folders: "
        f"sigseek watch --library {tmp_path / 'library'} FOLDER\n",
    )
    done = run("watch", tmp_path / "nowhere", *library, "--model", "mini", check=False)
    assert (
        done.returncode,
        done.stderr.startswith(f"error: there is no folder {tmp_path / 'nowhere'}; "),
    ) == (1, True)
    assert run("watch", *library, "--debounce", "0", check=False).returncode == 2
    assert not (tmp_path / "library").exists()


class Loop:
    """The loop in a thread, over a catalog whose folders are the given ones; runs are only
    noted.
    """

    def __init__(
        self, directory: Path, *folders: Path, debounce: float = 0.1, rescan: float = 3600
    ) -> None:
        self.catalog = Catalog(directory)
        with self.catalog.transaction() as transaction:
            for folder in folders:
                folder.mkdir(exist_ok=True)
                transaction.add_folder(folder)
        self.indexed: list[Path] = []
        self.rounds: list[watch.WatchEvent] = []
        self.refused: dict[Path, Exception] = {}
        self.provisional: list[bool] = []
        """Whether each run leaves a part of the yardstick, the first run first; later ones do
        not.
        """
        self._stop = Stop()
        loop = watch.Watch(
            self.catalog,
            directory,
            self._index,
            [],
            debounce=debounce,
            rescan=rescan,
            stop=self._stop,
        )
        self._thread = Thread(target=lambda: self.rounds.extend(loop.rounds()))

    def _index(self, place: Path) -> IndexReport:
        self.indexed.append(place)
        if place in self.refused:
            raise self.refused[place]
        return IndexReport(provisional=bool(self.provisional) and self.provisional.pop(0))

    def __enter__(self) -> "Loop":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self._thread.is_alive()
        self.catalog.close()


def test_only_the_directory_that_holds_all_changes_is_looked_through(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    save(folder / "2024" / "may" / "a.png")
    save(folder / "2024" / "june" / "b.png")
    with Loop(tmp_path / "library", folder, debounce=0.5) as loop:
        until(lambda: loop.indexed == [folder])
        save(folder / "2024" / "may" / "c.png")
        until(lambda: loop.indexed == [folder, folder / "2024" / "may"], lambda: loop.indexed)
        (folder / "2024" / "may" / "c.png").rename(folder / "2024" / "june" / "c.png")
        until(lambda: loop.indexed[2:] == [folder / "2024"], lambda: loop.indexed)


def test_a_steady_stream_of_changes_does_not_starve_the_library(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    with Loop(tmp_path / "library", folder, debounce=0.2) as loop:
        until(lambda: loop.indexed == [folder])
        growing = folder / "a.png"

        def grows() -> bool:
            with growing.open("ab") as file:
                file.write(b"more")
            return len(loop.indexed) > 1

        until(grows)


def test_a_folder_that_is_refused_is_left_alone_until_it_changes(tmp_path: Path) -> None:
    refused, other = tmp_path / "refused", tmp_path / "other"
    loop = Loop(tmp_path / "library", refused, other)
    loop.refused[refused] = FolderError("most of it is missing; see to it")
    with loop:
        until(lambda: {refused, other} <= set(loop.indexed))
        for number in range(3):
            before = loop.indexed.count(other)
            save(other / f"{number}.png")
            until(lambda before=before: loop.indexed.count(other) > before)
        assert loop.indexed.count(refused) == 1
        loop.refused.clear()
        save(refused / "a.png")
        until(lambda: loop.indexed.count(refused) > 1)
    problems = [(found.path, found.problem) for found in loop.rounds if found.problem]
    assert problems == [(str(refused), "most of it is missing; see to it")]


def test_a_folder_that_is_refused_is_looked_through_again_now_and_then(tmp_path: Path) -> None:
    """What made it be refused may be over without a change in it: another process may have taken
    care of it.
    """
    refused = tmp_path / "refused"
    loop = Loop(tmp_path / "library", refused, rescan=0.1)
    loop.refused[refused] = FolderError("most of it is missing; see to it")
    with loop:
        until(lambda: loop.indexed.count(refused) > 3)
        loop.refused.clear()
        until(lambda: any(found.report for found in loop.rounds))
    problems = [(found.path, found.problem) for found in loop.rounds if found.problem]
    assert problems == [(str(refused), "most of it is missing; see to it")]


def test_a_folder_that_another_process_forgot_is_not_added_again(tmp_path: Path) -> None:
    folder, other = tmp_path / "photos", tmp_path / "other"
    with Loop(tmp_path / "library", folder, other, rescan=0.1) as loop:
        until(lambda: {folder, other} <= set(loop.indexed))
        with closing(sqlite3.connect(loop.catalog.path)) as connection, connection:
            connection.execute("DELETE FROM folder WHERE path = ?", (str(folder),))
        seen = len(loop.indexed) + 1  # one run may be on its way
        until(lambda: loop.indexed[seen:].count(other) > 3)
        assert folder not in loop.indexed[seen + 1 :]


def test_a_directory_that_cannot_be_looked_into_any_more(ordinary_folder: Path) -> None:
    """A drive that fails does this: what changed there was told, and then asking for it is an
    error.
    """
    shut = ordinary_folder / "photos" / "shut"
    save(shut / "deep" / "a.png")
    with Loop(ordinary_folder / "library", ordinary_folder / "photos", debounce=0.3) as loop:
        until(lambda: loop.indexed == [ordinary_folder / "photos"])
        save(shut / "deep" / "b.png")
        shut.chmod(0)
        until(lambda: shut in loop.indexed)
    shut.chmod(0o755)
    assert {found.problem for found in loop.rounds} == {None}


def test_a_folder_whose_disk_falls_silent_is_told_and_watched_again_once_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive, other = tmp_path / "drive", tmp_path / "other"
    with (
        silent_disk(monkeypatch) as silent,
        Loop(tmp_path / "library", drive, other) as loop,
    ):
        until(lambda: {drive, other} <= set(loop.indexed))
        silent.paths = {drive}
        until(lambda: any(found.problem for found in loop.rounds))
        seen = loop.indexed.count(other)
        save(other / "a.png")
        until(lambda: loop.indexed.count(other) > seen)
        assert loop.indexed.count(drive) == 1
        silent.paths = set()
        silent.back.set()
        until(lambda: loop.indexed.count(drive) == 2)
    problems = [(found.path, found.problem) for found in loop.rounds if found.problem]
    gone = (
        f"the folder {drive} is not there; its photos stay, and it is watched again once it is back"
    )
    assert problems == [(str(drive), gone)]


def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    folder, linked = tmp_path / "photos", tmp_path / "linked"
    linked.mkdir()
    folder.mkdir()
    (folder / "link").symlink_to(linked)
    with Loop(tmp_path / "library", folder) as loop:
        until(lambda: loop.indexed == [folder])
        save(linked / "a.png")
        save(folder / "sub" / "b.png")
        until(lambda: len(loop.indexed) > 1)
    assert linked not in loop.indexed
    assert set(loop.indexed) <= {folder, folder / "sub"}


@pytest.mark.parametrize("name", [".nomedia", ".sigseekignore"])
def test_a_file_of_rules_is_a_change_and_other_hidden_files_are_none(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "photos"
    save(folder / "sub" / "a.png")
    with Loop(tmp_path / "library", folder) as loop:
        until(lambda: loop.indexed == [folder])
        (folder / ".hidden").write_text("*.png\n")
        (folder / "sub" / name).write_text("*.png\n")
        until(lambda: len(loop.indexed) > 1)
    assert loop.indexed == [folder, folder / "sub"]


# What the library says when the system's limits are reached, taken down under limits of 3 and 0.
LIMITS = {
    "max_user_watches": OSError(
        'OS file watch limit reached. about ["/p/1/2"] (Error { kind: MaxFilesWatch, paths: '
        '["/p/1/2"] })'
    ),
    "max_user_instances": RuntimeError(
        "Error creating recommended watcher: Too many open files (os error 24)"
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_too_many_directories_are_looked_through_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    def refuse(*paths: Path, **options: object) -> Iterator[object]:
        raise LIMITS[limit]
        yield

    monkeypatch.setattr(folder_events, "watch", refuse)
    folder = tmp_path / "photos"
    with Loop(tmp_path / "library", folder, rescan=0.6) as loop:
        until(lambda: len(loop.indexed) >= 3)
    (problem,) = [found.problem for found in loop.rounds if found.problem]
    assert problem == (
        "there are more directories than may be watched; raise the limit with: "
        f"sudo sysctl fs.inotify.{limit}=1048576 and start again; until then folders are looked "
        f"through every 0.01 minutes"
    )


def test_which_directories_hold_files(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    add_photos(
        catalog,
        add_checkpoint(catalog, 2),
        random_unit(2, 2),
        Path("/p"),
        ["a.b/c.png", "a/d/e.png"],
    )
    asked = ["/p/a.b", "/p/a", "/p/a/d", "/p/a/d/e.png", "/p/d", "/p/a.", "/q", "/"]
    assert [path for path in asked if catalog.has_files_below(Path(path))] == [
        "/p/a.b",
        "/p/a",
        "/p/a/d",
    ]
    catalog.close()


def test_the_rest_of_the_yardstick_is_made_once_it_was_quiet_for_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_IDLE", 0.2)
    folder = tmp_path / "photos"
    loop = Loop(tmp_path / "library", folder)
    loop.provisional = [True, True]
    with loop:
        until(lambda: loop.indexed == [folder] * 3, lambda: loop.indexed)
        save(folder / "a.png")
        until(lambda: len(loop.indexed) == 4, lambda: loop.indexed)
    assert loop.indexed == [folder] * 4, "a run that made the rest is not followed by another"
