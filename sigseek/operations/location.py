"""Where a library is kept."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.errors import Call, ErrorKind, Option, Remedy
from sigseek.operations.given_paths import given_path
from sigseek.paths import is_address, is_database
from sigseek.progress import Listener, Silence, Stop
from sigseek.storage import Catalog, LibraryError

if TYPE_CHECKING:
    from sigseek.storage.index.contract import IndexStore
    from sigseek.storage.index.milvus_store import MilvusStore


class LibraryLocation(ABC):
    """Where a library is kept, or will be. Several threads may use it.

    The catalog is opened when it is first asked for. `listener` is told what is special about it.
    """

    where: str
    """The location as messages name it, without a password."""
    can_be_shared = False
    """Whether several processes can index together, or different folders at the same time."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener or Silence()
        self._catalog: Catalog | None = None
        self.unfinished = False
        """Whether it may be an unfinished copy of another library."""
        self._servers: dict[str, MilvusStore] = {}
        """The servers that the library has used for its vector indexes, by address."""
        self._opening = threading.Lock()
        self._turn = threading.RLock()

    @property
    @abstractmethod
    def directory(self) -> Path:
        """The directory of the library's files on this machine, which may be nothing but the vector
        index.
        """

    @property
    def index_store(self) -> IndexStore:
        """The vector indexes of the library, in the server that it was told to use or in files.
        Raises LibraryError where there is no library yet.
        """
        address = self.catalog().vectors()
        if address is None:
            from sigseek.storage.index.file_store import FileStore  # facts alone need no index

            return FileStore(self.index_directory)
        return self.server(address)

    def server(self, address: str) -> MilvusStore:
        """Return the vector indexes in the server at the address, whether the library uses them or
        not.
        """
        from sigseek.storage.index.milvus_store import MilvusStore  # few libraries need it

        with self._opening:
            if address not in self._servers:
                self._servers[address] = MilvusStore(address)
            return self._servers[address]

    def max_pixels(self) -> int | None:
        """Return the pixels of the largest picture that is indexed; None where nobody chose a
        limit, or where there is no library yet.
        """
        return self.catalog().max_pixels() if self.exists() else None

    @property
    def index_directory(self) -> Path:
        """The directory of the index files."""
        return self.directory / "index"

    @abstractmethod
    def exists(self) -> bool:
        """Return whether there is a library."""

    @abstractmethod
    def state(self) -> str:
        """Return a text that is another one after anybody, in any process, has changed the library,
        or made it. Raises LibraryError when it cannot be reached.
        """

    @abstractmethod
    def _open(self, *, create: bool) -> Catalog:
        """Open the catalog, and make a new one with `create`. Raises LibraryError where there is
        none.
        """

    @abstractmethod
    def _lock(
        self, folders: Sequence[Path] = (), *, lists: bool = False
    ) -> AbstractContextManager[None]:
        """Hold the library's writer lock; see `sigseek.storage.lock.WriterLock`. What is locked may
        be these folders alone; see `AdvisoryLock.hold`.
        """

    def is_being_listed(self) -> bool:
        """Return whether some process lists files for others. Only locations that can be shared
        know.
        """
        return False

    def _is_alone(self) -> bool:
        """Return whether nobody else changes the library, while this process does."""
        return True

    def ending(self, listener: Listener, stop: Stop) -> AbstractContextManager[bool]:
        """Do what is about the whole library while no other process does, and give whether this one
        is the only one that changes the library. The caller is changing it, or some folders.

        The listener is told whom this waits for. Raises StoppedError when `stop` is set meanwhile.
        """
        return nullcontext(True)

    def catalog(self, *, create: bool = False) -> Catalog:
        """Return the library's catalog, which is opened once.

        Raises LibraryError when there is no library, unless `create`, and when the one that was
        opened is gone.
        """
        with self._opening:
            if self._catalog is not None:
                self._check_it_is_there()
                return self._catalog
            self._catalog = catalog = self._open(create=create)
        self._follow()
        return catalog

    def _check_it_is_there(self) -> None:
        """Raise LibraryError when the library was removed after it was opened. Only a directory
        needs it: writing there would make it again.
        """
        return

    def _follow(self) -> None:
        """Do what is due after the catalog was opened: nothing, for most locations."""
        return

    @contextmanager
    def writing(self, stop: Stop | None = None) -> Iterator[None]:
        """Hold the library's writer lock. Threads of this process take turns.

        Raises LibraryError when another process holds the lock, StoppedError when `stop` is set
        while it is another thread's turn.
        """
        with (stop or Stop()).holding(self._turn), self._lock():
            yield

    @contextmanager
    def writing_at_once(self) -> Iterator[None]:
        """Hold the writer lock as `writing` does, without waiting for other threads. Raises
        LibraryError when it is another thread's turn, too.
        """
        if not self._turn.acquire(blocking=False):
            raise LibraryError(
                f"another thread is updating {self.where}",
                "wait until it has finished",
                ErrorKind.BUSY,
            )
        try:
            with self._lock():
                yield
        finally:
            self._turn.release()

    @contextmanager
    def changing(
        self,
        folders: Sequence[Path] = (),
        *,
        lists: bool = False,
        create: bool = False,
        stop: Stop | None = None,
    ) -> Iterator[Catalog]:
        """Hold the writer lock while photos or embeddings change, and give the catalog.

        If only these folders change, other processes may change others at the same time, where the
        location can be shared. `lists` tells whether other processes take in what this one lists.
        Index files that no process may use any more are removed first. Raises what `catalog` and
        `writing` raise.
        """
        catalog = self.catalog(create=create)
        with (stop or Stop()).holding(self._turn), self._lock(folders, lists=lists):
            if self._is_alone():  # others may be writing index files
                tidy_index(self.index_store, catalog)
            yield catalog

    def close(self) -> None:
        """Close the catalog. The next call of `catalog` opens it again."""
        with self._opening:
            if self._catalog:
                self._catalog.close()
                self._catalog = None
            for server in self._servers.values():
                server.close()
            self._servers.clear()


