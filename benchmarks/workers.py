"""Kills processes that index together, and measures what it costs to share files.

    python -m benchmarks.workers kills --files 20000 --kills 200 --server-kills 20
    python -m benchmarks.workers commits
    python -m benchmarks.workers claiming
    python -m benchmarks.workers two

`kills` has four processes index drawings with mini into a PostgreSQL database. One process after
another is killed (SIGKILL) at random instants and started again, and so is the server. One drawing
kills each process that reads it. At the end the library must equal that of one process which nobody
killed, but for that drawing.

`commits` counts the files a second that four processes store when reading and embedding cost
nothing. `claiming` compares one process that claims its files with one that does not, with mini.
`two` compares two processes with one, when a tower that sleeps takes most of the time.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from PIL import Image
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from benchmarks.crashes import contents, difference
from sigseek.library import open_library
from sigseek.operations.model import ModelInUse
from sigseek.storage import Catalog, CheckpointRecord
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from tests.postgresql import make_cluster, programs, start_server

_POISON = "poison.png"
_PROCESSES = 4
_FAR_FUTURE = timedelta(hours=10)

_FILES = """
    SELECT folder.path AS root, file.path, missing_since IS NULL AS present, size, mtime_ns,
        upper(encode(photo.digest, 'hex')) AS picture, upper(encode(file.digest, 'hex')) AS digest,
        vector, value
    FROM file
    JOIN folder ON folder.id = folder_id
    JOIN photo ON photo.id = file.photo_id
    LEFT JOIN embedding ON embedding.photo_id = photo.id
    LEFT JOIN bias ON bias.photo_id = photo.id
"""
_FAILURES = (
    "SELECT folder.path AS root, failure.path, reason FROM failure "
    "JOIN folder ON folder.id = folder_id"
)


def contents_of_database(url: URL) -> dict[str, object]:
    """Return what `benchmarks.crashes.contents` does, of a library in a PostgreSQL database."""
    found: dict[str, object] = {}
    engine = create_engine(url)
    with engine.connect() as connection:
        for (path,) in connection.execute(text("SELECT path FROM folder")):
            found[f"folder {os.fsdecode(path)}"] = True
        for row in connection.execute(text(_FILES)):
            path = f"{os.fsdecode(row.root)}/{os.fsdecode(row.path)}"
            facts = (int(row.present), row.size, row.mtime_ns, row.picture, row.digest)
            found[f"file {path}"] = (*facts, row.value is None)
            found[f"embedding {path}"] = (
                None if row.vector is None else np.frombuffer(row.vector, "<f2").astype(np.float32)
            )
        for row in connection.execute(text(_FAILURES)):
            found[f"failure {os.fsdecode(row.root)}/{os.fsdecode(row.path)}"] = row.reason
        for name, digest in connection.execute(
            text(
                "SELECT name, upper(encode(digest, 'hex')) FROM tag "
                "JOIN photo ON photo.id = photo_id"
            )
        ):
            found[f"tag {name} {digest}"] = True
        for table in ("photo", "embedding"):
            found[f"count {table}"] = connection.execute(
                text(f"SELECT count(*) FROM {table}")
            ).scalar()
    engine.dispose()
    return found


def main() -> None:
    """Run one of the parts. The exit status is 1 if a library was not what it should be."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=["kills", "commits", "claiming", "two", *_INNER])
    parser.add_argument("place", nargs="*", help="for the processes that it starts itself")
    parser.add_argument("--files", type=int, help="drawings, or made-up files for `commits`")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--server-kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.part in _INNER:
        _INNER[args.part](*args.place)
        return
    with (
        tempfile.TemporaryDirectory(prefix="sigseek-workers-") as made,
        running_cluster() as cluster,
    ):
        work = Path(made).resolve()
        if args.part == "kills":
            sys.exit(_kills(cluster, work, args))
        elif args.part == "commits":
            _commits(cluster, work, args.files or 20_000)
        elif args.part == "claiming":
            _claiming(cluster, work, args.files or 1_000)
        else:
            _two(cluster, work, args.files or 4_000)


