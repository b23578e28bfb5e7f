"""A library whose catalog is a PostgreSQL database, for several machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.errors import ErrorKind
from sigseek.operations.location import LibraryLocation, no_library
from sigseek.progress import Listener, Stop
from sigseek.storage import Catalog, LibraryError
from sigseek.storage.catalog.address import read_address, without_secrets
from sigseek.storage.errors import NoLibraryError

if TYPE_CHECKING:
    from sigseek.storage.catalog.postgresql import PostgreSqlDialect


class LibraryDatabase(LibraryLocation):
    """A PostgreSQL database that holds a library, or will hold one.

    Each machine keeps index files of its own, in the user's cache. They may be deleted at any time.
    """

    can_be_shared = True

    def __init__(self, address: str, listener: Listener | None = None) -> None:
        super().__init__(listener)
        self._url = read_address(address)
        self.where = without_secrets(self._url)
        self._dialect: PostgreSqlDialect | None = None
        self._directory: Path | None = None

    @property
    def address(self) -> str:
        """The address with which other processes open the library, with its password if it has
        one.
        """
        return self._url.render_as_string(hide_password=False)

    @property
    def directory(self) -> Path:
        """The directory of this machine's index files. Raises LibraryError where there is no
        library yet.
        """
        if self._directory is None:
            from sigseek.siglip.cache import cache_directory

            self.catalog()
            assert self._dialect is not None
            self._directory = cache_directory() / "libraries" / self._dialect.identity()
        return self._directory

    def exists(self) -> bool:
        """Return whether the database holds a library. Raises LibraryError when it cannot be
        reached, or belongs to another program.
        """
        with self._opening:
            if self._catalog is None:
                try:
                    self._catalog = self._connect(create=False)
                except NoLibraryError:
                    return False
        return True

    def state(self) -> str:
        """Return the number in which the database tells of changes."""
        return str(self.catalog().changes()) if self.exists() else "none"

    def _open(self, *, create: bool) -> Catalog:
        try:
            return self._connect(create=create)
        except NoLibraryError as error:
            raise no_library(self.where) from error

    def _connect(self, *, create: bool) -> Catalog:
        try:
            from sigseek.storage.catalog.postgresql import PostgreSqlDialect
        except ImportError as error:
            raise LibraryError(
                f"a library in a PostgreSQL database needs psycopg ({error})",
                "install it with: pip install 'sigseek[postgres]'",
                ErrorKind.UNSUPPORTED,
            ) from error
        self._dialect = PostgreSqlDialect(self._url, create=create, unfinished=self.unfinished)
        return Catalog(self._dialect)

    def is_being_listed(self) -> bool:
        """Return whether some process lists files for others."""
        self.catalog()
        assert self._dialect is not None
        return self._dialect.is_being_listed()

    @contextmanager
    def ending(self, listener: Listener, stop: Stop) -> Iterator[bool]:
        """Wait for the turn of this process, and give whether it is the only one."""
        assert self._dialect is not None
        try:
            with self._dialect.lock.turn(listener, stop):
                yield self._is_alone()
        except self._dialect.errors as error:
            raise self._dialect.describe(error) from error

    def _is_alone(self) -> bool:
        assert self._dialect is not None
        return self._dialect.lock.is_alone()

    def _lock(
        self, folders: Sequence[Path] = (), *, lists: bool = False
    ) -> AbstractContextManager[None]:
        self.catalog()
        assert self._dialect is not None
        return self._dialect.lock.hold(folders, lists=lists)
