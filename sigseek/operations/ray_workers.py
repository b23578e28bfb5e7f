"""Workers that Ray places on the machines of a cluster, and starts again when they die.

Each worker is what `index` with `join` is on any machine:
it claims files in the library's database, and decodes and embeds them where it is. Ray carries the
paths of folders to the workers and their reports back, and no photos.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from sigseek.errors import SigseekError
from sigseek.indexer import IndexReport, check_folder
from sigseek.operations.database import LibraryDatabase
from sigseek.operations.joining import check_can_be_shared
from sigseek.operations.location import library_location
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.ray_cluster import RayCluster
from sigseek.paths import typed_path
from sigseek.progress import Listener, Silence, Stop
from sigseek.results import counted
from sigseek.storage import LibraryError

_PATIENCE = 30.0
"""Seconds after which it is told that Ray has not started any worker yet."""
_ENDING = 20.0
"""Seconds that workers get to store what they have embedded when the run is stopped."""


@dataclass(frozen=True)
class WorkerTask:
    """What each worker is told to do."""

    library: str
    """The address of the database, with its password if it has one."""
    folders: tuple[str, ...]
    model: str | None
    device: str
    precision: str
    mounts: tuple[tuple[str, str], ...]


class RayWorker:
    """A worker, which Ray runs in a process of its own. Ray calls each method in another thread."""

    def __init__(self, task: WorkerTask, cores: int) -> None:
        self._task = task
        self._count = cores
        self._stop = Stop()
        self._cores: FileLock | None = None

    def begin(self) -> None:
        """Return as soon as the worker's process runs."""

    def work(self) -> IndexReport | SigseekError:
        """Take in files until there are none left, and return the report or why it ended."""
        # the indexing needs this module
        from sigseek.operations.indexing import index_folders

        self._cores = _take_cores(self._count)
        task, listener = self._task, Silence()
        try:
            location = library_location(task.library, listener)
            library = OpenedLibrary(location, task.model, task.device, task.precision, listener)
            try:
                return index_folders(
                    library,
                    task.folders,
                    accept_missing=False,
                    accept_system_folder=True,
                    reread=False,
                    exclude=(),
                    include=(),
                    max_megapixels=None,
                    join=True,
                    lists=False,
                    mounts=dict(task.mounts),
                    listener=listener,
                    stop=self._stop,
                )
            finally:
                library.close()
        except SigseekError as error:
            return error

    def stop(self) -> None:
        """Have the work end soon, with everything stored that is embedded and all claims free."""
        self._stop.set()


@dataclass
class _StartedWorker:
    """A worker as the process sees it that started it: Ray's handle, and the calls under way."""

    handle: Any
    beginning: Any
    working: Any
    end: IndexReport | SigseekError | None = None


