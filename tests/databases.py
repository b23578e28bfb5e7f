"""The same tests on both kinds of database: a directory names a library, and on PostgreSQL a
database stands for each directory.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL

from sigseek.operations import location
from sigseek.operations.database import LibraryDatabase
from sigseek.progress import Listener
from sigseek.storage import Catalog, writer_lock
from sigseek.storage.catalog import FILE_NAME
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.postgresql import PostgreSqlDialect
from tests.postgresql import Server, address

StrPath = str | os.PathLike[str]


class Databases:
    """What libraries in directories are for the tests of one module. These are directories."""

    kind = "sqlite"

    def address(self, library: object) -> str:
        """Return the library's name as a person types it."""
        return str(library)

    def named_by_directory(self, text: str) -> str:
        """Return what the program said, with the directory of each library in the place of its
        address.
        """
        return text

    def copy(self, library: Path, to: Path) -> Path:
        """Make a copy of a library that nobody has opened, and return its directory."""
        return Path(shutil.copytree(library, to))

    def lock(self, library: Path) -> AbstractContextManager[None]:
        """Hold the writer lock of a library in a `with` statement."""
        return writer_lock(library)

    @contextmanager
    def used_by_test(self) -> Iterator[None]:
        """Remove what a test has made, when it is done."""
        yield


class PostgreSqlDatabases(Databases):
    """Databases of a PostgreSQL server, one for each directory that a test names.

    The program is told of a database wherever a test gives it the directory of a library.
    """

    kind = "postgresql"

    def __init__(self, server: Server, mini: Callable[[], tuple[Path, URL]]) -> None:
        self._server = server
        self._mini = mini
        """Returns the directory of the library that all tests share, and a database with its
        photos.
        """
        self._urls: dict[Path, URL] = {}
        self._opened: list[tuple[Path, Callable[[], None]]] = []

    def address(self, library: object) -> str:
        """Return the address of the database that stands for the directory."""
        url = self._url(Path(str(library)), with_tables=False)
        return address(url)

    def named_by_directory(self, text: str) -> str:
        """Replace addresses, quoted for a shell or not, by the directories they stand for."""
        for directory in self._urls:
            address = self.address(directory)
            text = text.replace(shlex.quote(address), str(directory))
            text = text.replace(address, str(directory))
        return text

    def copy(self, library: Path, to: Path) -> Path:
        """Make a copy of the directory's database, which stands for the directory `to`."""
        self._urls[to.absolute()] = self._server.copy_of(self._url(library, with_tables=False))
        return to

    @contextmanager
    def lock(self, library: Path) -> Iterator[None]:
        """Hold the advisory lock of the directory's database."""
        url = self._url(library, with_tables=False)
        with closing(PostgreSqlDialect(url)) as dialect, dialect.lock.hold():
            yield

    @contextmanager
    def used_by_test(self) -> Iterator[None]:
        """Close what the test left open, and drop its databases."""
        before = set(self._urls)
        yield
        self._drop(set(self._urls) - before)

    @contextmanager
    def in_place_of_directories(self) -> Iterator[None]:
        """Have the program open the databases in place of directories."""
        in_place, in_directory = Catalog.__init__, location.library_location

        def open_catalog(catalog: Catalog, place: Path | Dialect) -> None:
            if not isinstance(place, Path):
                in_place(catalog, place)
                return
            dialect = PostgreSqlDialect(self._url(place, with_tables=True))
            self._opened.append((place.absolute(), dialect.close))
            in_place(catalog, dialect)

        def library_location(library: StrPath, listener: Listener) -> location.LibraryLocation:
            if "://" in str(library):
                return in_directory(library, listener)
            found = LibraryDatabase(self.address(library), listener)
            self._opened.append((Path(library).absolute(), found.close))
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Catalog, "__init__", open_catalog)
            patch.setattr("sigseek.library.library_location", library_location)
            patch.setattr(location, "library_location", library_location)
            yield
        self._drop(set(self._urls))

    def _url(self, library: Path, *, with_tables: bool) -> URL:
        """Return the directory's database, made when it is first named."""
        library = library.absolute()
        if library not in self._urls and (library / FILE_NAME).exists():
            directory, url = self._mini()
            assert library == directory, f"{library} is a library of SQLite"
            self._urls[library] = self._server.copy_of(url)
        if library not in self._urls:
            same = self._with_index_files_in(library)
            make = self._server.database if with_tables else self._server.empty_database
            self._urls[library] = same or make()
        return self._urls[library]

    def _with_index_files_in(self, directory: Path) -> URL | None:
        """Return the database whose index files are in the directory, if there is one: a test has
        asked a library for its `directory`.
        """
        if directory.parent.name != "libraries":
            return None
        for url in self._urls.values():
            dialect = PostgreSqlDialect(url)
            identity = dialect.identity()
            dialect.close()
            if identity == directory.name:
                return url
        return None

    def _drop(self, directories: set[Path]) -> None:
        kept = []
        for directory, close in self._opened:
            if directory in directories:
                close()
            else:
                kept.append((directory, close))
        self._opened = kept
        dropped = {self._urls.pop(directory) for directory in directories}
        for url in dropped - set(self._urls.values()):
            self._server.drop(url)


def with_addresses(arguments: Sequence[str], databases: Databases) -> list[str]:
    """Return the arguments of the program, each library named by its address."""
    named = list(arguments)
    for place, argument in enumerate(named[:-1]):
        if argument == "--library" and "://" not in named[place + 1]:
            named[place + 1] = databases.address(named[place + 1])
    return named
