"""Changes of tasks, the files that several processes take in together, and of these workers.

All times are of the database's clock: the clocks of the workers' machines may be wrong. Only
PostgreSQL keeps two workers apart, so the statements are in its SQL.

Every transaction that changes a worker's row and its tasks locks the worker's row first, so that no
two wait for each other.

The statements that a worker executes all the time are made once for the process. SQLAlchemy takes
several times as long to make one as to execute it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Executable,
    Integer,
    Interval,
    String,
    any_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.dialect import PLANNED_ANEW
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import FILE, TASK, WORKER
from sigseek.storage.records.tasks import TaskRecord

_AT_ONCE = 10_000
"""Tasks that one statement adds."""
_MOST_TRIES = 2**31 - 1
"""More tries than any task has."""
_NEW = ("folder_id", "checkpoint_id", "path", "size", "mtime_ns", "ctime_ns")
"""The columns of a task that tell of its file."""


class TaskWriter(Writer):
    """Changes of tasks and workers."""

    def add_worker(self, name: str, lease: timedelta) -> int:
        """Add a worker, whose claims hold for so long unless `renew_lease` is called, and return
        its id.
        """
        values = {"name": name, "joined_at": func.now(), "lease_until": _end(lease)}
        return self._connection.execute(
            insert(WORKER).values(values).returning(WORKER.c.id)
        ).scalar_one()

    def renew_lease(self, worker_id: int, lease: timedelta) -> bool:
        """Let the worker's claims hold for so long from now on. Return False where there is no such
        worker any more: others took it for dead, and one of them has listed again.
        """
        renewed = self._connection.execute(_renewal(), {"worker": worker_id, "lease": lease})
        return renewed.rowcount > 0

    def leave(self, worker_id: int) -> None:
        """Free the worker's claims at once. They do not count as tries."""
        self._connection.execute(
            update(WORKER).where(WORKER.c.id == worker_id).values(lease_until=None)
        )
        self._connection.execute(
            update(TASK)
            .where(TASK.c.worker_id == worker_id)
            .values(worker_id=None, tries=TASK.c.tries - 1)
        )

    def free_expired(self) -> int:
        """Free the claims of workers whose lease has run out, and return how many workers these
        are.
        """
        query = select(WORKER.c.id).where(WORKER.c.lease_until < func.now())
        ids = self._connection.scalars(
            query.with_for_update(key_share=True, skip_locked=True)
        ).all()
        if ids:
            self._connection.execute(
                update(WORKER).where(WORKER.c.id.in_(ids)).values(lease_until=None)
            )
            self._connection.execute(
                update(TASK).where(TASK.c.worker_id.in_(ids)).values(worker_id=None)
            )
        return len(ids)

    def begin_listing(self, worker_id: int) -> None:
        """Remove tasks that an earlier listing has left behind, and workers that have left. The
        caller, this worker, lists all files again.

        Tasks that are claimed stay, and so do those that were tried before: a file that ends every
        worker would otherwise be tried for ever.
        """
        self.free_expired()
        untried = TASK.c.worker_id.is_(None) & (TASK.c.tries == 0)
        self._connection.execute(delete(TASK).where(untried))
        left = WORKER.c.lease_until.is_(None) & (WORKER.c.id != worker_id)
        self._connection.execute(delete(WORKER).where(left))

    def add_tasks(
        self,
        worker_id: int,
        checkpoint_id: int,
        files: Iterable[tuple[int, str, int, int, int | None]],
    ) -> None:
        """Let these files be the tasks of all, in this order. Each is the id of its folder, its
        path, its size, and its mtime and ctime in ns.

        Tasks that exist stay as they are, but are removed if they are not among the files and
        nobody has claimed them.
        """
        query = select(TASK.c.folder_id, TASK.c.path, TASK.c.id, TASK.c.worker_id)
        there = {
            (row.folder_id, row.path): (row.id, row.worker_id)
            for row in self._connection.execute(query.where(TASK.c.checkpoint_id == checkpoint_id))
        }
        still: set[int] = set()
        rows = _new_tasks(checkpoint_id, files, there, still)
        while some := list(islice(rows, _AT_ONCE)):
            columns = dict(zip(_NEW, map(list, zip(*some, strict=True)), strict=True))
            self._connection.execute(_addition(), columns)
        free = [id_ for id_, owner in there.values() if owner is None and id_ not in still]
        for chunk in statement_chunks(free):
            # somebody may have claimed it since
            unclaimed = TASK.c.id.in_(chunk) & TASK.c.worker_id.is_(None)
            self._connection.execute(delete(TASK).where(unclaimed))
        self._count_listed(worker_id)

    def claim_tasks(
        self,
        worker_id: int,
        folder_id: int,
        checkpoint_id: int,
        count: int,
        *,
        least_tries: int = 0,
        most_tries: int | None = None,
    ) -> list[TaskRecord]:
        """Claim up to `count` tasks of the folder for the worker, and return them in the order in
        which they were added. Only those are claimed that were tried so many times.

        Nobody waits for another worker that claims at the same time.
        """
        values = {
            "worker": worker_id,
            "folder": folder_id,
            "checkpoint": checkpoint_id,
            "count": count,
            "least": least_tries,
            "most": _MOST_TRIES if most_tries is None else most_tries,
        }
        claimed = self._connection.execute(_claim(), values, execution_options={PLANNED_ANEW: True})
        return sorted(map(TaskRecord._make, claimed))

    def finish_tasks(self, worker_id: int, ids: Sequence[int]) -> set[int]:
        """Remove those of the tasks that are still claimed by the worker, and return their ids.

        What became of the others is another worker's to tell, or was told before.
        """
        values = {"worker": worker_id, "ids": self._dialect.ids(ids)}
        return set(self._connection.scalars(_completion(), values))

    def _count_listed(self, worker_id: int) -> None:
        """Have the workers' rows tell as many files as are done or still tasks."""
        count: Any = select(func.count()).select_from(TASK).scalar_subquery()
        done: Any = select(func.coalesce(func.sum(WORKER.c.done), 0)).scalar_subquery()
        others: Any = (
            select(func.coalesce(func.sum(WORKER.c.listed), 0))
            .where(WORKER.c.id != worker_id)
            .scalar_subquery()
        )
        listed = self._connection.execute(select(count + done - others)).scalar_one()
        self._connection.execute(
            update(WORKER).where(WORKER.c.id == worker_id).values(listed=int(listed))
        )


