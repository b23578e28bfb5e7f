"""What all questions to the catalog share."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from sigseek.storage.catalog.dialect import Dialect


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
