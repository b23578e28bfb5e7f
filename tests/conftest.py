"""What many tests share: isolation, checkpoints, drawn photos, databases, the installed program."""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, settings

from sigseek import disk
from sigseek.progress import Silence, Stop
from sigseek.search.facts import periods
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from sigseek.siglip.checkpoint import MINI_DIRECTORY, read_checkpoint
from sigseek.siglip.yardstick.embeddings import Yardstick, load_yardstick
from tests import browser, milvus

if TYPE_CHECKING:
    from sqlalchemy import URL

    from sigseek.storage import Catalog
    from tests.databases import Databases
    from tests.kept_workers import KeptWorkers
    from tests.postgresql import Server
    from tests.process_copies import ProcessCopy
    from tests.program import ProgramCopies

ROOT = Path(__file__).parent.parent
UNMEASURED = frozenset(Path(__file__).with_name("unmeasured.txt").read_text().splitlines())
CORPORA = (ROOT.parent / "shared" / "corpora").resolve()

# The first examples pay for late imports, and timing is no matter of these tests. Each run tries
# other examples, so half as many as hypothesis would try are enough for one.
settings.register_profile(
    "sigseek",
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("sigseek")

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., "ProcessCopy"]

needs_corpora = pytest.mark.skipif(
    not CORPORA.is_dir(), reason="the shared pictures are not beside this checkout"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ask for tests which take minutes."""
    parser.addoption(
        "--postgresql",
        action="store_true",
        help="run all tests that are about what a database holds on PostgreSQL, too",
    )
    parser.addoption(
        "--milvus",
        action="store_true",
        help="run the tests that need a Milvus server, and those about searching with one, too",
    )
    parser.addoption("--slow", action="store_true", help="run the tests marked as `slow`, too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of modules that are marked so on SQLite and on PostgreSQL, and those that are
    about searching with vectors in Milvus as well.
    """
    mark = metafunc.definition.get_closest_marker("both_databases")
    if mark is None or metafunc.definition.get_closest_marker("sqlite_only"):
        return
    kinds = ["sqlite"]
    if mark.kwargs.get("always") or metafunc.config.getoption("postgresql"):
        kinds.append("postgresql")
    if mark.kwargs.get("milvus") and metafunc.config.getoption("milvus"):
        kinds.append("milvus")
    if len(kinds) > 1:
        metafunc.parametrize("databases", kinds, indirect=True, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that need a Milvus server and those marked as `slow`, unless they are
    asked for, and with Milvus those that are about FAISS's files.
    """
    items[:] = [
        item
        for item in items
        if _database_of(item) != "milvus" or item.get_closest_marker("faiss_only") is None
    ]
    if not config.getoption("milvus"):
        items[:] = [item for item in items if "milvus_address" not in _fixtures_of(item)]
    if not config.getoption("slow"):
        items[:] = [item for item in items if item.get_closest_marker("slow") is None]


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what stays until the end, and look for cycles as rarely
    as in the program. By default it took 2 and 7 % of the processor time of some tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)


def _fixtures_of(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


def _database_of(item: pytest.Item) -> str:
    """Return what libraries are for a test, of the kinds that `pytest_generate_tests` names."""
    parameters = getattr(item, "callspec", None)
    return parameters.params.get("databases", "sqlite") if parameters else "sqlite"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Do not have `coverage` measure tests that reach no other lines than measured ones do, or the
    same lines very often, nor the processes that they start. Measured code takes half as long
    again, as do the libraries it uses, and a short run of the program takes several times as long.
    """
    is_measured = _is_measured(item)
    with pytest.MonkeyPatch.context() as patch:
        if not is_measured or item.path.stem not in _MEASURED_TOO:
            for name in ("COVERAGE_PROCESS_CONFIG", "SIGSEEK_ORDERLY_EXIT"):
                patch.delenv(name, raising=False)
        if is_measured:
            return (yield)
        measures = sys.gettrace(), threading.gettrace()
        sys.settrace(None)
        threading.settrace(None)
        try:
            return (yield)
        finally:
            sys.settrace(measures[0])
            threading.settrace(measures[1])


def _is_measured(item: pytest.Item) -> bool:
    """Return whether a test is none of properties, is not in unmeasured.txt, and does not repeat on
    PostgreSQL what is measured on SQLite.
    """
    is_property = hasattr(getattr(item, "obj", None), "hypothesis")
    name = getattr(item, "originalname", item.name)
    if is_property or not UNMEASURED.isdisjoint([item.path.name, f"{item.path.name}::{name}"]):
        return False
    return _database_of(item) == "sqlite"


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in a line which tests could not run because something is not installed."""
    if browser.found_browser() is None:
        terminalreporter.write_line(f"Note: {browser.MISSING}")
    if config.getoption("milvus") and not milvus.is_installed():
        terminalreporter.write_line(f"Note: {milvus.MISSING}")


_MEASURED_TOO = {
    "test_cli",
    "test_tag",
    "test_verification",
    "test_watch",
    "test_worker_pool",
}
"""Tests of which `coverage` measures the commands too, and the worker processes that are no copies,
if it measures at all. Together they reach every command.
"""
_OWN_WORKERS = {"test_cli", "test_guarded", "test_tag", "test_watch", "test_worker_pool"}
"""Tests whose runs start worker processes of their own. The runs of all others in this process use
the same ones, because starting some takes longer than most runs do.
"""


@pytest.fixture(scope="session")
def milvus_address() -> Iterator[str]:
    """The address of a Milvus server of these tests' own."""
    if not milvus.is_installed():
        pytest.skip(milvus.MISSING)
    with milvus.milvus_server() as address:
        yield address


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache of all tests, and of what is made for many of them before `isolated` is there.

    Converting a checkpoint takes seconds, and what is kept depends on its content alone.
    """
    own = tmp_path_factory.getbasetemp()
    cache = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGSEEK_CACHE", str(cache))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield cache


@pytest.fixture(scope="session", autouse=True)
def shortcuts() -> Iterator[None]:
    from tests.shortcuts import without_waiting_for_the_disk

    with without_waiting_for_the_disk():
        yield


@pytest.fixture(scope="session")
def kept_workers() -> Iterator[KeptWorkers]:
    """Worker processes that outlast the runs of the tests in this process."""
    from tests.kept_workers import keeping_workers

    with keeping_workers() as kept:
        yield kept


@pytest.fixture(scope="module", autouse=True)
def workers_of_module(request: pytest.FixtureRequest, kept_workers: KeptWorkers) -> None:
    """Have the worker processes of a module's runs kept, or not."""
    kept_workers.wanted = request.path.stem not in _OWN_WORKERS


@pytest.fixture
def own_workers(kept_workers: KeptWorkers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each run of a test start its own worker processes."""
    monkeypatch.setattr(kept_workers, "wanted", False)


@pytest.fixture(autouse=True)
def isolated(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, shared_cache: Path
) -> None:
    """Keep every test from the user's library, cache and configuration, and from the internet."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("SIGSEEK_", "HF_", "XDG_")) and name != "SIGSEEK_ORDERLY_EXIT":
            monkeypatch.delenv(name)
    monkeypatch.setenv("SIGSEEK_CACHE", str(shared_cache))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(home / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> Path:
    """A cache of this test's own, empty but for the conversions and the yardsticks, which are those
    of all tests.
    """
    directory = tmp_path / "cache"
    directory.mkdir()
    for name in ("openvino", "references"):
        (shared_cache / name).mkdir(parents=True, exist_ok=True)
        (directory / name).symlink_to(shared_cache / name)
    monkeypatch.setenv("SIGSEEK_CACHE", str(directory))
    return directory


@pytest.fixture
def sunday(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have today be 31 March 2024, a Sunday after a leap day, where dates in queries are read."""

    class Day(date):
        @classmethod
        def today(cls) -> Day:
            return cls(2024, 3, 31)

    monkeypatch.setattr(periods, "date", Day)


@pytest.fixture(scope="session")
def mini() -> Checkpoint:
    return read_checkpoint(MINI_DIRECTORY, "mini")


@pytest.fixture(scope="session")
def mini_towers(mini: Checkpoint) -> tuple[ImageTower, TextTower]:
    """mini's towers on torch, which needs no conversion."""
    from tests.torch_threads import OneThreadImageTower, OneThreadTextTower

    return OneThreadImageTower(mini, "cpu"), OneThreadTextTower(mini, "cpu")


@pytest.fixture(scope="session")
def mini_yardstick(
    mini: Checkpoint,
    mini_towers: tuple[ImageTower, TextTower],
    tmp_path_factory: pytest.TempPathFactory,
) -> Yardstick:
    images, texts = mini_towers
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIGSEEK_CACHE", str(tmp_path_factory.mktemp("yardstick")))
        return load_yardstick(mini, images, lambda: texts, Silence(), Stop())


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A random checkpoint of google/siglip-base-patch16-224's configuration but for the number of
    layers, which is two, with mini's tokenizer.
    """
    from transformers import SiglipConfig

    from tests.checkpoints import save_base, with_two_layers

    directory = save_base(tmp_path_factory.mktemp("base"), with_two_layers(SiglipConfig()))
    return read_checkpoint(directory, str(directory))


@pytest.fixture(scope="session")
def whole_base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkpoint]:
    """A random checkpoint of google/siglip-base-patch16-224's exact configuration, with mini's
    tokenizer. It takes 800 MB, and only slow tests use it.
    """
    from transformers import SiglipConfig

    from tests.checkpoints import save_base

    directory = save_base(tmp_path_factory.mktemp("base"), SiglipConfig())
    yield read_checkpoint(directory, str(directory))
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty drawn photos of a seed that mini was not trained on, with their captions.jsonl."""
    from sigseek.demo.photos import draw_photos

    folder = tmp_path_factory.mktemp("drawn")
    draw_photos(folder, 40, seed=99)
    return folder


@pytest.fixture(scope="session")
def mini_library(tmp_path_factory: pytest.TempPathFactory, drawn: Path) -> Path:
    """The directory of a library of the drawn photos, indexed by mini in fp32. Tests that change
    the library take a copy.
    """
    import sigseek

    directory = tmp_path_factory.mktemp("mini") / "library"
    with sigseek.open(directory, model="mini", precision="fp32") as library:
        library.index(drawn)
    return directory


@pytest.fixture(scope="session")
def mini_database(postgresql_server: Server, mini_library: Path, drawn: Path) -> tuple[Path, URL]:
    """The directory of `mini_library`, and a database with the same photos."""
    import sigseek
    from tests.postgresql import address

    url = postgresql_server.empty_database()
    with sigseek.open(address(url), model="mini", precision="fp32") as library:
        library.index(drawn)
    return mini_library, url


@pytest.fixture(scope="session")
def drawn_vectors(
    mini: Checkpoint, mini_towers: tuple[ImageTower, TextTower], drawn: Path
) -> dict[Path, npt.NDArray[np.float32]]:
    """The unit-norm embedding (dim,) of each drawn photo, by mini on torch."""
    from sigseek.indexer.decoding.decode import decode_photo

    photos = sorted(drawn.glob("*.jpg"))
    pixels = [decode_photo(photo, mini.preprocessing).pixels for photo in photos]
    return dict(zip(photos, mini_towers[0].embed(np.stack(pixels)), strict=True))


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server; with xdist, each process that needs one starts its own."""
    from tests.postgresql import programs, running_server

    directory = programs()
    if directory is None:
        pytest.skip("PostgreSQL's server is not installed (on Debian: apt-get install postgresql)")
    with running_server(directory) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def databases(request: pytest.FixtureRequest) -> Iterator[Databases | None]:
    """What libraries are for the tests of this module; None where it is not said to be about both
    kinds of database. Fixtures of a module that make a library ask for this one.
    """
    if request.node.get_closest_marker("both_databases") is None:
        yield None
        return
    from tests.databases import Databases, MilvusDatabases, PostgreSqlDatabases

    kind = getattr(request, "param", "sqlite")
    if kind == "sqlite":
        yield Databases()
        return
    # made now: later, a database would be made in its place
    request.getfixturevalue("mini_library")
    server = request.getfixturevalue("postgresql_server")

    def mini() -> tuple[Path, URL]:
        found: tuple[Path, URL] = request.getfixturevalue("mini_database")
        return found

    databases = (
        PostgreSqlDatabases(server, mini)
        if kind == "postgresql"
        else MilvusDatabases(server, mini, request.getfixturevalue("milvus_address"))
    )
    with databases.in_place_of_directories():
        yield databases


@pytest.fixture(autouse=True)
def used_databases(databases: Databases | None) -> Iterator[None]:
    """Remove the databases that a test has made, when it is done."""
    if databases is None:
        yield
        return
    with databases.used_by_test():
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def open_catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Catalog]]:
    """Opens the catalog of one library, once more with each call, on each kind of database."""
    from sigseek.storage import Catalog

    opened: list[Catalog] = []
    if request.param == "sqlite":

        def open_one() -> Catalog:
            opened.append(Catalog(tmp_path / "library"))
            return opened[-1]

        yield open_one
    else:
        from sigseek.storage.catalog.postgresql import PostgreSqlDialect

        server: Server = request.getfixturevalue("postgresql_server")
        url = server.database()

        def open_one() -> Catalog:
            opened.append(Catalog(PostgreSqlDialect(url)))
            return opened[-1]

        yield open_one
    for catalog in opened:
        catalog.close()
    if request.param == "postgresql":
        server.drop(url)


@pytest.fixture(scope="session")
def program_copies() -> Iterator[ProgramCopies]:
    """What runs the program in copies of one process, whose modules are loaded."""
    from tests.program import program_copies

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        with program_copies() as copies:
            yield copies


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path, databases: Databases | None) -> Run:
    """Run `sigseek` in an empty folder. With `check`, the default, it must succeed. With
    `largest_file` it can write no file of more bytes, as on a full disk.

    The first run of each command in this process starts the installed program, and so does every
    run with variables that Python looks at when it starts. The others are copies of a process that
    has loaded the program.
    """

    def run(
        *arguments: object, check: bool = True, largest_file: int | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        given = list(map(str, arguments))
        if databases is not None:
            from tests.databases import with_addresses

            given = with_addresses(given, databases)
        copies: ProgramCopies = request.getfixturevalue("program_copies")
        is_copy = largest_file or not copies.is_first(given)
        if not is_copy or any(name.startswith("PYTHON") for name in environment):
            done = subprocess.run(
                [Path(sys.executable).parent / "sigseek", *given],
                capture_output=True,
                encoding="utf-8",
                errors="surrogateescape",  # as a path that is not UTF-8 comes out
                cwd=tmp_path,
                env=os.environ | environment,
                timeout=300,
                check=False,
            )
        else:
            done = copies.run(given, tmp_path, os.environ | environment, largest_file)
        if databases is not None:
            done.stdout = databases.named_by_directory(done.stdout)
            done.stderr = databases.named_by_directory(done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        assert not check or done.returncode == 0, done.stderr
        return done

    return run


@pytest.fixture
def start(tmp_path: Path, program_copies: ProgramCopies) -> Iterator[Start]:
    """Start `sigseek` in an empty folder, in copies of a process that has loaded it, and write what
    it says into the files. Those that still run when the test is done are killed.
    """
    started: list[ProcessCopy] = []

    def start(*arguments: object, output: Path, errors: Path) -> ProcessCopy:
        with output.open("wb") as out, errors.open("wb") as err:
            given = list(map(str, arguments))
            started.append(program_copies.start(given, tmp_path, os.environ, out, err))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def ordinary_folder(tmp_path: Path, own_workers: None) -> Iterator[Path]:
    """An empty folder with permissions in force. They mean nothing to root, who may read and write
    everything, and whose worker processes may, too.
    """
    if os.geteuid() != 0:
        yield tmp_path
        return
    before = change_capabilities(lambda effective: effective & ~_READ_AND_WRITE_ALL)
    disk._idle.clear()  # these threads have kept their permissions
    try:
        yield tmp_path
    finally:
        change_capabilities(lambda effective: before)
        disk._idle.clear()


_READ_AND_WRITE_ALL = 1 << 1 | 1 << 2
"""Linux's CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH."""


def change_capabilities(change: Callable[[int], int]) -> int:
    """Change the effective capabilities of this thread and of those that it starts, the first 32;
    return those that it had.

    Changing to another user's id instead would keep worker processes from files of Python that only
    root may read on some machines.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(header, sets) == 0
    before = sets[0]
    sets[0] = change(before)
    assert libc.capset(header, sets) == 0
    return before
