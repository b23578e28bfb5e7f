"""What all questions to the catalog share."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, select

from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.kept import KeptAnswers
from sigseek.storage.catalog.tables import PHOTO

_Answer = TypeVar("_Answer")


class Reader:
    """Connections to a database. Each sees one moment, whatever others write meanwhile.

    Several threads may use one reader.
    """

    _kept: KeptAnswers | None = None
    """What keeps answers until the catalog changes. Readers of one moment have none."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def _once(self, question: Hashable, ask: Callable[[], _Answer]) -> _Answer:
        """Return what `ask` returns, or a kept answer to the question. Nobody may change it."""
        return self._kept.get(question, ask) if self._kept else ask()

    def _has_kept(self, question: Hashable) -> bool:
        """Return whether an answer to the question is kept, which `_once` would return."""
        return self._kept is not None and self._kept.has(question)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        """Open a connection in a `with` statement. What the database raises in it becomes a
        LibraryError.
        """
        try:
            with self._dialect.readers.connect() as connection:
                yield connection
                # PostgreSQL's driver forgets its prepared statements with a rollback, with which
                # the session would end otherwise. The server would plan each statement anew, which
                # takes several times as long as to execute it.
                connection.commit()
        except self._dialect.errors as error:
            raise self._dialect.describe(error) from error

    def _photo_columns(self, ids: Sequence[int], *columns: Column[Any]) -> Iterator[Any]:
        """Yield the driver's own row for each photo with one of these ids: its id, and the values
        of the columns of the table of photos.
        """
        query = select(PHOTO.c.id, *columns).where(self._dialect.is_among(PHOTO.c.id, "ids"))
        with self._connect() as connection:
            for chunk in statement_chunks(ids):
                given, count = {"ids": self._dialect.ids(chunk)}, len(chunk)
                for rows in self._dialect.stream(connection, query, given, count, are_few=True):
                    yield from rows
