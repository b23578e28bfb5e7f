"""Files that several processes, on one machine or on many, take in together.

One process lists the files and adds them to the catalog's tasks. Every process claims a few of them
at a time, and removes them in the transaction that stores what became of them. So each file is
dealt with once, whatever ends when. A claim holds while its worker renews its lease; after that
others may take it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.indexer.comparison import Comparison
from sigseek.indexer.errors import FolderError
from sigseek.indexer.failures import crashed
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.listing import FoundFile
from sigseek.indexer.mounts import Mounts
from sigseek.indexer.presence import is_online
from sigseek.progress import Stop
from sigseek.storage import Catalog, CheckpointRecord, FileRecord, FolderRecord, LibraryError
from sigseek.storage.records.tasks import TaskRecord, WorkerRecord

if TYPE_CHECKING:
    from sigseek.storage.catalog.transaction import Transaction

_Result = TypeVar("_Result")

LEASE = timedelta(seconds=60)
"""How long the claims of a worker hold that gives no sign of life."""
_SIGNS = 6
"""Signs of life in the time of a lease."""
_MOST_TRIES = 5
"""Workers that may end while they have a file before it is given up."""
_SUSPECT = 2
"""After so many tries a file is taken in alone, so that no other file is blamed for it."""
_FIRST = 64
"""Files that are claimed first. A process hashes and decodes about as many before it has stored
anything, so fewer would leave no more to others.
"""
_FEWEST, _MOST = 16, 1_024
"""Files that are claimed at a time later on."""
_SHORT, _LONG = 0.5, 2.0
"""Seconds that a claim should last: a round trip costs little then, and at the end no worker waits
long for another.
"""
_FIRST_LOOK, _LAST_LOOK = 0.2, 3.0
"""Seconds between two looks for tasks while others have them all. They double with each look."""
_LOOK_AT_CREW = 0.5
"""Seconds between two looks at what a crew does."""


@dataclass(frozen=True)
class SharedProgress:
    """How far the workers are together."""

    done: int
    total: int
    """Files that were listed."""
    workers: int
    """Processes that are at work."""
    rate: float
    """Files per second, of those that are at work since each joined."""

    @classmethod
    def of(cls, workers: Sequence[WorkerRecord]) -> Self:
        """Return what the workers say together."""
        living = [worker for worker in workers if worker.lives]
        return cls(
            sum(worker.done for worker in workers),
            sum(worker.listed for worker in workers),
            len(living),
            round(sum(one.done / one.seconds for one in living if one.seconds > 0), 2),
        )


class Crew(Protocol):
    """Processes that take in all files which this process lists."""

    def tend(self) -> None:
        """See that the processes are at work. It is called again and again while there are files
        left. Raises SigseekError when none of them will go on.
        """
        ...


class Worker:
    """A process among those that take in files together, which is this one; a context manager.

    It gives signs of life from a thread of its own. When it leaves, however it leaves, others may
    take what it has claimed at once.
    """

    def __init__(
        self, catalog: Catalog, checkpoint: CheckpointRecord, ledger: Ledger, mounts: Mounts
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._mounts = mounts
        self._name = f"process {os.getpid()} on {socket.gethostname()}"
        self._progress = SharedProgress(0, 0, 0, 0.0)
        self._left = threading.Event()
        self._pulse = threading.Thread(target=self._live, name="sigseek-lease", daemon=True)

    def __enter__(self) -> Self:
        with self._catalog.transaction() as transaction:
            self.id = transaction.add_worker(self._name, LEASE)
        self._look()
        self._ledger.follow(lambda: (self._progress.done, self._progress.total))
        self._pulse.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        self._pulse.join()
        with suppress(LibraryError):  # without the database the claims end with the lease
            self._commit(lambda transaction: transaction.leave(self.id))

    def begin_listing(self) -> None:
        """Begin to list all files again, whatever a worker before has listed."""
        self._commit(lambda transaction: transaction.begin_listing(self.id))

    def offer(self, work: Sequence[tuple[FolderRecord, Comparison]]) -> None:
        """Let the files that have to be read be the tasks of all."""
        self._commit(
            lambda transaction: transaction.add_tasks(
                self.id,
                self._checkpoint.id,
                ((folder.id, *file.found) for folder, found in work for file in found.changed),
            )
        )
        self._look()

    def stints(
        self, stop: Stop, is_going_on: Callable[[], bool]
    ) -> Iterator[tuple[FolderRecord, ClaimedWork]]:
        """Yield work as long as any file is a task, whoever has claimed it, and after that as long
        as `is_going_on` returns True. Whoever is given work is done with it before it asks for
        more.

        The folders are given with their paths on this machine. Those that are not here are left to
        others. Raises FolderError when none is here.
        """
        here: dict[int, FolderRecord] = {}
        pause = _FIRST_LOOK
        while not stop.is_set():
            pending = self._catalog.folders_with_tasks(self._checkpoint.id)
            if pending - here.keys():
                here = self._folders_here()
            if pending and not pending & here.keys():
                raise self._nothing_here(pending)
            if not pending and not is_going_on():
                return
            worked = False
            for id_ in sorted(pending & here.keys()):
                for alone in (False, True):
                    work = ClaimedWork(self, here[id_], alone=alone)
                    if not stop.is_set() and work.claim():
                        worked = True
                        pause = _FIRST_LOOK
                        yield here[id_], work
            if not worked:
                self._commit(lambda transaction: transaction.free_expired())
                self._look()
                self._ledger.wait_for_others()
                stop.wait(pause)
                pause = min(2 * pause, _LAST_LOOK)

    def wait_for(self, crew: Crew, stop: Stop) -> None:
        """Wait until the crew has taken in all files that are tasks."""
        while not stop.is_set() and self._catalog.folders_with_tasks(self._checkpoint.id):
            crew.tend()
            self._commit(lambda transaction: transaction.free_expired())
            self._look()
            self._ledger.wait_for_others()
            stop.wait(_LOOK_AT_CREW)
        self._look()
        self._ledger.wait_for_others()

    def claim(self, folder: FolderRecord, count: int, *, alone: bool) -> list[TaskRecord]:
        """Claim tasks: one that has been tried several times if `alone`, or else others.

        A worker that others took for dead, because its machine was suspended, joins them again.
        """

        def claim(transaction: Transaction) -> tuple[int, list[TaskRecord]]:
            is_known = transaction.renew_lease(self.id, LEASE)
            worker = self.id if is_known else transaction.add_worker(self._name, LEASE)
            return worker, transaction.claim_tasks(
                worker,
                folder.id,
                self._checkpoint.id,
                1 if alone else count,
                least_tries=_SUSPECT if alone else 0,
                most_tries=None if alone else _SUSPECT - 1,
            )

        worker, tasks = self._commit(claim)
        if worker != self.id:
            self.id = worker
            self._ledger.said(
                f"this process gave no sign of life for {LEASE.total_seconds():.0f} seconds, so "
                "other processes have taken over its files; it goes on with others"
            )
        return tasks

    def known(self, folder: FolderRecord, tasks: Sequence[TaskRecord]) -> dict[str, FileRecord]:
        """Return what the catalog knows of the files of these tasks, by path."""
        paths = [task.path for task in tasks if task.is_known]
        return self._catalog.files_at(folder.id, self._checkpoint.id, paths) if paths else {}

    def settle(
        self,
        ids: Mapping[str, int],
        write: Callable[[Transaction, Collection[str]], _Result],
    ) -> _Result:
        """Remove the tasks with these ids, by path, and have `write` write what became of those
        that are still this worker's, in one transaction.
        """

        def finish(transaction: Transaction) -> tuple[int, _Result]:
            finished = transaction.finish_tasks(self.id, list(ids.values()))
            ours = {path for path, id_ in ids.items() if id_ in finished}
            return len(ours), write(transaction, ours)

        done, result = self._commit(finish)
        # what the others have done is looked up now and then
        self._progress = replace(self._progress, done=self._progress.done + done)
        return result

    def give_up(self, folder: FolderRecord, task: TaskRecord) -> None:
        """Note that the file has ended too many workers."""
        file = FoundFile(task.path, task.size, task.mtime_ns, task.ctime_ns)
        failure = crashed(file, task.tries - 1)

        def write(transaction: Transaction, paths: Collection[str]) -> bool:
            if paths:
                transaction.put_failure(folder.id, failure)
            return bool(paths)

        if self.settle({task.path: task.id}, write):
            self._ledger.enter_failure(f"{folder.path}{os.sep}{task.path}", failure.reason)

    def _folders_here(self) -> dict[int, FolderRecord]:
        """Return the folders that this machine has, with their paths here, by id."""
        folders = {
            folder.id: replace(folder, path=str(self._mounts.here(folder.path)))
            for folder in self._catalog.folders()
        }
        return {id_: one for id_, one in folders.items() if is_online(Path(one.path))}

    def _nothing_here(self, folder_ids: Collection[int]) -> FolderError:
        known = [one.path for one in self._catalog.folders() if one.id in folder_ids]
        path = known[0] if known else "the folder"
        return FolderError(
            f"{path} is not on this machine",
            Remedy("say where it is: {}", (Option("mounts", f"{path}=HERE"),)),
            ErrorKind.UNAVAILABLE,
        )

    def _commit(self, change: Callable[[Transaction], _Result]) -> _Result:
        return self._catalog.commit(change, by_index=True)

    def _live(self) -> None:
        """Give signs of life until this worker leaves, and see how far all are."""
        while not self._left.wait(LEASE.total_seconds() / _SIGNS):
            with suppress(LibraryError):  # the thread that works will tell of it
                self._commit(lambda transaction: transaction.renew_lease(self.id, LEASE))
                self._commit(lambda transaction: transaction.free_expired())
                self._look()

    def _look(self) -> None:
        self._progress = SharedProgress.of(self._catalog.workers())


class ClaimedWork:
    """Files of one folder that this worker claims, a few at a time. It ends when there are none to
    claim.

    With `alone` it is a single file that has been tried several times.
    """

    def __init__(self, worker: Worker, folder: FolderRecord, *, alone: bool) -> None:
        self._worker = worker
        self._folder = folder
        self._alone = alone
        self._count = _FIRST
        self._claimed: list[TaskRecord] = []
        self._ids: dict[str, int] = {}
        """The ids of the tasks that are under way, by path."""
        self._known: dict[str, FileRecord] = {}

    def claim(self) -> bool:
        """Claim files, and return whether there were any."""
        tasks = self._worker.claim(self._folder, self._count, alone=self._alone)
        self._ids |= {task.path: task.id for task in tasks}
        self._known |= self._worker.known(self._folder, tasks)
        self._claimed = tasks
        return bool(tasks)

    def files(self) -> Iterator[FoundFile]:
        """Yield the files that were claimed, and claim more, as many as this worker is fast."""
        while self._claimed:
            began = time.monotonic()
            for task in self._claimed:
                if task.tries > _MOST_TRIES:
                    self._worker.give_up(self._folder, task)
                else:
                    yield FoundFile(task.path, task.size, task.mtime_ns, task.ctime_ns)
            took = time.monotonic() - began
            if took < _SHORT:
                self._count = min(_MOST, self._count * 2)
            elif took > _LONG:
                self._count = max(_FEWEST, self._count // 2)
            if self._alone or not self.claim():
                return

    def before(self, path: str) -> FileRecord | None:
        """Return what the catalog knew of the file when it was claimed."""
        return self._known.get(path)

    def settle(
        self, paths: Collection[str], write: Callable[[Transaction, Collection[str]], _Result]
    ) -> _Result:
        """Write what became of those of the files that are still claimed by this worker."""
        # a claim that was lost and won again has put one file under way twice
        ids = {path: self._ids[path] for path in paths if path in self._ids}
        result = self._worker.settle(ids, write)
        for path in ids:
            del self._ids[path]
            self._known.pop(path, None)
        return result
