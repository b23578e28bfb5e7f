"""What all changes of the catalog share."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Delete, update
from sqlalchemy.orm import Session

from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.models import Base, CheckpointRow


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
