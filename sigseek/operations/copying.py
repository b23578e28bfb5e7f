"""Copying a whole library to another place: into a directory or a PostgreSQL database."""

import os
from pathlib import Path

from sigseek.errors import ErrorKind
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.location import LibraryLocation, library_location
from sigseek.progress import Listener, Stop
from sigseek.storage import Catalog, LibraryError
from sigseek.storage.catalog import FILE_NAME

_OF_NO_CATALOG = {"lock", "lock.json", "index", "lost+found", ".DS_Store"}
"""What may be in a directory before the catalog is: a library's lock and index, and what systems
put into each directory or drive.
"""


def copy_library(
    library: LibraryLocation, to: str | os.PathLike[str], listener: Listener, stop: Stop
) -> str:
    """Copy the library as it is now, as `Library.copy_to` describes. Returns where the copy is."""
    source, target = library.catalog(), library_location(to, listener)
    target.unfinished = True
    if target.where == library.where:
        raise LibraryError(f"{target.where} is the library itself", "choose another place")
    if isinstance(target, LibraryDirectory):
        _check_directory(target.directory)
    try:
        copy = target.catalog(create=True)
        with target.writing(stop):
            if not copy.is_unfinished() and _holds_something(copy):
                raise LibraryError(
                    f"{target.where} holds a library already",
                    "choose another place, or remove that library first",
                    ErrorKind.INVALID,
                )
            source.copy_to(copy, listener, stop)
    finally:
        target.close()
    return target.where


def _check_directory(directory: Path) -> None:
    """Raise LibraryError for a directory that holds other files than a library, or an unfinished
    copy of one.
    """
    if not directory.is_dir() or (directory / FILE_NAME).exists():
        return
    others = sorted(path.name for path in directory.iterdir() if path.name not in _OF_NO_CATALOG)
    if others:
        raise LibraryError(
            f"{directory} contains files that are not a library's, such as {others[0]}",
            "choose an empty directory or a new one",
            ErrorKind.INVALID,
        )


def _holds_something(catalog: Catalog) -> bool:
    return bool(catalog.folders() or catalog.checkpoints() or catalog.photo_count())