class Cluster:
    """A PostgreSQL server that can be killed and started again."""

    def __init__(self, home: Path, directory: Path) -> None:
        self._home = home
        self._directory = directory
        self.process = start_server(home, directory)
        """The server."""

    def new(self, name: str) -> URL:
        """Make an empty database."""
        self._ask("postgres", f"CREATE DATABASE {name}")
        return self._url(name)

    def ask(self, url: URL, query: str) -> Any:
        """Return the only value of the query; None while the server does not answer."""
        try:
            return self._ask(str(url.database), query)
        except DBAPIError:
            return None

    def kill(self) -> None:
        """Kill the server and start it again."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for _ in range(100):  # its processes hold its memory for a moment
            time.sleep(0.1)
            try:
                self.process = start_server(self._home, self._directory)
                return
            except RuntimeError:
                continue
        raise RuntimeError("the server does not start again")

    def stop(self) -> None:
        """End the server."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def _ask(self, database: str, query: str) -> Any:
        engine = create_engine(
            self._url(database), isolation_level="AUTOCOMMIT", poolclass=NullPool
        )
        with engine.connect() as connection:
            found = connection.execute(text(query))
            return found.scalar() if found.returns_rows else None

    def _url(self, database: str) -> URL:
        return URL.create(
            "postgresql+psycopg",
            username="sigseek",
            database=database,
            query={"host": str(self._home)},
        )


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run a server until the `with` statement ends."""
    directory = programs()
    if directory is None:
        sys.exit("PostgreSQL's server is not installed")
    home = Path(tempfile.mkdtemp(prefix="sigseek-pg-"))
    try:
        make_cluster(home, directory)
        cluster = Cluster(home, directory)
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _address(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _draw(folder: Path, count: int) -> Path:
    """Draw so many small pictures. A tenth of them are copies."""
    for number in range(count):
        path = folder / f"{number // 500:03}" / f"{number:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number - number % 10 if number % 10 == 9 else number)
        rough = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8))
        rough.resize((64, 48), Image.Resampling.BICUBIC).save(path)
    return folder


def _kills(cluster: Cluster, work: Path, args: argparse.Namespace) -> int:
    photos, rng = _draw(work / "photos", args.files or 20_000), random.Random(args.seed)
    (photos / "bad.jpg").write_bytes(b"no picture")
    with open_library(work / "plain", model="mini") as library:
        library.index(photos)
    expected = contents(work / "plain")
    shutil.copyfile(photos / "000" / "000000.png", photos / _POISON)
    url = cluster.new("killed")
    began, kills, server_kills, by_poison, starts = time.monotonic(), 0, 0, 0, 0
    running: list[subprocess.Popen[bytes]] = []
    while not any(process.poll() == 0 for process in running):
        by_poison += sum(process.poll() == -signal.SIGKILL for process in running)
        running = [process for process in running if process.poll() is None]
        while len(running) < _PROCESSES:
            running.append(_start("killable", _address(url), str(photos)))
            starts += 1
        time.sleep(rng.random() * 2)
        if not cluster.ask(url, "SELECT count(*) > 0 FROM task WHERE worker_id IS NOT NULL"):
            continue
        if server_kills < args.server_kills and rng.random() < 0.1:
            cluster.kill()
            server_kills += 1
        elif kills < args.kills:
            victim = running.pop(rng.randrange(len(running)))
            victim.kill()
            kills += victim.wait() == -signal.SIGKILL
    for process in running:
        process.wait(120)
    found = contents_of_database(url)
    poisoned = found.pop(f"failure {photos / _POISON}", None)
    wrong = difference(expected, found)
    left = cluster.ask(url, "SELECT count(*) FROM task")
    stored = sum(key.startswith("file ") for key in found)
    print(
        f"{stored:,} files, {starts} processes: {kills} killed, {by_poison} ended by "
        f"the poison, the server killed {server_kills} times, {time.monotonic() - began:.0f} s\n"
        f"the poison: {poisoned}\ntasks left: {left}\ndifferences: {wrong or 'none'}"
    )
    return 1 if wrong or left or not poisoned else 0


def _start(part: str, *place: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "benchmarks.workers", part, *place]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _killable(address: str, folder: str) -> None:
    """Index together with others, with a short lease, and die at the poison."""
    from sigseek.indexer import ingest, shared_work
    from sigseek.indexer.decoding.digest import digest_file

    shared_work.LEASE = timedelta(seconds=3)

    def digest_or_die(path: Path, *given: Any) -> Any:
        if path.name == _POISON:
            os.kill(os.getpid(), signal.SIGKILL)
        return digest_file(path, *given)

    with (
        patch.object(ingest, "digest_file", digest_or_die),
        open_library(address, model="mini") as library,
    ):
        library.index(folder, join=True)


def _with_tasks(cluster: Cluster, work: Path, name: str, count: int) -> tuple[URL, float]:
    """Make a database with so many made-up tasks, and return the seconds that adding them took."""
    from benchmarks.made_up import add_checkpoint

    url = cluster.new(name)
    (work / "made up").mkdir(exist_ok=True)
    (work / "made up" / "0.png").touch()
    catalog = Catalog(PostgreSqlDialect(url))
    with catalog.transaction(by_index=True) as transaction:
        checkpoint = add_checkpoint(transaction)
        folder, _ = transaction.add_folder(work / "made up")
        worker = transaction.add_worker("the benchmark", _FAR_FUTURE)
        began = time.monotonic()
        files = ((folder.id, f"{number:09}.png", 1, number, number) for number in range(count))
        transaction.add_tasks(worker, checkpoint.id, files)
        took = time.monotonic() - began
    catalog.close()
    return url, took


def _commits(cluster: Cluster, work: Path, count: int) -> None:
    url, took = _with_tasks(cluster, work, "commits", count)
    print(f"{count:,} tasks listed: {count / took:,.0f} a second", flush=True)
    processes = [_start("committing", _address(url)) for _ in range(_PROCESSES)]
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    # one connection and few questions, which take processor time from what is measured
    with engine.connect() as connection:

        def ask(query: str) -> Any:
            return connection.execute(text(query)).scalar()

        while not ask(f"SELECT count(*) > {_PROCESSES} FROM worker"):
            time.sleep(0.01)
        began, first = time.monotonic(), ask("SELECT count(*) FROM task")
        while ask("SELECT EXISTS (SELECT FROM task)"):
            time.sleep(0.05)
        took = time.monotonic() - began
    engine.dispose()
    for process in processes:
        process.wait()
    stored = cluster.ask(url, "SELECT count(*) FROM file JOIN embedding USING (photo_id)")
    print(f"{first:,} files stored by {_PROCESSES} processes: {first / took:,.0f} a second")
    print(f"{stored:,} files with embeddings of {count:,}")


def _committing(address: str) -> None:
    """Claim files and store what a tower might have made of them."""
    from benchmarks.made_up import batches
    from sigseek.indexer.folder_changes import FolderChanges
    from sigseek.indexer.ledger import Ledger
    from sigseek.indexer.mounts import Mounts
    from sigseek.indexer.shared_work import Worker
    from sigseek.operations.database import LibraryDatabase
    from sigseek.progress import Silence, Stop

    catalog = LibraryDatabase(address).catalog()
    (checkpoint,) = catalog.checkpoints()
    ledger = Ledger("made up", Silence())
    with Worker(catalog, checkpoint, ledger, Mounts()) as worker:
        for folder, claimed in worker.stints(Stop(), lambda: False):
            changes = FolderChanges(catalog, checkpoint, ledger, folder, claimed, Mounts())
            for batch in batches(claimed, 256):
                changes.store(batch)
    catalog.close()


def _claiming(cluster: Cluster, work: Path, count: int) -> None:
    photos = _draw(work / "photos", count)
    rates: dict[bool, list[float]] = {False: [], True: []}
    for number in range(6):
        join = number % 2 == 1
        url = cluster.new(f"claiming{number}")
        with open_library(_address(url), model="mini") as library:
            library.index(photos, join=join)  # the model is loaded, and this is not timed
            library.index(photos, join=join, reread=True)
            library.forget(photos)
            report = library.index(photos, join=join)
        rates[join].append(report.images_per_second)
        print(f"{'claimed' if join else 'listed'}: {report.images_per_second:.1f} photos/s")
    alone, claimed = (float(np.median(rates[join])) for join in (False, True))
    print(f"claiming costs {100 * (1 - claimed / alone):.1f} % of {alone:.1f} photos/s")


class _SleepingTower:
    """A tower that takes the time of a slow device and none of the processor's."""

    precision, device, runtime, batch = "fp32", "cpu", "torch", 16

    def __init__(self, checkpoint_dimension: int, begin: Path) -> None:
        self._dimension = checkpoint_dimension
        self._begin = begin

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        while not self._begin.exists():
            time.sleep(0.01)
        time.sleep(0.025 * len(pixels))
        return np.full((len(pixels), self._dimension), self._dimension**-0.5, np.float32)


