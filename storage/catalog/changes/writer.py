"""What all changes of the catalog share."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Delete, Select, func, select, update
from sqlalchemy.orm import Session

from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.models import Base, CheckpointRow, FileRow, PhotoRow


class Writer:
    """A session that writes, in one transaction."""

    def __init__(self, session: Session, dialect: Dialect) -> None:
        self._session = session
        self._dialect = dialect

    def _put(
        self, table: type[Base], keys: Sequence[str], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Add rows, or overwrite those with the same keys."""
        self._dialect.put(self._session, table, keys, rows)

    def _deleted(self, statement: Delete) -> int:
        """Delete rows and return how many."""
        result: Any = self._session.execute(
            statement, execution_options={"synchronize_session": False}
        )
        return int(result.rowcount)

    def _next_generation(self, checkpoint_id: int) -> int:
        """Count the checkpoint's generation up by one and return it.

        The database counts, so that no two writers get the same number. The row stays locked until
        the transaction ends, so generations become visible in their order. It is the last lock that
        a transaction takes: what follows are only the embeddings of that generation.
        """
        statement = (
            update(CheckpointRow)
            .where(CheckpointRow.id == checkpoint_id)
            .values(generation=CheckpointRow.generation + 1)
            .returning(CheckpointRow.generation)
        )
        return self._session.connection().execute(statement).scalar_one()

    def _mark_copied_stale(self, photos: Select[int]) -> None:
        """Have metadata read again of those of the photos that have several files, because these
        may say something else together now.
        """
        copied = (
            select(FileRow.photo_id)
            .where(FileRow.photo_id.in_(photos))
            .group_by(FileRow.photo_id)
            .having(func.count() > 1)
        )
        self._mark_stale(PhotoRow.id.in_(copied))

    def _mark_stale(self, which: ColumnElement[bool]) -> None:
        self._session.execute(
            update(PhotoRow).where(which, PhotoRow.facts_version != 0).values(facts_version=0),
            execution_options={"synchronize_session": False},
        )


def now() -> datetime:
    """Return the present time as the catalog keeps it: UTC, without a time zone."""
    return datetime.now(UTC).replace(tzinfo=None)