class RayWorkers:
    """The workers of a run, as the process sees them that lists the files; a context manager.

    They are started when there are files to take in. At the end they are stopped.
    """

    def __init__(self, cluster: RayCluster, task: WorkerTask, listener: Listener) -> None:
        self._cluster = cluster
        self._task = task
        self._listener = listener
        self._workers: list[_StartedWorker] = []
        self._started = 0.0
        self._stopped: float | None = None
        self._told_of_none = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._stop()
        finally:
            self._cluster.end([worker.handle for worker in self._workers])

    def tend(self) -> None:
        """Start the workers at the first call, and later see whether they are at work. Raises
        the error of one of them when all have ended.
        """
        if not self._workers:
            self._start()
            return
        self._note_ends()
        if all(worker.end for worker in self._workers):
            errors = [one.end for one in self._workers if isinstance(one.end, SigseekError)]
            raise errors[0] if errors else LibraryError("all workers have ended")
        if not self._told_of_none and time.monotonic() > self._started + _PATIENCE:
            self._told_of_none = True
            if not self._cluster.ready([worker.beginning for worker in self._workers]):
                self._listener.said(
                    f"Ray has started no worker yet: each needs {self._cluster.needs}, and the "
                    f"cluster has {self._cluster.free} free"
                )

    def report(self, listed: IndexReport) -> IndexReport:
        """Return the report of the process that listed, with what the workers have done in it.

        What became of the files of a worker that died is not known.
        """
        self._stop()
        for report in [worker.end for worker in self._workers]:
            if not isinstance(report, IndexReport):
                continue
            for count in ("added", "changed", "moved", "unchanged", "failed"):
                done = getattr(report, count)
                setattr(listed, count, getattr(listed, count) + done)
                listed.by_others = max(0, listed.by_others - done)
            listed.images_per_second += report.images_per_second
            if report.device is not None:
                listed.device, listed.runtime = report.device, report.runtime
                listed.precision, listed.batch = report.precision, report.batch
                listed.threads = report.threads
        listed.images_per_second = round(listed.images_per_second, 2)
        return listed

    def _start(self) -> None:
        self._started = time.monotonic()
        for handle in self._cluster.start(RayWorker, self._task, self._cluster.cores):
            beginning, working = handle.begin.remote(), handle.work.remote()
            self._workers.append(_StartedWorker(handle, beginning, working))
        self._listener.said(
            f"Ray: {counted(len(self._workers), 'worker')} with {self._cluster.needs} each"
        )

    def _note_ends(self) -> None:
        """Take the reports of workers that have ended."""
        working = {one.working: one for one in self._workers if one.end is None}
        for call in self._cluster.ready(list(working)):
            end = self._cluster.result(call)
            working[call].end = end
            if isinstance(end, SigseekError):
                self._listener.said(f"a worker has ended: {end}")

    def _stop(self) -> None:
        """Let all workers end what they are at and free what they have claimed."""
        if self._stopped is None:  # called again, it does not wait as long again
            self._stopped = time.monotonic()
        self._note_ends()
        begun = self._cluster.ready([worker.beginning for worker in self._workers])
        working = [one for one in self._workers if one.end is None and one.beginning in begun]
        # these calls end with their worker; Ray would repeat them for ever and say so
        stops = [one.handle.stop.options(max_task_retries=0).remote() for one in working]
        left = max(0.0, self._stopped + _ENDING - time.monotonic())
        self._cluster.ready([*stops, *(worker.working for worker in working)], left)
        self._note_ends()


def _take_cores(count: int) -> FileLock | None:
    """Run on `count` of this machine's processor cores that no other worker has, and return the
    lock that says so; None where all have been taken, or the system cannot do it.

    A worker uses all cores that it may, and Ray only counts them.
    """
    if sys.platform != "linux":
        return None
    cores = sorted(os.sched_getaffinity(0))
    for number in range(len(cores) // count):
        lock = FileLock(Path(tempfile.gettempdir(), f"sigseek-ray-{count}-{number}.lock"))
        try:
            lock.acquire(blocking=False)
        except (Timeout, OSError):
            continue
        os.sched_setaffinity(0, cores[number * count : (number + 1) * count])
        return lock
    return None


def index_on_ray(
    library: OpenedLibrary,
    folders: Sequence[str | os.PathLike[str]],
    cluster: tuple[str, int | None, int | None],
    mounts: Mapping[str, str | os.PathLike[str]],
    listener: Listener | None,
    index: Callable[..., IndexReport],
) -> IndexReport:
    """Index folders, or all known ones, as `Library.index` describes: `index` lists them in this
    process, and workers take in the files. `cluster` is the address of a Ray cluster, how many
    workers there are, and the cores of each; None stands for the usual.
    """
    check_can_be_shared(library.directory, "ray")
    assert isinstance(library.directory, LibraryDatabase)
    task = WorkerTask(
        library.directory.address,
        tuple(str(check_folder(typed_path(folder))) for folder in folders),
        library.model.name,
        library.model.device,
        library.model.precision,
        tuple((known, os.fspath(here)) for known, here in mounts.items()),
    )
    with (
        RayCluster(*cluster, use_gpus=library.model.device != "cpu") as connected,
        RayWorkers(connected, task, listener or library.listener) as crew,
    ):
        return crew.report(index(join=True, crew=crew))
