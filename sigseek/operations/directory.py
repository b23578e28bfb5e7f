"""The directory of a library, which holds its catalog and its vector index."""

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from sigseek.errors import ErrorKind, Option, Remedy, SigseekError
from sigseek.operations.location import (
    LibraryLocation,
    library_beside_photos,
    library_gone,
    no_library,
)
from sigseek.paths import LIBRARY_BESIDE_PHOTOS, typed_path
from sigseek.progress import Listener
from sigseek.storage import Catalog, LibraryError, writer_lock
from sigseek.storage.catalog import FILE_NAME
from sigseek.storage.catalog.sqlite_log import state_of_files


class LibraryDirectory(LibraryLocation):
    """A directory that holds a library, or will hold one.

    When the library is opened and the folder that it is in has another path than before, the
    folder is relocated, and `listener` is told.
    """

    def __init__(self, directory: Path, listener: Listener | None = None) -> None:
        super().__init__(listener)
        self._directory = typed_path(directory).absolute()
        self.where = str(self._directory)

    @property
    def directory(self) -> Path:
        """The directory."""
        return self._directory

    def exists(self) -> bool:
        """Return whether the directory holds a library.

        Raises LibraryError for an empty catalog beside an index, which a power cut may leave.
        """
        catalog = self.directory / FILE_NAME
        if catalog.is_file() and not catalog.stat().st_size:  # SQLite begins with an empty file
            from sigseek.storage.index.file_store import FileStore

            if FileStore(self.index_directory).bytes():
                raise LibraryError(
                    f"{catalog} is empty",
                    f"put a backup in its place, or remove {self.directory} and index again",
                    ErrorKind.DAMAGED,
                )
            return False
        return catalog.is_file()

    def state(self) -> str:
        """Return the sizes and times of the catalog's files, which change whenever it does."""
        return state_of_files(self.directory / FILE_NAME)

    def _open(self, *, create: bool) -> Catalog:
        if self.directory.is_file():
            raise LibraryError(
                f"{self.directory} is a file, and a library is a directory",
                Remedy("give {} a directory", (Option("directory"),)),
            )
        if not create and not self.exists():
            inside = self.directory / LIBRARY_BESIDE_PHOTOS
            if (inside / FILE_NAME).is_file():
                raise library_beside_photos(self.where, str(inside))
            raise no_library(self.where)
        catalog = Catalog(self.directory, unfinished=self.unfinished)
        if catalog.network:
            self._listener.said(
                f"the library {self.directory} is on a network drive ({catalog.network}); "
                "while it is being changed, searches may have to wait"
            )
        return catalog

    def _check_it_is_there(self) -> None:
        if not os.path.lexists(self.directory / FILE_NAME):
            raise library_gone(self.where)

    def _lock(
        self, folders: Sequence[Path] = (), *, lists: bool = False
    ) -> AbstractContextManager[None]:
        return writer_lock(self.directory)

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
