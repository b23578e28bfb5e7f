"""Workers that Ray starts, on a real Ray of the test's own."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray
import ray._private.utils
from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

import sigseek
from benchmarks.crashes import contents, difference
from benchmarks.workers import contents_of_database
from sigseek.operations import ray_cluster
from sigseek.operations.ray_cluster import RayCluster
from sigseek.storage import LibraryError
from tests.conftest import Run
from tests.postgresql import Server, address

HELD = "SELECT DISTINCT name FROM worker JOIN task ON worker_id = worker.id"
PATIENCE = 120  # seconds, on a busy machine


@pytest.fixture
def url(postgresql_server: Server) -> Iterator[URL]:
    made = postgresql_server.database()
    yield made
    postgresql_server.drop(made)


def ask(url: URL, query: str) -> list[Any]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return list(connection.execute(text(query)).scalars())


def start(url: URL, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.rayed", address(url), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of processes, as on a terminal
    )


def two_at_work(url: URL, run: subprocess.Popen[str]) -> set[int]:
    """Wait until two workers have claimed files, and return their process ids."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        assert run.poll() is None, run.communicate()
        found = {int(name.split()[1]) for name in ask(url, HELD)}
        if len(found) == 2:
            return found
        time.sleep(0.05)
    raise AssertionError("two workers do not begin")


def test_an_interrupted_run_frees_claims_and_the_next_goes_on_though_its_workers_are_killed(
    url: URL, drawn: Path, tmp_path: Path
) -> None:
    with sigseek.open(tmp_path / "plain", model="mini") as library:
        library.index(drawn)
    plain = contents(tmp_path / "plain")

    run = start(url, drawn)
    workers = two_at_work(url, run)
    processes = psutil.Process(run.pid).children(recursive=True)
    assert workers <= {process.pid for process in processes}
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=PATIENCE)
    assert (run.returncode, said.splitlines()[-1]) == (
        130,
        "interrupted; what was finished is kept",
    )
    assert ask(url, "SELECT count(*) FROM task WHERE worker_id IS NOT NULL OR tries > 0") == [0]
    assert ask(url, "SELECT count(*) > 0 FROM task") == [True]
    assert not psutil.wait_procs(processes, PATIENCE)[1]

    run = start(url, drawn)
    for worker in two_at_work(url, run):
        os.kill(worker, signal.SIGKILL)
    out, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, said
    assert difference(plain, contents_of_database(url)) == ""
    assert ask(url, "SELECT count(*) FROM task") == [0]
    report = json.loads(out)
    taken = report["added"] + report["by_others"]
    assert (report["scanned"], taken + report["unchanged"], report["failed"]) == (40, 40, 0)
    assert "Ray: 2 workers with 1 core each" in said


def test_what_ray_cannot_do_is_said_in_a_line(
    url: URL, drawn: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object, **options: object) -> None:
        raise ConnectionError("Could not find any running Ray instance.")

    refused = run("index", drawn, "--ray", "local", "--library", "library", check=False)
    assert refused.stderr.endswith("; leave out --ray, or name a database with --library\n")
    with sigseek.open(address(url), model="mini") as library:
        with pytest.raises(LibraryError, match="add ray='local'"):
            library.index(drawn, ray_workers=2)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))  # and does not listen
            there = f"127.0.0.1:{closed.getsockname()[1]}"
            with pytest.raises(LibraryError, match=f"no Ray cluster answers at {there} "):
                library.index(drawn, ray=there)
        with monkeypatch.context() as alone:  # Ray takes seconds to find no cluster
            alone.setattr(ray, "init", refuse)
            with pytest.raises(LibraryError, match="to no Ray cluster; give ray a HOST:PORT"):
                library.index(drawn, ray="auto")
        with pytest.raises(LibraryError, match="Ray's clients with addresses such as ray:// are"):
            library.index(drawn, ray="ray://server:10001")
        with pytest.raises(LibraryError, match=r"0 is too few .*; ray_cores must be at least 1"):
            library.index(drawn, ray="local", ray_cores=0)
        with monkeypatch.context() as connected:
            connected.setattr(ray, "is_initialized", lambda: True)
            connected.setattr(ray, "shutdown", lambda: pytest.fail("another's connection is ended"))
            with pytest.raises(LibraryError, match="connected to a Ray cluster already"):
                library.index(drawn, ray="local")
        monkeypatch.setitem(sys.modules, "ray", None)
        with pytest.raises(LibraryError, match=re.escape("pip install 'sigseek[ray]'")):
            library.index(drawn, ray="local")


def test_a_long_path_of_temporary_files_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray puts sockets below, and their paths cannot be long."""
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", "/scratch/me/slurm_job.1234567")
        home = Path(ray_cluster._make_home())
    home.rmdir()
    assert home.parent == Path("/tmp")
    session = "session_2026-11-29_23-59-59_123456_1234567/sockets/plasma_store"
    assert len(str(home / session)) <= 103


def test_another_version_is_named_in_one_line() -> None:
    other = {"ray_version": "2.0.0", "python_version": "3.9.1"}
    with pytest.raises(RuntimeError) as raised:
        ray._private.utils.check_version_info(other, "node 10.0.0.1")
    error = ray_cluster._failed(raised.value)
    assert str(error).startswith(
        "Version mismatch: The cluster was started with: Ray: 2.0.0 Python: 3.9.1 This process on "
        f"node 10.0.0.1 was started with: Ray: {ray.__version__} Python: "
    )
    assert str(error).endswith("; use the same versions of Ray and Python on all machines")


@pytest.mark.parametrize(
    ("wanted", "machines", "planned"),
    [
        ((None, None), [{"CPU": 16.0}, {"CPU": 40.0}], (3, 16, 0)),
        ((None, 4), [{"CPU": 16.0}, {"CPU": 6.0}], (5, 4, 0)),
        ((9, None), [{"CPU": 16.0}, {"memory": 1e9}, {"CPU": 6.0}], (9, 6, 0)),
        ((None, None), [{"CPU": 64.0, "GPU": 4.0}, {"CPU": 8.0}], (4, 16, 1)),
        ((None, None), [{"CPU": 64.0, "GPU": 4.0}, {"CPU": 8.0, "GPU": 1.0}], (5, 8, 1)),
    ],
)
def test_workers_are_planned_by_what_the_machines_have(
    wanted: tuple[int | None, int | None],
    machines: list[dict[str, float]],
    planned: tuple[int, int, int],
) -> None:
    cluster = RayCluster("auto", *wanted)
    cluster.plan(machines)
    assert (cluster.workers, cluster.cores, cluster.gpus) == planned


def test_workers_that_are_to_use_the_processor_are_given_no_gpu() -> None:
    cluster = RayCluster("auto", use_gpus=False)
    cluster.plan([{"CPU": 64.0, "GPU": 4.0}, {"CPU": 32.0}])
    assert (cluster.workers, cluster.cores, cluster.gpus) == (3, 32, 0)
