"""Questions about tasks, the files that several processes take in together, and these workers."""

from collections.abc import Collection
from datetime import UTC

from sqlalchemy import exists, func, select

from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import EMBEDDING, FILE, FOLDER, TASK, WORKER
from sigseek.storage.records import FileRecord
from sigseek.storage.records.tasks import WorkerRecord


class TaskReader(Reader):
    """Questions about tasks and workers."""

    def folders_with_tasks(self, checkpoint_id: int) -> set[int]:
        """Return the ids of the folders of which some files are tasks for the checkpoint, claimed
        or not.
        """
        any_task = exists().where(
            TASK.c.folder_id == FOLDER.c.id, TASK.c.checkpoint_id == checkpoint_id
        )
        with self._connect() as connection:
            return set(connection.scalars(select(FOLDER.c.id).where(any_task)))

    def workers(self) -> list[WorkerRecord]:
        """Return the workers in the order in which they joined, also those that have left since the
        last listing.
        """
        query = select(WORKER, func.now().label("now")).order_by(WORKER.c.id)
        with self._connect() as connection:
            return [
                WorkerRecord(
                    row.name,
                    row.lease_until is not None and row.lease_until > row.now.astimezone(UTC),
                    row.listed,
                    row.done,
                    (row.now.astimezone(UTC) - row.joined_at).total_seconds(),
                )
                for row in connection.execute(query)
            ]

    def files_at(
        self, folder_id: int, checkpoint_id: int, paths: Collection[str]
    ) -> dict[str, FileRecord]:
        """Return those of these files of the folder that are known, by path."""
        embedded = exists().where(
            EMBEDDING.c.checkpoint_id == checkpoint_id, EMBEDDING.c.photo_id == FILE.c.photo_id
        )
        query = select(
            FILE.c.path,
            FILE.c.size,
            FILE.c.mtime_ns,
            FILE.c.ctime_ns,
            embedded,
            FILE.c.missing_since.is_not(None),
            FILE.c.photo_id,
            FILE.c.sidecars,
        ).where(FILE.c.folder_id == folder_id)
        found = {}
        with self._connect() as connection:
            for chunk in statement_chunks(list(paths)):
                among = self._dialect.is_path_among(FILE.c.path, chunk)
                for row in connection.execute(query.where(among)):
                    found[row[0]] = FileRecord._make(row)
        return found