def _sleeping(address: str, folder: str, begin: str) -> None:
    """Index together with others with a tower that sleeps."""

    def images(model: ModelInUse, *given: Any, **named: Any) -> _SleepingTower:
        record: CheckpointRecord | None = model.record()
        assert record is not None
        return _SleepingTower(record.dimension, Path(begin))

    with (
        patch.object(ModelInUse, "images", images),
        open_library(address, model="mini") as library,
    ):
        library.index(folder, join=True)


def _two(cluster: Cluster, work: Path, count: int) -> None:
    photos = _draw(work / "photos", count)
    rates = []
    for processes in (1, 2):
        url, begin = cluster.new(f"two{processes}"), work / f"begin{processes}"
        started = [
            _start("sleeping", _address(url), str(photos), str(begin)) for _ in range(processes)
        ]
        holding = "SELECT count(DISTINCT worker_id) FROM task WHERE worker_id IS NOT NULL"
        while (cluster.ask(url, holding) or 0) < processes:
            time.sleep(0.05)
        time.sleep(5)  # until both have a batch
        begin.touch()
        began = time.monotonic()
        while cluster.ask(url, "SELECT count(*) FROM task"):
            time.sleep(0.05)
        rates.append(count / (time.monotonic() - began))
        for process in started:
            process.wait()
        print(f"{processes} at work: {rates[-1]:.2f} photos/s", flush=True)
    print(f"two are {rates[1] / rates[0]:.2f} times as fast as one")


_INNER: dict[str, Callable[..., None]] = {
    "killable": _killable,
    "committing": _committing,
    "sleeping": _sleeping,
}
"""What the processes do that this program starts."""


if __name__ == "__main__":
    main()
