"""What happens when the program is killed, meets itself, or the disk is full."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import sigseek
from benchmarks import crashes
from tests.conftest import Run, Start
from tests.photos import save
from tests.process_copies import ProcessCopy
from tests.program import ProgramCopies


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(60):
        save(tmp_path / "photos" / f"{number:02}.png", seed=number)
    return tmp_path / "photos"


def wait_for(condition: Callable[[], bool], process: ProcessCopy) -> None:
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)


def is_indexing(library: Path) -> bool:
    """Return whether a run has made the library and is now at its photos."""
    if not (library / "catalog.sqlite").exists() or not (library / "lock.json").exists():
        return False
    address = f"file:{library}/catalog.sqlite?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            return bool(connection.execute("SELECT count(*) FROM checkpoint").fetchone()[0])
    except sqlite3.OperationalError:  # the table is not there yet
        return False


@pytest.mark.parametrize("kills", [4, pytest.param(60, marks=pytest.mark.slow)])
def test_a_kill_at_any_instant_loses_nothing(
    kills: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    program_copies: ProgramCopies,
) -> None:
    """The command does it two hundred times, this test once for each operation."""

    def start_copy(words: list[str]) -> ProcessCopy:
        with open(os.devnull, "wb") as null:
            return program_copies.start(words, Path.cwd(), os.environ, null, null)

    monkeypatch.setattr(crashes, "_start", start_copy)
    monkeypatch.setattr(sys, "argv", ["crashes", "--kills", f"{kills}", "--seed", f"{os.getpid()}"])
    with pytest.raises(SystemExit) as ended:
        crashes.main()
    said = capsys.readouterr().out
    assert ended.value.code == 0, said
    rows = [line.split() for line in said.splitlines()[1:]]
    assert [row[-1] for row in rows] == ["0"] * len(crashes.OPERATIONS)


def test_a_difference_is_seen(tmp_path: Path, photos: Path) -> None:
    """The benchmark of crashes rests on this comparison."""
    with sigseek.open(tmp_path / "library", model="mini") as library:
        library.index(photos)
        before = crashes.contents(tmp_path / "library")
        assert crashes.difference(before, crashes.contents(tmp_path / "library")) == ""
        (photos / "07.png").unlink()
        library.index()
        assert crashes.difference(before, crashes.contents(tmp_path / "library")).startswith(
            f"file {photos / '07.png'}: "
        )
        save(photos / "07.png", seed=300)
        library.index()
    assert crashes.difference(before, crashes.contents(tmp_path / "library")).startswith(
        f"embedding {photos / '07.png'}: cosine "
    )


def test_two_at_once_and_a_lock_that_was_left(
    tmp_path: Path, photos: Path, run: Run, start: Start
) -> None:
    library = tmp_path / "library"
    words = ("index", photos, "--library", library, "--model", "mini")
    first = start(*words, output=tmp_path / "output", errors=tmp_path / "errors")
    # Not before: a process that is stopped while it makes the catalog keeps all others out.
    wait_for(lambda: is_indexing(library), first)
    first.send_signal(signal.SIGSTOP)  # so that it surely still works when the second comes
    second = run(*words, check=False)
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert line.startswith(f"error: another sigseek (process {first.pid} on ")
    assert " since 20" in line
    assert f" is updating {library}; " in line
    first.kill()
    first.wait()
    assert (library / "lock.json").exists(), "as a kill leaves it"
    (report,) = map(json.loads, run(*words, "--json").stdout.splitlines())
    assert report["scanned"] == 60
    assert not (library / "lock.json").exists()


def test_searching_while_indexing(tmp_path: Path, photos: Path, start: Start) -> None:
    library = tmp_path / "library"
    with sigseek.open(library, model="mini") as known:
        known.index(photos)
    for number in range(60, 160):
        save(photos / f"{number}.png", seed=number)
    with sigseek.open(library) as searching:
        process = start(
            "index", "--library", library, output=tmp_path / "output", errors=tmp_path / "errors"
        )
        while process.poll() is None:
            hits = searching.search("a red house", limit=1_000, include_all=True)
            assert len({hit.path for hit in hits}) == len(hits) >= 60
    assert process.returncode == 0
    with sigseek.open(library) as searching:
        assert len(searching.search("a red house", limit=1_000, include_all=True)) == 160


@pytest.mark.parametrize("limit", [150_000, 600_000])
def test_a_full_disk_is_told_in_a_line_and_loses_nothing(
    tmp_path: Path, photos: Path, run: Run, limit: int
) -> None:
    """SQLite takes a file that may not grow beyond the limit for a full disk. The first limit is
    reached while the tables are made, the second one after some photos.
    """
    words = ("index", photos, "--library", tmp_path / "library", "--model", "mini")
    done = run(*words, check=False, largest_file=limit)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: {tmp_path / 'library' / 'catalog.sqlite'} cannot be used (disk I/O error); check "
        f"the disk's space and health"
    ]
    (report,) = map(json.loads, run(*words, "--json").stdout.splitlines())
    assert report["scanned"] == report["added"] + report["unchanged"] == 60
    assert run("verify", "--library", tmp_path / "library").returncode == 0


def test_a_library_on_a_full_disk_can_be_searched_and_backed_up(
    tmp_path: Path, photos: Path, run: Run
) -> None:
    library = tmp_path / "library"
    run("index", photos, "--library", library, "--model", "mini")
    run("search", "a red house", "--library", library)  # makes the text tower ready

    def on_full_disk(*words: object) -> "subprocess.CompletedProcess[str]":
        return run(*words, "--library", library, check=False, largest_file=5_000)

    # What it prints goes into a file, too.
    done = on_full_disk("search", "a red house", "--all", "-n", 3, "--json")
    assert len(done.stdout.splitlines()) == 3
    assert on_full_disk("status").returncode == 0
    assert on_full_disk("failures").returncode == 0
    save(photos / "new.png", seed=999)
    done = on_full_disk("index")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "; check permissions and the disk's space, or choose another library with --library\n"
    )
    assert run("verify", "--library", library).returncode == 0


def test_paths_near_the_limit_of_the_system(tmp_path: Path, run: Run) -> None:
    """The longest path that a program can name is indexed; what lies deeper is told, and the rest
    goes on.
    """
    photos = tmp_path / "photos"
    save(photos / "a.png")
    longest = os.pathconf(tmp_path, "PC_PATH_MAX") - 1
    name = "d" * 200
    back = Path.cwd()
    os.chdir(photos)
    try:
        while len(os.getcwd()) + 201 < longest:  # beyond, the system itself has no name for it
            os.mkdir(name)
            os.chdir(name)
        room = longest - len(os.getcwd()) - 1
        picture = (photos / "a.png").read_bytes() + b"\0"
        Path(f"{'x' * (room - 4)}.png").write_bytes(picture)
        os.mkdir("e" * 200)
        os.chdir("e" * 200)
        Path("too deep.png").write_bytes(picture)
    finally:
        os.chdir(back)
    where = ("--library", tmp_path / "library")
    (report,) = map(
        json.loads, run("index", photos, *where, "--model", "mini", "--json").stdout.splitlines()
    )
    assert (report["added"], report["failed"]) == (2, 0)
    (failure,) = map(json.loads, run("failures", *where, "--json").stdout.splitlines())
    assert failure["reason"] == "the directory cannot be read: File name too long"
    (again,) = map(json.loads, run("index", *where, "--json").stdout.splitlines())
    assert (again["unchanged"], again["missing"]) == (2, 0)


def test_one_folder_by_two_names(tmp_path: Path, photos: Path, run: Run) -> None:
    where = ("--library", tmp_path / "library")
    (tmp_path / "link").symlink_to(photos)
    (photos / "loop").symlink_to(photos)
    run("index", tmp_path / "link", *where, "--model", "mini")
    again = run("index", photos, tmp_path / "link", f"{photos}/../photos/", *where, "--json")
    assert json.loads(again.stdout)["unchanged"] == 60
    assert [
        row["path"] for row in json.loads(run("status", *where, "--json").stdout)["folders"]
    ] == [str(photos)]


def test_a_change_of_case_alone_is_a_move(tmp_path: Path, photos: Path, run: Run) -> None:
    where = ("--library", tmp_path / "library")
    run("index", photos, *where, "--model", "mini")
    (photos / "00.png").rename(photos / "00.PNG")
    (report,) = map(json.loads, run("index", *where, "--json").stdout.splitlines())
    assert (report["moved"], report["missing"], report["device"]) == (1, 0, None)
