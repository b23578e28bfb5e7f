import errno
import fcntl
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine

import sigseek
from sigseek.errors import ErrorKind, Remedy, StoppedError
from sigseek.operations.model import ModelInUse
from sigseek.progress import Stop
from sigseek.storage import Catalog, LibraryError, LibraryLock, WriterLock, writer_lock
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.lock import AdvisoryLock
from sigseek.storage.network_lock import NetworkLock
from tests.listeners import Heard
from tests.postgresql import Server

HOLD = """
import sys
from pathlib import Path
from sqlalchemy import create_engine
from sigseek.storage.lock import AdvisoryLock, LibraryLock
from sigseek.storage.network_lock import NetworkLock
kind, place = sys.argv[1:]
if kind == "file":
    lock = LibraryLock(Path(place))
elif kind == "network":
    lock = NetworkLock(Path(place))
else:
    name = {"application_name": "sigseek, process 7 on nas"}
    lock = AdvisoryLock(create_engine(place, connect_args=name), place)
with lock.hold():
    print("held", flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True)
class Kind:
    """A kind of lock, each on two libraries."""

    name: str
    lock: WriterLock
    place: str
    """The library as the holding program is told it."""
    other: WriterLock
    named: str
    """A pattern for the holding program in messages, with its process id at {pid}."""


@pytest.fixture(params=["file", "network", "advisory"])
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    if request.param != "advisory":
        other = tmp_path / "other"
        other.mkdir()
        named = "process {pid} on .* since 20"
        made: Callable[[Path], WriterLock]
        made = LibraryLock if request.param == "file" else NetworkLock
        yield Kind(request.param, made(tmp_path), str(tmp_path), made(other), named)
        return
    server: Server = request.getfixturevalue("postgresql_server")
    urls = [server.database(), server.database()]
    engines = [create_engine(url) for url in urls]
    locks = [AdvisoryLock(engine, str(url)) for engine, url in zip(engines, urls, strict=True)]
    place = urls[0].render_as_string(hide_password=False)
    yield Kind("advisory", locks[0], place, locks[1], "process 7 on nas since 20.* UTC")
    for engine, url in zip(engines, urls, strict=True):
        engine.dispose()
        server.drop(url)


def test_one_at_a_time(kind: Kind) -> None:
    with kind.lock.hold():
        with pytest.raises(LibraryError, match="another sigseek") as caught, kind.lock.hold():
            pass
        assert caught.value.kind == ErrorKind.BUSY
        with kind.other.hold():
            pass
    with kind.lock.hold():
        pass
    with pytest.raises(RuntimeError, match="went wrong"), kind.lock.hold():
        raise RuntimeError("went wrong")
    with kind.lock.hold():
        pass


def test_a_second_holder_takes_nothing_from_the_first(kind: Kind) -> None:
    with kind.lock.hold():
        with pytest.raises(LibraryError, match="another sigseek"), kind.lock.hold():
            pass
        if isinstance(kind.lock, AdvisoryLock):
            assert kind.lock.is_alone()


def test_a_second_writer_is_told_who_the_first_is_and_goes_on_when_it_is_killed(kind: Kind) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, kind.name, kind.place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        named = kind.named.format(pid=holder.pid)
        with (
            pytest.raises(LibraryError, match=rf"another sigseek \({named}.* is updating"),
            kind.lock.hold(),
        ):
            pass
        holder.kill()  # without any chance to tidy up
    ends = time.monotonic() + 10
    while True:
        try:
            with kind.lock.hold():
                return
        except LibraryError:  # the server may take a moment to notice
            assert kind.name == "advisory"
            assert time.monotonic() < ends
            time.sleep(0.01)


def test_the_holder_is_written_down_while_it_holds(tmp_path: Path) -> None:
    with writer_lock(tmp_path):
        assert str(os.getpid()) in (tmp_path / "lock.json").read_text()
    assert not (tmp_path / "lock.json").exists()


def test_a_library_that_may_not_be_written(ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0o555)
    with pytest.raises(LibraryError) as caught, writer_lock(ordinary_folder):
        pass
    ordinary_folder.chmod(0o755)
    said = f"the library {ordinary_folder} is read-only (Permission denied); check its permissions"
    assert str(caught.value) == said


def test_a_library_that_may_not_be_written_is_refused_before_labels_are_embedded(
    mini_library: Path, ordinary_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = Path(shutil.copytree(mini_library, ordinary_folder / "library"))
    (directory / "lock").unlink(missing_ok=True)
    monkeypatch.setattr(ModelInUse, "embed_texts", lambda *arguments: pytest.fail("too late"))
    directory.chmod(0o555)
    try:
        with sigseek.open(directory) as library, pytest.raises(LibraryError, match="is read-only"):
            library.tag(["a house"])
    finally:
        directory.chmod(0o755)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Some network drives are such file systems. A lock that is but a file would outlive a process
    that is killed.
    """

    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(
            LibraryError, match=r"is on a file system that cannot lock files \(.*\); move it"
        ),
        writer_lock(tmp_path),
    ):
        pass


def test_a_holder_file_of_another_shape_is_an_unknown_process(tmp_path: Path) -> None:
    with writer_lock(tmp_path):
        (tmp_path / "lock.json").write_text("[1, 2]")
        with pytest.raises(LibraryError, match="unknown process"), writer_lock(tmp_path):
            pass


@pytest.fixture
def shared(postgresql_server: Server) -> Iterator[tuple[Catalog, PostgreSqlDialect, AdvisoryLock]]:
    """A catalog in PostgreSQL with its dialect, and the lock as another program has it."""
    url = postgresql_server.database()
    dialect, engine = PostgreSqlDialect(url), create_engine(url)
    catalog = Catalog(dialect)
    yield catalog, dialect, AdvisoryLock(engine, str(url))
    catalog.close()
    engine.dispose()
    postgresql_server.drop(url)


