"""Copying a whole library to another place: into a directory or a PostgreSQL database."""

import os

from sigseek.errors import ErrorKind
from sigseek.operations.location import LibraryLocation, library_location
from sigseek.progress import Listener, Stop
from sigseek.storage import Catalog, LibraryError


def copy_library(
    library: LibraryLocation, to: str | os.PathLike[str], listener: Listener, stop: Stop
) -> str:
    """Copy the library as it is now, as `Library.copy_to` describes. Returns where the copy is."""
    source, target = library.catalog(), library_location(to, listener)
    target.unfinished = True
    if target.where == library.where:
        raise LibraryError(f"{target.where} is the library itself", "choose another place")
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


def _holds_something(catalog: Catalog) -> bool:
    return bool(catalog.folders() or catalog.checkpoints() or catalog.photo_count())
