"""The processor time that it takes to share files with other processes.

    python -m benchmarks.claims [--files 3200] [--rounds 4]

One process stores photos that are made up, in batches as the image tower gives them, in a library
in a PostgreSQL database. It takes turns: in one run the files are its own, in the next one it lists
them for all and claims them. No file is read and nothing is embedded, so the difference between
both is what claiming costs. The time is that of the processors, of this process and of the server,
which tells the same on a busy machine as on a quiet one.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from sqlalchemy import URL

from benchmarks.made_up import add_checkpoint, batches
from benchmarks.workers import Cluster, running_cluster
from sigseek.indexer.comparison import ChangedFile, Comparison
from sigseek.indexer.folder_changes import FolderChanges
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.listing import FoundFile
from sigseek.indexer.mounts import Mounts
from sigseek.indexer.shared_work import Worker
from sigseek.indexer.work import ListedWork, Work
from sigseek.progress import Silence, Stop
from sigseek.storage import (
    Catalog,
    CheckpointRecord,
    FolderRecord,
)
from sigseek.storage.catalog.postgresql import PostgreSqlDialect

_BATCH = 16
"""Photos that are stored together: as many as the image tower takes at a time on a CPU."""


def main() -> None:
    """Take turns and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=3_200)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    took: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as made, running_cluster() as cluster:
        folder = Path(made).resolve()
        (folder / "0.png").touch()
        for number in range(2 * args.rounds):
            claims = number % 4 in (1, 2)  # each of them comes first as often as the other
            url = cluster.new(f"claims{number}")
            took[claims].append(_run(cluster, url, folder, args.files, claims=claims))
    print(
        f"{'':<8} {'program':>8} {'server':>8} {'both':>8}   us of processor time a file, medians"
    )
    for claims, runs in took.items():
        program, server = (
            1e6 / args.files * statistics.median(part) for part in zip(*runs, strict=True)
        )
        name = "claimed" if claims else "listed"
        print(f"{name:<8} {program:>8.0f} {server:>8.0f} {program + server:>8.0f}")


def _run(
    cluster: Cluster, url: URL, place: Path, count: int, *, claims: bool
) -> tuple[float, float]:
    """Store so many photos in an empty database, and return the seconds of processor time that
    this process and the server took.
    """
    catalog = Catalog(PostgreSqlDialect(url))
    with catalog.transaction() as transaction:
        checkpoint = add_checkpoint(transaction)
        folder, _ = transaction.add_folder(place)
    found = Comparison(scanned=count, unreadable={})
    for number in range(count):
        file = FoundFile(f"{number:09}.png", 1, number, number)
        found.changed.append(ChangedFile(file, before=None))
    ledger = Ledger("made up", Silence())
    program, server = time.process_time(), _busy(cluster)
    if claims:
        with Worker(catalog, checkpoint, ledger, Mounts()) as worker:
            worker.begin_listing()
            worker.offer([(folder, found)])
            for there, work in worker.stints(Stop(), lambda: False):
                _store(catalog, checkpoint, ledger, there, work)
    else:
        _store(catalog, checkpoint, ledger, folder, ListedWork(catalog, found))
    took = time.process_time() - program, _busy(cluster) - server
    (stored,) = catalog.checkpoints()
    assert stored.embeddings == count
    catalog.close()
    return took


def _store(
    catalog: Catalog, checkpoint: CheckpointRecord, ledger: Ledger, folder: FolderRecord, work: Work
) -> None:
    changes = FolderChanges(catalog, checkpoint, ledger, folder, work, Mounts())
    for batch in batches(work, _BATCH):
        changes.store(batch)


def _busy(cluster: Cluster) -> float:
    """Return the seconds of processor time of the server and of its processes."""
    server = psutil.Process(cluster.process.pid)
    times = [one.cpu_times() for one in (server, *server.children(recursive=True))]
    ended = times[0].children_user + times[0].children_system
    return float(sum(one.user + one.system for one in times) + ended)


if __name__ == "__main__":
    main()
