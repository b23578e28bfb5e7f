"""The directory of a library, which holds its catalog and its vector index."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sigseek.errors import Call, ErrorKind, Option, Remedy, SigseekError
from sigseek.paths import LIBRARY_BESIDE_PHOTOS, typed_path
from sigseek.progress import Listener, Silence, Stop
from sigseek.storage import Catalog, LibraryError, writer_lock
from sigseek.storage.catalog import FILE_NAME
from sigseek.storage.index.contract import IndexStore
from sigseek.storage.index.store import FaissStore


class LibraryDirectory:
    """A directory that holds a library, or will hold one. Several threads may use it.

    When the library is opened and the folder that it is in has another path than before, the
    folder is relocated, and `listener` is told.
    """

    def __init__(self, directory: Path, listener: Listener | None = None) -> None:
        self._listener = listener or Silence()
        self.directory = typed_path(directory).absolute()
        self.index_store = FaissStore(self.directory / "index")
        self._catalog: Catalog | None = None
        self._opening = threading.Lock()
        self._turn = threading.RLock()

    def exists(self) -> bool:
        """Return whether the directory holds a library.

        Raises LibraryError for an empty catalog beside an index, which a power cut may leave.
        """
        catalog = self.directory / FILE_NAME
        if catalog.is_file() and not catalog.stat().st_size:  # SQLite begins with an empty file
            if self.index_store.bytes():
                raise LibraryError(
                    f"{catalog} is empty",
                    f"put a backup in its place, or remove {self.directory} and index again",
                    ErrorKind.DAMAGED,
                )
            return False
        return catalog.is_file()

    def catalog(self, *, create: bool = False) -> Catalog:
        """Return the library's catalog, which is opened once.

        Raises LibraryError when there is no library, unless `create`.
        """
        with self._opening:
            if self._catalog is None:
                if self.directory.is_file():
                    raise LibraryError(
                        f"{self.directory} is a file, and a library is a directory",
                        Remedy("give {} a directory", (Option("directory"),)),
                    )
                if not create and not self.exists():
                    raise LibraryError(
                        f"no library at {self.directory}",
                        Remedy("make one with: {}", (Call("index", ("FOLDER",)),)),
                        ErrorKind.NOT_FOUND,
                    )
                self._catalog = catalog = Catalog(self.directory)
                if catalog.network:
                    self._listener.said(
                        f"the library {self.directory} is on a network drive ({catalog.network}); "
                        "while it is being changed, searches may have to wait"
                    )
            else:
                return self._catalog
        self._follow()
        return catalog

    def _follow(self) -> None:
        """Relocate the folder that the library is in, if it came back under another path."""
        if self.directory.name != LIBRARY_BESIDE_PHOTOS:
            return
        # Most libraries need none of it.
        from sigseek.operations.moved_library import follow_library

        try:
            moved = follow_library(self)
        except (SigseekError, OSError):  # another process is changing it, nobody may, or it is
            return  # damaged; whatever was asked for may work all the same
        if moved:
            self._listener.said(
                f"{moved.old} is now {moved.new}; its files moved in the library: {moved.files:,}"
            )

    @contextmanager
    def writing(self, stop: Stop | None = None) -> Iterator[None]:
        """Hold the library's writer lock. Threads of this process take turns.

        Raises LibraryError when another process holds the lock, StoppedError when `stop` is set
        while it is another thread's turn.
        """
        with (stop or Stop()).holding(self._turn), writer_lock(self.directory):
            yield

    @contextmanager
    def changing(self, *, create: bool = False, stop: Stop | None = None) -> Iterator[Catalog]:
        """Hold the writer lock while photos or embeddings change, and give the catalog.

        Index files that no process may use any more are removed first. Raises what `catalog` and
        `writing` raise.
        """
        catalog = self.catalog(create=create)
        with self.writing(stop):
            tidy_index(self.index_store, catalog)
            yield catalog

    def close(self) -> None:
        """Close the catalog's file. The next call of `catalog` opens it again."""
        with self._opening:
            if self._catalog:
                self._catalog.close()
                self._catalog = None


def tidy_index(store: IndexStore, catalog: Catalog) -> None:
    """Remove from the index store what no process may use any more; the caller holds the writer
    lock.
    """
    store.tidy({record.token: record.generation for record in catalog.checkpoints()})
