"""What all changes of the catalog share."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Select, Table, func, select, update

from sigseek.storage.catalog.dialect import PLANNED_ANEW, Dialect
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import CHECKPOINT, FILE, PHOTO


class Writer:
    """A connection that writes, in one transaction."""

    def __init__(self, connection: Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect
        self._added: set[int] = set()
        """Photos that this transaction has added, and that nobody else sees yet."""
        self._filed: set[int] = set()
        """Photos of which this transaction has noted files."""
        self._safe: set[int] = set()
        """Photos that no other writer can remove before the transaction ends."""
        self._unknown: set[bytes] = set()
        """Digests of photos that were not there when this transaction looked for them."""
        self._former: set[Table] = set()
        """The tables in which this transaction has kept what held before it."""

    def _now(self) -> datetime:
        """Return the moment by the clock that all who use the database share."""
        return self._dialect.now(self._connection)

    def _put(self, table: Table, keys: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows, or overwrite those with the same keys."""
        self._dialect.put(self._connection, table, keys, rows)

    def _deleted(self, statement: Delete) -> int:
        """Delete rows and return how many."""
        return self._connection.execute(statement).rowcount

    def _next_generation(self, checkpoint_id: int) -> int:
        """Count the checkpoint's generation up by one and return it.

        The database counts, so that no two writers get the same number. The row stays locked until
        the transaction ends, so generations become visible in their order. It is the last lock that
        a transaction takes but for that of the order's revision: what follows are only the
        embeddings of that generation.
        """
        statement = (
            update(CHECKPOINT)
            .where(CHECKPOINT.c.id == checkpoint_id)
            .values(generation=CHECKPOINT.c.generation + 1)
            .returning(CHECKPOINT.c.generation)
        )
        return self._connection.execute(statement).scalar_one()

    def _lock_photos(self, ids: Iterable[int], *, change: bool = False) -> set[int]:
        """Return those of the photos that exist. No other writer can remove them before the
        transaction ends, nor change them, if this one will `change` them.

        They are locked in the order of their ids, so that two writers do not wait for each other.
        """
        ids = set(ids)
        found = ids & (self._added if change else self._safe)
        for chunk in statement_chunks(sorted(ids - found)):
            query = select(PHOTO.c.id).where(self._dialect.is_one_of(PHOTO.c.id, chunk))
            locked = query.order_by(PHOTO.c.id).with_for_update(read=not change, key_share=True)
            found.update(self._connection.scalars(locked))
        self._safe |= found
        return found

    def _mark_copied_stale(self, photos: Select[int]) -> None:
        """Have metadata read again of those of the photos that have several files, because these
        may say something else together now.
        """
        copied = (
            select(FILE.c.photo_id)
            .where(FILE.c.photo_id.in_(photos))
            .group_by(FILE.c.photo_id)
            .having(func.count() > 1)
        )
        self._mark_stale(PHOTO.c.id.in_(copied))

    def _mark_stale(self, which: ColumnElement[bool]) -> None:
        # Locked in their order first, so that two writers do not wait for each other. Those that
        # are marked already, too: another writer may be about to store what it has just read.
        marked = select(PHOTO.c.id, PHOTO.c.facts_version).where(which).order_by(PHOTO.c.id)
        locked = self._connection.execute(
            marked.with_for_update(key_share=True), execution_options={PLANNED_ANEW: True}
        )
        for chunk in statement_chunks([id_ for id_, version in locked if version]):
            of_photos = update(PHOTO).where(self._dialect.is_one_of(PHOTO.c.id, chunk))
            self._connection.execute(of_photos.values(facts_version=0))
