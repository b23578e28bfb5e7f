"""Several processes that index one library together."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, create_engine, text

import sigseek
from benchmarks.crashes import contents, difference
from benchmarks.workers import contents_of_database
from sigseek.indexer import IndexReport
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.mounts import Mounts
from sigseek.indexer.shared_work import SharedProgress, Worker
from sigseek.storage import Catalog, FailureKind, LibraryError
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from sigseek.storage.records.tasks import TaskRecord, WorkerRecord
from tests.catalogs import add_checkpoint
from tests.conftest import Run
from tests.listeners import Heard
from tests.photos import save
from tests.postgresql import Server, address

LONG = timedelta(minutes=10)


def ask(url: URL, query: str) -> Any:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text(query)).scalar()
    engine.dispose()
    return found


def start(url: URL, folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.joined", address(url), str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return json.loads(out)


def wait_for(url: URL, query: str, process: subprocess.Popen[str]) -> None:
    """Wait until the query's answer is true."""
    while not ask(url, query):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture
def url(postgresql_server: Server) -> Iterator[URL]:
    made = postgresql_server.database()
    yield made
    postgresql_server.drop(made)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty files of 28 pictures, and one that holds none."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(28):
        save(folder / "abc"[number % 3] / f"{number:02}.png", seed=number)
    for number in range(2):
        shutil.copyfile(folder / "abc"[number] / f"{number:02}.png", folder / f"copy{number}.png")
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def plain(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a run of one process makes of the photos."""
    directory = tmp_path_factory.mktemp("plain")
    with sigseek.open(directory, model="mini") as library:
        library.index(photos)
    return contents(directory)


def test_two_processes_share_the_files_of_a_folder_and_one_has_it_elsewhere(
    url: URL, photos: Path, plain: dict[str, object], tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "mounted")
    lister = start(url, photos, "--slow", "1")
    wait_for(url, "SELECT count(*) > 0 FROM task", lister)
    helper = start(url, photos, "--mount", f"{photos}={tmp_path / 'mounted'}")
    listed, helped = report_of(lister), report_of(helper)
    assert difference(plain, contents_of_database(url)) == ""
    assert helped["added"] > 0
    assert listed["added"] > 0
    assert (listed["scanned"], listed["by_others"]) == (31, helped["scanned"])
    assert (listed["added"] + helped["added"], listed["failed"] + helped["failed"]) == (30, 1)
    # each file was dealt with once
    assert ask(url, "SELECT sum(done) FROM worker") == 31
    assert ask(url, "SELECT count(*) FROM task") == 0


def test_when_the_process_that_lists_is_killed_another_takes_its_place(
    url: URL, photos: Path, plain: dict[str, object]
) -> None:
    lister = start(url, photos, "--slow", "1", "--lease", "2")
    wait_for(url, "SELECT count(*) > 0 FROM task", lister)
    helper = start(url, photos, "--lease", "2")
    wait_for(url, "SELECT count(*) = 2 FROM worker WHERE lease_until IS NOT NULL", helper)
    assert ask(url, "SELECT count(*) FROM task") > 0, "it is in the middle"
    lister.kill()
    lister.communicate()
    report = report_of(helper)
    assert difference(plain, contents_of_database(url)) == ""
    assert report["missing"] == 0
    assert ask(url, "SELECT count(*) FROM task") == 0
    assert ask(url, "SELECT count(*) FROM folder WHERE indexed_at IS NOT NULL") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_is_asked_to_end_frees_its_claims_at_once(
    url: URL, photos: Path, number: signal.Signals
) -> None:
    process = start(url, photos, "--slow", "0.3")
    wait_for(url, "SELECT count(*) > 0 FROM task WHERE worker_id IS NOT NULL", process)
    with sigseek.open(address(url)) as library:
        status = library.status()
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "interrupted; what was finished is kept" in err) == (130, True)
    assert ask(url, "SELECT count(*) FROM task WHERE worker_id IS NOT NULL OR tries > 0") == 0
    assert ask(url, "SELECT count(*) FROM task") > 0
    assert ask(url, "SELECT count(*) FROM worker WHERE lease_until IS NOT NULL") == 0
    assert status.shared_run is not None
    assert (status.shared_run.total, status.shared_run.workers) == (31, 1)


def test_status_says_how_far_all_processes_are(tasks: "Tasks", url: URL, run: Run) -> None:
    tasks.finish(tasks.lister, tasks.claim(tasks.lister, 2))
    said = run("status", "--library", address(url)).stdout
    assert re.search(r"^indexing    2 of 3 files, by 1 process \(\d+\.\d files/s\)$", said, re.M)


class Tasks:
    """A catalog with three tasks in one folder."""

    def __init__(self, url: URL) -> None:
        self.catalog = Catalog(PostgreSqlDialect(url))
        self.checkpoint = add_checkpoint(self.catalog, 8)
        with self.catalog.transaction() as transaction:
            folder, _ = transaction.add_folder(Path("/photos"))
            self.folder_id = folder.id
            self.lister = transaction.add_worker("lister", LONG)
        self.offer(self.lister, "cab")

    def offer(self, lister: int, names: str) -> None:
        files = [(self.folder_id, f"{name}.png", 10, 20, None) for name in names]
        with self.catalog.transaction() as transaction:
            transaction.add_tasks(lister, self.checkpoint.id, files)

    def join(self, lease: timedelta = LONG) -> int:
        with self.catalog.transaction() as transaction:
            return transaction.add_worker("a worker", lease)

    def claim(self, worker: int, count: int = 1, **tries: int) -> list[TaskRecord]:
        with self.catalog.transaction() as transaction:
            return transaction.claim_tasks(
                worker, self.folder_id, self.checkpoint.id, count, **tries
            )

    def finish(self, worker: int, tasks: list[TaskRecord]) -> int:
        with self.catalog.transaction() as transaction:
            return len(transaction.finish_tasks(worker, [task.id for task in tasks]))

    def free_expired(self) -> int:
        with self.catalog.transaction() as transaction:
            return transaction.free_expired()


@pytest.fixture
def tasks(url: URL) -> Iterator[Tasks]:
    made = Tasks(url)
    yield made
    made.catalog.close()


def test_two_workers_claim_different_files_without_waiting(tasks: Tasks) -> None:
    one, other = tasks.join(), tasks.join()
    with tasks.catalog.transaction() as transaction:  # whose claim is not committed yet
        mine = transaction.claim_tasks(one, tasks.folder_id, tasks.checkpoint.id, 2)
        theirs = tasks.claim(other, 2)
    assert [task.path for task in mine] == ["c.png", "a.png"]
    assert [task.path for task in theirs] == ["b.png"]
    assert tasks.claim(one, 5) == []


def test_what_a_worker_does_after_its_lease_has_run_out_does_not_count(tasks: Tasks) -> None:
    late, other = tasks.join(timedelta(seconds=-1)), tasks.join()
    mine = tasks.claim(late, 3)
    assert tasks.free_expired() == 1
    theirs = tasks.claim(other, 2)
    assert [(task.path, task.tries) for task in theirs] == [("c.png", 2), ("a.png", 2)]
    assert tasks.finish(late, mine) == 0
    assert tasks.finish(other, theirs) == 2
    assert tasks.finish(other, theirs) == 0
    assert SharedProgress.of(tasks.catalog.workers()).done == 2
    with tasks.catalog.transaction() as transaction:
        transaction.renew_lease(late, LONG)  # it was only suspended, and goes on
    assert [task.path for task in tasks.claim(late, 3)] == ["b.png"]


def test_a_worker_whose_claims_are_being_freed_waits_and_finishes_nothing(
    tasks: Tasks, url: URL
) -> None:
    late = tasks.join(timedelta(seconds=-1))
    mine = tasks.claim(late, 3)
    with ThreadPoolExecutor(1) as pool:
        with tasks.catalog.transaction() as transaction:
            assert transaction.free_expired() == 1
            finished = pool.submit(tasks.finish, late, mine)
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while not ask(url, f"{waiting} AND datname = current_database()"):
                time.sleep(0.01)
        assert finished.result() == 0
    assert len(tasks.claim(tasks.join(), 3)) == 3


def test_the_server_reads_no_more_tasks_than_are_claimed_or_finished(tasks: Tasks) -> None:
    with tasks.catalog.transaction() as transaction:
        files = [(tasks.folder_id, f"{number}.jpg", 10, 20, None) for number in range(3_000)]
        transaction.add_tasks(tasks.lister, tasks.checkpoint.id, files)
        one = transaction.add_worker("a worker", LONG)
    with tasks.catalog.transaction() as transaction:

        def read() -> int:
            found = transaction._connection.execute(
                text(
                    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables "
                    "WHERE relname = 'task'"
                )
            )
            return int(found.scalar_one())

        before = read()
        mine = transaction.claim_tasks(one, tasks.folder_id, tasks.checkpoint.id, 500)
        claimed = read()
        transaction.finish_tasks(one, [task.id for task in mine[:10]])
        assert claimed - before <= 2 * 500
        assert read() - claimed <= 2 * 10


def test_a_worker_that_was_taken_for_dead_joins_again(tasks: Tasks) -> None:
    heard, (folder,) = Heard(), tasks.catalog.folders()
    with Worker(tasks.catalog, tasks.checkpoint, Ledger("mini", heard), Mounts({})) as worker:
        late = worker.claim(folder, 1, alone=False)
        with tasks.catalog.transaction() as transaction:  # as if it had slept for a minute
            transaction.renew_lease(worker.id, timedelta(seconds=-1))
            transaction.begin_listing(tasks.lister)
        tasks.offer(tasks.lister, "cab")
        ids = {task.path: task.id for task in late}
        assert worker.settle(ids, lambda transaction, ours: list(ours)) == []
        claimed = worker.claim(folder, 9, alone=False)
        assert {task.path for task in claimed} == {"a.png", "b.png", "c.png"}
        ids = {task.path: task.id for task in claimed}
        assert worker.settle(ids, lambda transaction, ours: len(ours)) == 3
    (line,) = heard.lines
    assert str(line).startswith("this process gave no sign of life for 60 seconds")


def test_a_mounted_folder_may_have_the_path_of_another_one(tasks: Tasks, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "a.jpg").touch()
    with tasks.catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/known"))
    mounts = Mounts({"/known": here, str(here): tmp_path / "elsewhere"})
    worker = Worker(tasks.catalog, tasks.checkpoint, Ledger("mini", Heard()), mounts)
    assert worker._folders_here()[folder.id].path == str(here)


def test_a_worker_that_leaves_is_to_blame_for_nothing(tasks: Tasks) -> None:
    one = tasks.join()
    tasks.claim(one, 3)
    with tasks.catalog.transaction() as transaction:
        transaction.leave(one)
    assert tasks.finish(one, tasks.claim(tasks.join(), 3)) == 0
    workers = tasks.catalog.workers()
    assert [worker.lives for worker in workers] == [True, False, True]
    assert (workers[0].listed, workers[0].seconds < 600) == (3, True)


def test_files_that_were_tried_often_are_claimed_apart(tasks: Tasks) -> None:
    for _ in range(2):
        tasks.claim(tasks.join(timedelta(seconds=-1)), 1)
        tasks.free_expired()
    one = tasks.join()
    assert [task.path for task in tasks.claim(one, 3, most_tries=1)] == ["a.png", "b.png"]
    assert [task.path for task in tasks.claim(one, 3, least_tries=2)] == ["c.png"]


def test_a_new_listing_keeps_claims_and_what_was_done(tasks: Tasks) -> None:
    worker = tasks.join()
    tasks.finish(worker, tasks.claim(worker, 1))
    tasks.claim(worker, 1)
    new = tasks.join()
    with tasks.catalog.transaction() as transaction:
        transaction.leave(tasks.lister)
        transaction.begin_listing(new)
    tasks.offer(new, "abde")
    progress = SharedProgress.of(tasks.catalog.workers())
    assert (progress.done, progress.total, progress.workers) == (1, 5, 2)
    assert [task.path for task in tasks.claim(new, 9)] == ["b.png", "d.png", "e.png"]


def test_a_new_listing_keeps_in_mind_which_files_were_tried(tasks: Tasks) -> None:
    tasks.claim(tasks.join(timedelta(seconds=-1)), 2)
    new = tasks.join()
    with tasks.catalog.transaction() as transaction:
        transaction.begin_listing(new)
    tasks.offer(new, "ab")  # c is gone
    claimed = tasks.claim(new, 9)
    assert [(task.path, task.tries) for task in claimed] == [("a.png", 2), ("b.png", 1)]
    assert SharedProgress.of(tasks.catalog.workers()).total == 2


def test_the_rate_is_that_of_the_processes_at_work() -> None:
    workers = [
        WorkerRecord("a", lives=True, listed=100, done=20, seconds=10.0),
        WorkerRecord("b", lives=True, listed=0, done=30, seconds=5.0),
        WorkerRecord("c", lives=False, listed=0, done=10, seconds=1.0),
    ]
    assert SharedProgress.of(workers) == SharedProgress(60, 100, 2, 8.0)


def test_a_file_that_ended_five_processes_becomes_a_failure(url: URL, tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "photos" / f"{number}.png", seed=number)
    with sigseek.open(address(url), model="mini") as library:
        library.index(tmp_path / "photos", join=True)
        record = library.known_checkpoint("mini")
        folder = library.status().folders[0]
        assert (folder.files, library.status().shared_run) == (3, None)
        save(tmp_path / "photos" / "3.png", seed=3)
        status = (tmp_path / "photos" / "3.png").stat()
        catalog = Catalog(PostgreSqlDialect(url))
        folder_id = catalog.folders()[0].id
        file = (folder_id, "3.png", status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        with catalog.transaction() as transaction:
            worker = transaction.add_worker("a worker", LONG)
            transaction.add_tasks(worker, record.id, [file])
        for _ in range(5):
            with catalog.transaction() as transaction:
                worker = transaction.add_worker("a worker", timedelta(seconds=-1))
                transaction.claim_tasks(worker, folder_id, record.id, 1)
            with catalog.transaction() as transaction:
                transaction.free_expired()
        catalog.close()
        # with a mount it lists no files
        photos = tmp_path / "photos"
        report = library.index(photos, join=True, mounts={str(photos): photos})
        assert (report.scanned, report.failed, report.added) == (1, 1, 0)
        (failure,) = library.failures()
        assert (failure.kind, failure.path) == (
            FailureKind.CRASH,
            str(tmp_path / "photos" / "3.png"),
        )
        assert failure.reason.startswith("5 processes ended while they indexed it")
        again = library.index(join=True)
        assert (again.scanned, again.unchanged, again.failed) == (4, 3, 1)


def test_a_file_that_another_process_found_elsewhere_is_not_missing(
    url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    for number in range(3):
        save(photos / f"{number}.png", seed=number)
    with (
        sigseek.open(address(url), model="mini") as library,
        sigseek.open(address(url), model="mini") as other,
        ThreadPoolExecutor(1) as pool,
    ):
        library.index(photos)
        (photos / "0.png").rename(photos / "moved.png")
        claim, lister = Worker.claim, threading.get_ident()

        def leave_all_to_others(self: Worker, *given: Any, **named: Any) -> list[TaskRecord]:
            return [] if threading.get_ident() == lister else claim(self, *given, **named)

        def help_when_listed() -> IndexReport:
            while not ask(url, "SELECT count(*) FROM task"):
                time.sleep(0.02)
            return other.index(photos, join=True, mounts={str(photos): photos})

        monkeypatch.setattr(Worker, "claim", leave_all_to_others)
        helped = pool.submit(help_when_listed)
        report = library.index(photos, join=True)
        assert helped.result().moved == 1
    assert (report.by_others, report.unchanged, report.missing) == (1, 2, 0)


def test_a_directory_is_not_indexed_together(run: Run, photos: Path) -> None:
    refused = run("index", photos, "--join", "--library", "library", check=False)
    assert refused.returncode == 1
    assert refused.stderr.endswith(
        "library is a directory, and processes index together only in a library in a PostgreSQL "
        "database; leave out --join, or name a database with --library\n"
    )
    with sigseek.open("library") as library, pytest.raises(LibraryError, match="add join"):
        library.index(photos, mounts={"/photos": photos})


def test_a_process_with_other_paths_says_when_nobody_lists(
    postgresql_server: Server, url: URL, photos: Path
) -> None:
    empty = postgresql_server.empty_database()
    for place in (url, empty):
        with (
            sigseek.open(address(place), model="mini") as library,
            pytest.raises(LibraryError, match="no process lists files for postgresql://"),
        ):
            library.index("/elsewhere", join=True, mounts={"/elsewhere": photos})
    postgresql_server.drop(empty)


def test_mounts_lead_from_the_nearest_directory() -> None:
    mounts = Mounts({"/srv": Path("/mnt/nas"), "/srv/photos/new": Path("/fast")})
    assert mounts.here("/srv/photos/a.jpg") == Path("/mnt/nas/photos/a.jpg")
    assert mounts.here("/srv/photos/new/a.jpg") == Path("/fast/a.jpg")
    assert mounts.here("/home/a.jpg") == Path("/home/a.jpg")
    assert (bool(mounts), bool(Mounts())) == (True, False)
