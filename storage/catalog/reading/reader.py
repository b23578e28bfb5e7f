"""What all questions to the catalog share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, Connection, select

from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import PHOTO


class Reader:
    """Connections to a database. Each sees one moment, whatever others write meanwhile.

    Several threads may use one reader.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """Open a connection in a `with` statement. What the database raises in it becomes a
        LibraryError.
        """
        try:
            with self._dialect.readers.connect() as connection:
                yield connection
        except self._dialect.errors as error:
            raise self._dialect.describe(error) from error

    def _photo_columns(self, ids: Sequence[int], *columns: Column[Any]) -> Iterator[Any]:
        """Yield a row for each photo with one of these ids: its id, and the values of the columns
        of the table of photos.
        """
        query = select(PHOTO.c.id, *columns).where(self._dialect.is_among(PHOTO.c.id, "ids"))
        with self._connect() as connection:
            for chunk in statement_chunks(ids):
                yield from connection.execute(query, {"ids": self._dialect.ids(chunk)})
