"""The catalog: every question to the database, and the way to every change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import Connection

from sigseek.errors import ErrorKind
from sigseek.progress import Listener, Stop
from sigseek.storage.catalog import schema
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.reading.checkpoints import CheckpointReader
from sigseek.storage.catalog.reading.columns import ColumnReader
from sigseek.storage.catalog.reading.directories import DirectoryReader
from sigseek.storage.catalog.reading.directory_counts import DirectoryCountReader
from sigseek.storage.catalog.reading.directory_tree import DirectoryTreeReader
from sigseek.storage.catalog.reading.embedding_pairs import EmbeddingPairReader
from sigseek.storage.catalog.reading.embeddings import EmbeddingReader
from sigseek.storage.catalog.reading.facets import FacetReader
from sigseek.storage.catalog.reading.files import FileReader
from sigseek.storage.catalog.reading.hashes import HashReader
from sigseek.storage.catalog.reading.judgement import JudgementReader
from sigseek.storage.catalog.reading.kept import KeptAnswers
from sigseek.storage.catalog.reading.order import OrderReader
from sigseek.storage.catalog.reading.photos import PhotoReader
from sigseek.storage.catalog.reading.picture_digests import PictureDigestReader
from sigseek.storage.catalog.reading.selections import SelectionReader
from sigseek.storage.catalog.reading.settings import SettingReader
from sigseek.storage.catalog.reading.tags import TagReader
from sigseek.storage.catalog.reading.tasks import TaskReader
from sigseek.storage.catalog.sqlite import SqliteDialect
from sigseek.storage.errors import LibraryError

if TYPE_CHECKING:
    from sigseek.storage.catalog.transaction import Transaction

_Answer = TypeVar("_Answer")

FILE_NAME = "catalog.sqlite"


class CatalogReader(
    CheckpointReader,
    FileReader,
    PhotoReader,
    PictureDigestReader,
    OrderReader,
    EmbeddingReader,
    HashReader,
    EmbeddingPairReader,
    JudgementReader,
    TagReader,
    SelectionReader,
    FacetReader,
    DirectoryReader,
    DirectoryCountReader,
    DirectoryTreeReader,
    SettingReader,
    ColumnReader,
    TaskReader,
):
    """Every question that can be asked of a catalog."""


class Catalog(CatalogReader):
    """The catalog of a library; several threads may use it.

    Every method raises LibraryError when the database cannot be read or written.
    """

    def __init__(self, place: Path | Dialect, *, unfinished: bool = False) -> None:
        """Open the catalog in the directory `place`, which is made when it is not there, or in an
        open database. With `unfinished` it may be an unfinished copy of another one.

        Raises LibraryError when it cannot be opened.
        """
        dialect = (
            SqliteDialect(place / FILE_NAME, unfinished=unfinished)
            if isinstance(place, Path)
            else place
        )
        super().__init__(dialect)
        self._kept = KeptAnswers(dialect)
        self._moments = _Moments()

    @property
    def local_paths(self) -> tuple[Path, ...]:
        """The catalog's directory and file on this machine; none for a server's database."""
        file = self._dialect.file
        return (file.parent, file) if file else ()

    @property
    def path(self) -> Path:
        """The catalog's file. Raises TypeError for a database that is not a file."""
        file = self._dialect.file
        if file is None:
            raise TypeError(f"{self._dialect.where} is not a file")
        return file

    @property
    def network(self) -> str | None:
        """The type of the file system of another machine that the catalog was just made on or
        fitted to; None for all other catalogs.
        """
        return self._dialect.fitted_to

    def once(self, question: Hashable, ask: Callable[[], _Answer]) -> _Answer:
        """Return what `ask` returns, or the kept answer to the question if nobody has changed the
        catalog since. Nobody may change the answer.
        """
        return self._once(("asked outside", question), ask)

    def has_kept(self, question: Hashable) -> bool:
        """Return whether an answer to the question is kept, which `once` would return."""
        return self._has_kept(("asked outside", question))

    def at_one_revision(self, ask: Callable[[], _Answer]) -> _Answer:
        """Return what `ask` returns, all of it from a time in which nothing changed by which photos
        are put in order. It may be asked twice.
        """
        if self._dialect.file:
            with self.moment():
                self.order_revision()  # begins the moment, and only then kept answers are used
                return ask()
        # In a moment of a server no kept answers are used.
        before = self.order_revision()
        answer = ask()
        if self.order_revision() == before:
            return answer
        with self.moment():
            return ask()

    def changes(self) -> int:
        """Return a number that is another one after anybody, in any process, has changed the
        catalog.
        """
        return self._dialect.changes()

    def now(self) -> datetime:
        """Return the moment by the clock of the machine that has the database."""
        with self._connect() as connection:
            return self._dialect.now(connection)

    def close(self) -> None:
        """Close the database."""
        self._dialect.close()

    @contextmanager
    def snapshot(self) -> Iterator[CatalogReader]:
        """Give a reader whose questions are all answered from one moment, for one thread."""
        with self._connect() as connection:
            yield _Snapshot(self._dialect, connection)

    @contextmanager
    def moment(self) -> Iterator[None]:
        """Answer all questions of this thread from one moment, over one connection, in a `with`
        statement. What others change meanwhile is not seen.

        The moment must be over within seconds, and nothing may be written by this thread before:
        where the database is a file on a network drive, a reader keeps writers waiting.
        """
        if self._moments.connection is not None:
            yield
            return
        # A server would have to be asked for the number, and few searches need kept answers.
        changes = self._dialect.changes() if self._dialect.file else None
        with super()._connect() as connection:
            self._moments.connection, self._moments.changes = connection, changes
            self._moments.has_begun = False
            try:
                yield
            finally:
                self._moments.connection = None

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        shared = self._moments.connection
        if shared is None:
            with super()._connect() as connection:
                yield connection
            return
        self._moments.has_begun = True
        try:
            yield shared
        except self._dialect.errors as error:
            raise self._dialect.describe(error) from error

    def _once(self, question: Hashable, ask: Callable[[], _Answer]) -> _Answer:
        assert self._kept is not None
        if self._moments.connection is None:
            return self._kept.get(question, ask)
        if not self._moments.has_begun or self._moments.changes is None:
            return ask()
        return self._kept.get(question, ask, self._moments.changes)

    @contextmanager
    def transaction(self, *, by_index: bool = False) -> Iterator[Transaction]:
        """Keep the changes that are made in a `with` statement together, or none of them.

        With `by_index`, indexes lead to all rows that are changed. A server keeps the plans of such
        changes, which are made all the time and while their tables grow.
        """
        from sigseek.storage.catalog.transaction import Transaction  # a search needs none

        try:
            with self._dialect.writers.begin() as connection:
                self._dialect.begin_writing(connection, by_index=by_index)
                transaction = Transaction(connection, self._dialect)
                yield transaction
                transaction.note_unheld()
                transaction.number_former_order()
        except self._dialect.errors as error:
            raise self._dialect.describe(error) from error

    def commit(
        self, change: Callable[[Transaction], _Answer], *, by_index: bool = False
    ) -> _Answer:
        """Make a change in one transaction, and return what `change` returns.

        It is called again, with its changes undone, when the transactions of other writers were in
        the way, as when two have waited for each other.
        """
        left = self._dialect.attempts
        while True:
            left -= 1
            try:
                with self.transaction(by_index=by_index) as transaction:
                    return change(transaction)
            except LibraryError as error:
                if error.kind is not ErrorKind.BUSY or not left:
                    raise

    def compact(self) -> None:
        """Give the space of what was removed back to the disk, where that is worth it."""
        with self._connect() as connection:
            self._dialect.compact(connection)

    def back_up(self, target: Path) -> None:
        """Write a copy of the catalog, as of one moment, to `target`, which does not exist. Others
        may write meanwhile.

        The copy's checkpoints have new tokens: when it takes the catalog's place, index files of
        later times are not taken for its own. Raises OSError where the file cannot be written.
        """
        with self._connect() as connection:
            self._dialect.back_up(connection, target)

    def copy_to(self, target: Catalog, listener: Listener, stop: Stop) -> int:
        """Make `target` a copy of this catalog as it is now, and return the number of rows.

        What of it is equal already stays, so a copy that was cut off goes on where it was. Until
        the end the target is marked as unfinished, and nobody else opens it. Raises LibraryError
        for a library of a newer program, of which this one does not know all tables.
        """
        from sigseek.storage.catalog.copying import copy_tables

        with self._connect() as connection:
            schema.check_writable(connection, self._dialect.where)
            return copy_tables(connection, target._dialect, listener, stop)

    def is_unfinished(self) -> bool:
        """Return whether the catalog is an unfinished copy of another one."""
        with self._connect() as connection:
            return schema.is_unfinished(connection)

    def size(self) -> int:
        """Return the bytes that the database takes."""
        with self._connect() as connection:
            return self._dialect.size(connection)

    def integrity(self) -> list[str]:
        """Return what the database finds wrong with its files; nothing when they are sound."""
        with self._connect() as connection:
            return self._dialect.integrity(connection)

    def dangling(self) -> dict[str, int]:
        """Return how many rows of each table refer to rows that do not exist."""
        with self._connect() as connection:
            return self._dialect.dangling(connection)


class _Moments(threading.local):
    """The moment that a thread's questions are answered from."""

    connection: Connection | None = None
    """The connection that sees the moment; None outside of moments."""
    changes: int | None = None
    """The database's number of changes from before the moment; None where no kept answers are used
    in it.
    """
    has_begun: bool = False
    """Whether anything was read: only then does a database begin the moment."""


class _Snapshot(CatalogReader):
    """A reader whose questions share one connection, and so one transaction."""

    def __init__(self, dialect: Dialect, connection: Connection) -> None:
        super().__init__(dialect)
        self._shared = connection

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        yield self._shared