def library_location(library: str | os.PathLike[str], listener: Listener) -> LibraryLocation:
    """Return where the library is: in a directory, or in a PostgreSQL database whose address is
    given. Raises LibraryError for an address of another kind, and for what is neither an address
    nor a path.
    """
    from sigseek.operations.directory import LibraryDirectory

    name = str(os.fspath(library)) if isinstance(library, str | os.PathLike) else ""
    if is_database(name):
        from sigseek.operations.database import LibraryDatabase  # few libraries need it

        return LibraryDatabase(name, listener)
    if is_address(name):
        scheme = name.partition("://")[0]  # what follows may have a password
        raise LibraryError(
            f"{scheme}:// begins no address of a library",
            "give a directory, or an address such as postgresql://me@server/photos",
            ErrorKind.INVALID,
        )
    return LibraryDirectory(given_path("directory", library, LibraryError), listener)


def library_gone(where: str) -> LibraryError:
    """Return the error of a library that was removed after it was opened."""
    return LibraryError(
        f"the library {where} is gone", "put it back, or name another one", ErrorKind.NOT_FOUND
    )


def no_library(where: str) -> LibraryError:
    """Return the error of a location without a library."""
    return LibraryError(
        f"no library at {where}",
        Remedy("make one with: {}", (Call("index", ("FOLDER",)),)),
        ErrorKind.NOT_FOUND,
    )


def library_beside_photos(where: str, library: str) -> LibraryError:
    """Return the error of a folder of photos that was named in the place of the library in it."""
    return LibraryError(
        f"no library at {where}, but there is one in this folder",
        Remedy("use it with: {}", (Option("directory", library),)),
        ErrorKind.NOT_FOUND,
    )


def tidy_index(store: IndexStore, catalog: Catalog) -> None:
    """Remove from the index store what no process may use any more; the caller holds the writer
    lock.
    """
    store.tidy({record.token: record.generation for record in catalog.checkpoints()})
