"""What all questions to the catalog share."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, sessionmaker

from sigseek.storage.catalog.dialect import Dialect


class Reader:
    """Sessions on a database. Each sees one moment, whatever others write meanwhile.

    Several threads may use one reader.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._sessions = sessionmaker(dialect.readers, expire_on_commit=False)

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Open a session in a `with` statement. What the database raises in it becomes a
        LibraryError.
        """
        try:
            with self._sessions() as session:
                yield session
        except self._dialect.errors as error:
            raise self._dialect.describe(error) from error
