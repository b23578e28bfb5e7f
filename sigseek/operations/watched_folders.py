"""The folders that are watched: those that somebody named, or all that a library knows."""

import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TypeAlias

from sigseek.disk import ask
from sigseek.indexer import check_folder
from sigseek.operations.location import library_gone
from sigseek.paths import spellings, typed_path
from sigseek.storage import Catalog

Identity: TypeAlias = tuple[int, int] | None
"""The device and inode of a folder; None for a folder that is not there. They change when a drive
is mounted on the folder, or another folder takes its place.
"""


class WatchedFolders:
    """The folders of a library to watch: the `named` ones, or all that the library knows.

    A named folder that is dropped from the library meanwhile is no longer watched.
    """

    def __init__(self, catalog: Catalog, library: Path, named: Iterable[Path]) -> None:
        self._catalog = catalog
        self._library = library
        self._named = list(named)
        self._known: set[Path] = set()
        self._dropped: set[Path] = set()
        """Named folders that the library knew and no longer knows, since somebody dropped them.
        They must not be added again.
        """

    def now(self) -> dict[Path, Identity]:
        """Return the folders to watch, including those that are not there. Raises LibraryError when
        the library itself is gone.
        """
        if not all(map(os.path.lexists, self._catalog.local_paths)):
            raise library_gone(str(self._library))
        known = [Path(folder.path) for folder in self._catalog.folders()]
        now_known = {
            path for path in self._named if any(path.is_relative_to(folder) for folder in known)
        }
        forgotten = self._known - now_known  # or relocated, by another process
        self._known = now_known
        self._dropped |= forgotten
        watched = (
            [path for path in self._named if path not in self._dropped] if self._named else known
        )
        return {path: _identity(path) for path in watched}

    def note_indexed(self, folder: Path) -> None:
        """Note that the library knows the folder from now on."""
        self._known |= {folder} & set(self._named)


def folders_to_watch(
    folders: Iterable[str | os.PathLike[str]], known: Collection[Path]
) -> list[Path]:
    """Return the folders' absolute paths without links, none inside another. Raises FolderError for
    a folder that is neither there nor `known`.
    """
    paths = []
    for folder in folders:
        path = typed_path(folder).absolute()
        offline = next((one for one in spellings(path) if one in known and not _exists(one)), None)
        paths.append(offline or check_folder(path))
    return [
        path
        for path in dict.fromkeys(paths)
        if not any(path != other and path.is_relative_to(other) for other in paths)
    ]


def _exists(path: Path) -> bool:
    """Return whether something is at the path; False where its disk does not answer."""
    return ask(path.absolute(), lambda: os.path.exists(path), False)


def _identity(path: Path) -> Identity:
    """Return the folder's identity; None where it is not there or its disk does not answer."""
    try:
        found = ask(path, path.stat, None)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None
