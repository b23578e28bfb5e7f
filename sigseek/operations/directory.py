"""Where a library lies: the directory with its catalog and its index."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sigseek.operations.paths import expand
from sigseek.storage import Catalog, LibraryError, writer_lock
from sigseek.storage.catalog import FILE_NAME
from sigseek.storage.index.leftovers import remove_leftovers


class LibraryDirectory:
    """A directory that holds a library, or will."""

    def __init__(self, directory: Path) -> None:
        self.directory = expand(directory).absolute()
        self.index_directory = self.directory / "index"
        self._catalog: Catalog | None = None

    def exists(self) -> bool:
        """Whether there is a library. LibraryError for what a power cut may have left of one."""
        catalog = self.directory / FILE_NAME
        if catalog.is_file() and not catalog.stat().st_size:  # as SQLite makes it before it writes
            if any(self.index_directory.glob("*.faiss")):
                raise LibraryError(
                    f"{catalog} is empty; put a backup in its place, or remove {self.directory} and index again"
                )
            return False
        return catalog.is_file()

    def catalog(self, *, create: bool = False) -> Catalog:
        """The library's catalog, opened once; LibraryError where there is no library, unless one is
        to be made.
        """
        if self._catalog is None:
            if not create and not self.exists():
                raise LibraryError(
                    f"no library at {self.directory}; make one with: sigseek index FOLDER"
                )
            self._catalog = Catalog(self.directory)
        return self._catalog

    @contextmanager
    def changing(self, *, create: bool = False) -> Iterator[Catalog]:
        """The catalog, locked for what may change photos or embeddings; index files that nobody may
        use any more are gone then.

        LibraryError as `catalog` and `writer_lock` raise it.
        """
        catalog = self.catalog(create=create)
        with writer_lock(self.directory):
            remove_leftovers(self.index_directory, catalog.checkpoints())
            yield catalog

    def close(self) -> None:
        """Let go of the catalog's file."""
        if self._catalog:
            self._catalog.close()
            self._catalog = None