def end_session_with_lock(other: AdvisoryLock) -> None:
    """End the session that holds the lock, as a restart of the server does."""
    with other._engine.connect() as connection:
        ended = connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory' "
            f"AND granted AND classid = 0 AND objid = {AdvisoryLock._LIBRARY}"
        )
        assert ended.scalars().all() == [True]


@pytest.mark.parametrize("folders", [[], [Path("/srv/a")]])
def test_whoever_lost_the_lock_writes_no_more(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock], tmp_path: Path, folders: list[Path]
) -> None:
    catalog, dialect, other = shared
    with dialect.lock.hold(folders):
        with catalog.transaction() as transaction:
            transaction.add_folder(tmp_path / "a")
        end_session_with_lock(other)
        with other.hold(folders):
            with (
                pytest.raises(LibraryError, match="was lost") as caught,
                catalog.transaction() as transaction,
            ):
                transaction.add_folder(tmp_path / "b")
            assert caught.value.kind is ErrorKind.UNAVAILABLE
    with dialect.lock.hold(folders), catalog.transaction() as transaction:
        transaction.add_folder(tmp_path / "c")
    assert [Path(folder.path).name for folder in catalog.folders()] == ["a", "c"]


def test_nobody_gets_the_lock_in_the_middle_of_a_last_transaction(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock], tmp_path: Path
) -> None:
    catalog, dialect, other = shared
    with dialect.lock.hold([tmp_path / "a"]):
        with catalog.transaction() as transaction:
            end_session_with_lock(other)
            for folders in ([], [tmp_path / "a"]):
                with (
                    pytest.raises(LibraryError, match=r"another sigseek \(unknown process\)"),
                    other.hold(folders),
                ):
                    pass
            transaction.add_folder(tmp_path / "a")
        with other.hold():
            assert [Path(folder.path).name for folder in catalog.folders()] == ["a"]


def test_catalogs_write_without_the_lock_where_nobody_asks_for_it(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock], tmp_path: Path
) -> None:
    catalog, _, other = shared
    with other.hold(), catalog.transaction() as transaction:
        transaction.add_folder(tmp_path / "a")
    assert len(catalog.folders()) == 1


FOLDERS = [Path("/srv/photos/a"), Path("/home/me/Pictures")]
INSIDE, ABOVE, BESIDE = Path("/srv/photos/a/2024"), Path("/srv"), Path("/srv/photos/ab")


def test_two_hold_folders_that_do_not_overlap(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock],
) -> None:
    catalog, dialect, other = shared
    with dialect.lock.hold(FOLDERS), catalog.transaction():
        with other.hold([BESIDE]):
            pass
        for folders in ([FOLDERS[1]], [BESIDE, INSIDE], [ABOVE], []):
            with (
                pytest.raises(LibraryError, match=rf"another sigseek \(process {os.getpid()} on "),
                other.hold(folders),
            ):
                pass
        with other.hold([BESIDE]):
            pass
    with other.hold([ABOVE, INSIDE]):
        pass


def test_many_folders_are_locked_with_the_whole_library(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock],
) -> None:
    _, dialect, other = shared
    many = [Path(f"/srv/{number}") for number in range(200)]
    with (
        dialect.lock.hold(many),
        pytest.raises(LibraryError, match="another sigseek"),
        other.hold([Path("/home")]),
    ):
        pass
    with dialect.lock.hold(many[:50]), other.hold(many[50:100]):
        pass


def test_one_process_lists_for_others_while_folders_are_held(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock],
) -> None:
    _, dialect, other = shared
    with other.hold([BESIDE]):
        assert not dialect.is_being_listed()
    with other.hold([BESIDE], lists=True):
        assert dialect.is_being_listed()
        with dialect.lock.hold(FOLDERS):
            pass
        with (
            pytest.raises(LibraryError, match="another sigseek"),
            dialect.lock.hold(FOLDERS, lists=True),
        ):
            pass
    assert not dialect.is_being_listed()


def test_holders_of_folders_take_turns(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock],
) -> None:
    _, dialect, other = shared
    taken: list[str] = []
    said, heard = threading.Event(), Heard()

    def note(line: str | Remedy) -> None:
        heard.lines.append(str(line))
        said.set()

    heard.said = note  # type: ignore[method-assign]

    def take_turn() -> None:
        with other.hold([BESIDE]):
            assert not other.is_alone()
            with other.turn(heard, Stop()):
                taken.append("second")
            with other.turn(heard, Stop()):  # at once
                pass

    with dialect.lock.hold(FOLDERS), ThreadPoolExecutor(1) as pool:
        assert dialect.lock.is_alone()
        with dialect.lock.turn(Heard(), Stop()):
            second = pool.submit(take_turn)
            assert said.wait(60)
            taken.append("first")
        second.result(60)
        assert dialect.lock.is_alone()
    assert taken == ["first", "second"]
    (line,) = heard.lines
    assert line.startswith(f"waiting for another sigseek (process {os.getpid()} on ")


def test_waiting_for_a_turn_can_be_stopped(
    shared: tuple[Catalog, PostgreSqlDialect, AdvisoryLock],
) -> None:
    _, dialect, other = shared
    stop = Stop()
    stop.set()
    with (
        dialect.lock.hold(FOLDERS),
        other.hold([BESIDE]),
        other.turn(Heard(), Stop()),
        pytest.raises(StoppedError),
        dialect.lock.turn(Heard(), stop),
    ):
        pass
