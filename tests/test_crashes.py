"""What happens when the program is killed, meets itself, or the disk is full."""

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

import sigseek
from benchmarks import crashes
from tests.conftest import Run
from tests.photos import save

SIGSEEK = Path(sys.executable).with_name("sigseek")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(60):
        save(tmp_path / "photos" / f"{number:02}.png", seed=number)
    return tmp_path / "photos"


def wait_for(condition: object, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None and time.monotonic() < deadline:  # type: ignore[operator]
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


def test_a_kill_at_any_instant_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command does it two hundred times, this test a dozen."""
    monkeypatch.setattr(sys, "argv", ["crashes", "--kills", "12", "--seed", str(os.getpid())])
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


def test_two_at_once_and_a_lock_that_was_left(tmp_path: Path, photos: Path, run: Run) -> None:
    library = tmp_path / "library"
    words = [SIGSEEK, "index", photos, "--model", "mini", "--library", library]
    with subprocess.Popen(
        words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True
    ) as first:
        try:
            # Not before: a process that is stopped while it makes the catalog keeps all others out.
            wait_for(lambda: is_indexing(library), first)
            first.send_signal(signal.SIGSTOP)  # so that it surely still works when the second comes
            second = run("index", photos, "--library", library, "--model", "mini", check=False)
            assert second.returncode == 1
            (line,) = second.stderr.splitlines()
            assert line.startswith(f"error: another sigseek (process {first.pid} on ")
            assert " since 20" in line
            assert f" is updating {library}; " in line
        finally:
            first.kill()  # else a failure would wait for a stopped process for ever
    assert (library / "lock.json").exists(), "as a kill leaves it"
    (report,) = map(
        json.loads,
        run("index", photos, "--library", library, "--model", "mini", "--json").stdout.splitlines(),
    )
    assert report["scanned"] == 60
    assert not (library / "lock.json").exists()


def test_searching_while_indexing(tmp_path: Path, photos: Path) -> None:
    library = tmp_path / "library"
    with sigseek.open(library, model="mini") as known:
        known.index(photos)
    for number in range(60, 400):
        save(photos / f"{number}.png", seed=number)
    words = [SIGSEEK, "index", "--library", library]
    seen = set()
    with (
        subprocess.Popen(
            words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True
        ) as process,
        sigseek.open(library) as searching,
    ):
        while process.poll() is None:
            hits = searching.search("a red house", limit=1_000, include_all=True)
            seen.add(len(hits))
            assert len({hit.path for hit in hits}) == len(hits) >= 60
    assert process.returncode == 0
    with sigseek.open(library) as searching:
        assert len(searching.search("a red house", limit=1_000, include_all=True)) == 400


@pytest.mark.parametrize("limit", [150_000, 400_000])
def test_a_full_disk_is_told_in_a_line_and_loses_nothing(
    tmp_path: Path, photos: Path, run: Run, limit: int
) -> None:
    """SQLite takes a file that may not grow beyond the limit for a full disk."""
    for number in range(60, 500):
        save(photos / f"{number}.png", seed=number)
    library = tmp_path / "library"
    run(
        "classify", photos / "00.png", "--label", "x", "--model", "mini"
    )  # converts it, which is not what is looked at here
    done = subprocess.run(
        [SIGSEEK, "index", photos, "--library", library, "--model", "mini"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        f"error: {library / 'catalog.sqlite'} cannot be used (disk I/O error); check the disk's "
        f"space and health"
    ]
    assert "Traceback" not in done.stderr
    (report,) = map(
        json.loads,
        run("index", photos, "--library", library, "--json", "--model", "mini").stdout.splitlines(),
    )
    assert report["scanned"] == report["added"] + report["unchanged"] == 500
    assert run("verify", "--library", library).returncode == 0


def test_a_library_on_a_full_disk_can_be_searched_and_backed_up(
    tmp_path: Path, photos: Path, run: Run
) -> None:
    library = tmp_path / "library"
    run("index", photos, "--library", library, "--model", "mini")
    run("search", "a red house", "--library", library)  # makes the text tower ready

    def on_full_disk(*words: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [SIGSEEK, *map(str, words), "--library", library],
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000)),
            capture_output=True,
            text=True,
            check=False,
        )

    assert len(on_full_disk("search", "a red house", "--all", "--json").stdout.splitlines()) == 10
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