def _end(lease: timedelta) -> ColumnElement[Any]:
    return func.now() + literal(lease, Interval)


@cache
def _renewal() -> Executable:
    """Return the statement that puts off the end of a worker's lease."""
    lease = bindparam("lease", type_=Interval)
    mine = WORKER.c.id == bindparam("worker", type_=BigInteger)
    return update(WORKER).where(mine).values(lease_until=func.now() + lease)


@cache
def _addition() -> Executable:
    """Return the statement that adds tasks. Each column is one array, since the server would plan
    the statement of each row anew.
    """
    columns = [TASK.c[name] for name in _NEW]
    arrays = (bindparam(column.name, type_=ARRAY(column.type)) for column in columns)
    return insert(TASK).from_select(_NEW, select(*map(func.unnest, arrays)))


@cache
def _claim() -> Executable:
    """Return the statement that claims tasks and returns the columns of TaskRecord."""
    free = (
        select(TASK.c.id)
        .where(
            TASK.c.folder_id == bindparam("folder"),
            TASK.c.checkpoint_id == bindparam("checkpoint"),
            TASK.c.worker_id.is_(None),
            TASK.c.tries.between(bindparam("least"), bindparam("most")),
        )
        # as the index has them; by the id alone the server would sort all free tasks
        .order_by(TASK.c.worker_id, TASK.c.id)
        .limit(bindparam("count", type_=Integer))
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    same_path = func.sha256(FILE.c.path) == func.sha256(TASK.c.path)
    is_known = exists().where(FILE.c.folder_id == TASK.c.folder_id, same_path)
    return (
        update(TASK)
        .where(TASK.c.id == free.c.id)
        .values(worker_id=bindparam("worker"), tries=TASK.c.tries + 1)
        .returning(*(TASK.c[name] for name in TaskRecord._fields[:-1]), is_known)
    )


@cache
def _completion() -> Executable:
    """Return the statement that removes tasks, counts them as done and returns their ids.

    A task is removed only after the worker's row was locked, since the row is joined to it.
    """
    is_mine = WORKER.c.id == bindparam("worker", type_=BigInteger)
    mine = select(WORKER.c.id).where(is_mine).with_for_update(key_share=True).cte("mine")
    among = TASK.c.id == any_(cast(bindparam("ids", type_=String), ARRAY(BigInteger)))
    # an equality would have the server go through all tasks of the worker
    is_claimed = TASK.c.worker_id.is_not_distinct_from(mine.c.id)
    finished = delete(TASK).where(is_claimed, among).returning(TASK.c.id).cte("finished")
    number = select(func.count()).select_from(finished).scalar_subquery()
    counted = update(WORKER).where(is_mine).values(done=WORKER.c.done + number).cte("counted")
    return select(finished.c.id).add_cte(counted)


def _new_tasks(
    checkpoint_id: int,
    files: Iterable[tuple[int, str, int, int, int | None]],
    there: Mapping[tuple[int, str], tuple[int, int | None]],
    still: set[int],
) -> Iterator[tuple[int, int, str, int, int, int | None]]:
    """Yield the values of `_NEW` for those files that are not tasks yet. The ids of the others go
    into `still`.
    """
    for folder_id, path, size, mtime_ns, ctime_ns in files:
        known = there.get((folder_id, path))
        if known:
            still.add(known[0])
        else:
            yield folder_id, checkpoint_id, path, size, mtime_ns, ctime_ns
