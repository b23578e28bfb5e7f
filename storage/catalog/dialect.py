"""What a database must do for the catalog that no two databases do alike.

`sqlite` and `postgresql` implement it. All other SQL of the catalog is the same for both, and the
tests of the catalog run on both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, Engine, Executable, Select, Table

from sigseek.storage.errors import LibraryError

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

PLANNED_ANEW = "sigseek_planned_anew"
"""The execution option of a statement that is asked often while its tables grow fast: a server must
not keep the plan that was good for small ones.
"""
Rows: TypeAlias = Sequence[tuple[Any, ...]]
"""Rows as the driver gives them. A path may be text or bytes, a boolean may be 0 or 1."""


class Dialect(Protocol):
    """An open database whose schema is the newest, or a newer one that this program can read."""

    def __hash__(self) -> int:
        """Return the same number always, as statements are kept that were made for a dialect."""
        ...

    @property
    def where(self) -> str:
        """The catalog as messages name it, without a password."""
        ...

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """Everything that SQLAlchemy or the driver raises when the database fails."""
        ...

    @property
    def readers(self) -> Engine:
        """The engine for sessions that read. Each session sees the database as it was when the
        session began.
        """
        ...

    @property
    def writers(self) -> Engine:
        """The engine for sessions that write. Where the database cannot merge the changes of two,
        the second waits when it begins.
        """
        ...

    @property
    def file(self) -> Path | None:
        """The file on this machine that is the database; None for the database of a server, which
        takes a question to tell of changes.
        """
        ...

    @property
    def network(self) -> str | None:
        """The type of the file system that the file is on, if it is that of another machine. There
        a reader keeps writers waiting, and these keep other readers waiting.
        """
        ...

    @property
    def fitted_to(self) -> str | None:
        """The type of that file system, if the file was made on it or fitted to it when it was
        opened.
        """
        ...

    @property
    def sorts_paths(self) -> bool:
        """Whether an index has the paths of each folder's files in their order."""
        ...

    @property
    def attempts(self) -> int:
        """How often a transaction is tried in all that those of other writers are in the way of."""
        ...

    def changes(self) -> int:
        """Return a number that is another one after anybody, in any process, has changed the
        database. It may also be another one without a change.
        """
        ...

    def now(self, connection: Connection) -> datetime:
        """Return the moment by the clock of the machine that has the database. Clocks of machines
        that use it may differ.
        """
        ...

    def begin_writing(self, connection: Connection, *, by_index: bool = False) -> None:
        """Begin a transaction that writes, as `Catalog.transaction` says. LibraryError where its
        writer has lost the lock of the library since it got it, and where a newer program has
        upgraded the library.
        """

    def close(self) -> None:
        """Close all connections."""

    def put(
        self,
        connection: Connection,
        table: Table,
        keys: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        *,
        overwrite: bool = True,
    ) -> None:
        """Add rows, all with the same columns. `keys` are the columns of a unique constraint.

        A row that exists with these keys is overwritten, and of several given rows with the same
        keys the last one counts. Without `overwrite`, a row that exists stays as it is, and any of
        several given ones is added.
        """

    def add(
        self,
        connection: Connection,
        table: Table,
        keys: Sequence[str],
        rows: Sequence[Mapping[str, Any]],
        returned: Sequence[Column[Any]],
    ) -> Sequence[Any]:
        """Add rows as `put` does without `overwrite`, and return columns of those that were not
        there before. There is at least one row, and no two have the same keys.
        """
        ...

    def is_among(self, column: Column[int], parameter: str) -> ColumnElement[bool]:
        """Return whether the id in the column is one of those in the parameter, however many there
        are.
        """
        ...

    def ids(self, ids: Sequence[int]) -> object:
        """Return the value of a parameter of `is_among`."""
        ...

    def is_one_of(self, column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
        """Return whether the column's value is one of these."""
        ...

    def is_path_among(self, column: Column[str], paths: Sequence[str]) -> ColumnElement[bool]:
        """Return whether the path in the column is one of these, found by the index on paths."""
        ...

    def is_file_among(self, table: Table) -> ColumnElement[bool]:
        """Return whether a row of the table of files, or of that of failures, is of the folder in
        the parameter `folder` and has one of the paths in the parameter `paths`. Each is looked up
        in the index on paths, however many other files the folder has.
        """
        ...

    def paths(self, paths: Sequence[str]) -> object:
        """Return the value of the parameter `paths` of `is_file_among`."""
        ...

    def is_path_like(self, column: Column[str], pattern: str) -> ColumnElement[bool]:
        """Return whether the path in the column is like the pattern, in which `%` has its meaning
        of SQL's LIKE. Case is ignored in ASCII.
        """
        ...

    def stream(
        self,
        connection: Connection,
        statement: Executable,
        values: Mapping[str, Any],
        count: int,
        *,
        are_few: bool = False,
    ) -> Iterator[Rows]:
        """Yield the rows of a SELECT, up to `count` at a time, in the memory of a few thousand
        rows. With `are_few` there are no more, and a server may send all of them at once.
        """
        ...

    def fetch_ids(self, connection: Connection, statement: Select[int]) -> Iterator[Ids]:
        """Yield the ids that a SELECT of one column gives, in no order, as arrays (n,)."""
        ...

    def keep_others_out(self, connection: Connection, table: Table) -> None:
        """Have others who change the table wait until this transaction ends, and wait for those who
        have begun. They may read it. Raises an error of the kind BUSY where these take long.
        """

    def go_on_counting_ids(self, connection: Connection) -> None:
        """Have the next new row of each table get an id above all that were written by hand."""

    def size(self, connection: Connection) -> int:
        """Return the bytes that the database takes."""
        ...

    def integrity(self, connection: Connection) -> list[str]:
        """Return what the database finds wrong with its files; nothing when they are sound, or when
        that is not for its clients to check.
        """
        ...

    def dangling(self, connection: Connection) -> dict[str, int]:
        """Return how many rows of each table refer to rows that do not exist. Only a damaged
        database has any.
        """
        ...

    def compact(self, connection: Connection) -> None:
        """Give free space back to the disk, where that is worth it."""

    def back_up(self, connection: Connection, target: Path) -> None:
        """Write a copy of the catalog, as of one moment, to the new file `target`.

        The copy's checkpoints have new tokens. Raises LibraryError where this database is backed up
        otherwise. Raises OSError where the file cannot be written.
        """

    def describe(self, error: Exception) -> LibraryError:
        """Return the error as a user should see it. The database's code decides, not its English
        words.
        """
        ...
