"""The same tests on both kinds of database, and on PostgreSQL with vectors in Milvus: a directory
names a library, and on PostgreSQL a database stands for each directory.
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
from sigseek.storage.catalog.reading.settings import VECTORS
from sigseek.storage.errors import NoLibraryError
from sigseek.storage.index import milvus
from sigseek.storage.index.milvus_store import MilvusStore
from tests.postgresql import Server, address

StrPath = str | os.PathLike[str]


class Databases:
    """What libraries in directories are for the tests of one module. These are directories."""

    kind = "sqlite"
    vectors: str | None = None
    """The address of the server that keeps the vector indexes; None where they are files."""

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
            found = self._location(self.address(library), listener)
            self._opened.append((Path(library).absolute(), found.close))
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Catalog, "__init__", open_catalog)
            patch.setattr("sigseek.library.library_location", library_location)
            patch.setattr(location, "library_location", library_location)
            yield
        self._drop(set(self._urls))

    def _location(self, address: str, listener: Listener) -> LibraryDatabase:
        return LibraryDatabase(address, listener)

    def _url(self, library: Path, *, with_tables: bool) -> URL:
        """Return the directory's database, made when it is first named."""
        library = library.absolute()
        if library not in self._urls:
            self._urls[library] = self._made(library, with_tables=with_tables)
        return self._urls[library]

    def _made(self, library: Path, *, with_tables: bool) -> URL:
        """Return a database for the directory."""
        if (library / FILE_NAME).exists():
            directory, url = self._mini()
            assert library == directory, f"{library} is a library of SQLite"
            return self._server.copy_of(url)
        same = self._with_index_files_in(library)
        make = self._server.database if with_tables else self._server.empty_database
        return same or make()

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


class MilvusDatabases(PostgreSqlDatabases):
    """Databases of a PostgreSQL server whose libraries keep their vectors in a Milvus server.

    The server is asked about libraries of any size. In earnest a program compares the photos of a
    small one by itself.
    """

    kind = "milvus"

    def __init__(self, server: Server, mini: Callable[[], tuple[Path, URL]], vectors: str) -> None:
        super().__init__(server, mini)
        self.vectors = vectors
        self._store = MilvusStore(vectors)
        self._shared: set[str] = set()
        """The token of the library that all tests share. Its collection is made once."""

    def copy(self, library: Path, to: Path) -> Path:
        """Make a copy of the directory's database, with a collection of its own."""
        super().copy(library, to)
        new = "UPDATE checkpoint SET token = substr(md5(random()::text), 1, 16)"
        self._server.run_in(self._urls[to.absolute()], new)
        return to

    @contextmanager
    def in_place_of_directories(self) -> Iterator[None]:
        """Have the program open the databases in place of directories, and the tests' searchers use
        the server in place of files.
        """
        with pytest.MonkeyPatch.context() as patch, closing(self._store):
            patch.setattr("tests.catalogs.FileStore", lambda directory: self._store)
            patch.setattr(milvus, "_MOST_EXACT", 0)
            with super().in_place_of_directories():
                yield

    def _location(self, address: str, listener: Listener) -> LibraryDatabase:
        return _MilvusLibrary(address, self._store.address, listener)

    def _made(self, library: Path, *, with_tables: bool) -> URL:
        url = super()._made(library, with_tables=with_tables)
        is_shared = (library / FILE_NAME).exists()
        if is_shared:
            self._shared = self._tokens(url)
        if is_shared or with_tables:
            remember = f"INSERT INTO setting VALUES ('{VECTORS}', '{self.vectors}')"
            self._server.run_in(url, f"{remember} ON CONFLICT DO NOTHING")
        return url

    def _drop(self, directories: set[Path]) -> None:
        """Remove the databases, and their collections from the server."""
        for url in {self._urls[directory] for directory in directories}:
            for token in self._tokens(url) - self._shared:
                self._store.remove(token)
        super()._drop(directories)

    def _tokens(self, url: URL) -> set[str]:
        try:
            dialect = PostgreSqlDialect(url, create=False)
        except NoLibraryError:
            return set()
        with closing(Catalog(dialect)) as catalog:
            return {record.token for record in catalog.checkpoints()}


class _MilvusLibrary(LibraryDatabase):
    """A library that keeps its vectors in the server from its beginning."""

    def __init__(self, address: str, vectors: str, listener: Listener) -> None:
        super().__init__(address, listener)
        self._vectors = vectors

    def _connect(self, *, create: bool) -> Catalog:
        catalog = super()._connect(create=create)
        if create and catalog.vectors() is None:
            with catalog.transaction() as transaction:
                transaction.put_vectors(self._vectors)
        return catalog


def with_addresses(arguments: Sequence[str], databases: Databases) -> list[str]:
    """Return the arguments of the program, each library named by its address, and the server of its
    vectors told where a library may be made.
    """
    named = list(arguments)
    for place, argument in enumerate(named[:-1]):
        if argument == "--library" and "://" not in named[place + 1]:
            named[place + 1] = databases.address(named[place + 1])
    if databases.vectors and named[:1] == ["index"]:
        named += ["--vectors", databases.vectors]
    return named
