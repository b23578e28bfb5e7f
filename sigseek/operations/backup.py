"""Copying the catalog, from which everything else in a library can be rebuilt, to a new file."""

import os
from pathlib import Path

from sigseek.errors import ErrorKind
from sigseek.files import written_whole
from sigseek.paths import typed_path
from sigseek.storage import Catalog, LibraryError


def back_up(catalog: Catalog, file: Path) -> Path:
    """Write a copy of the catalog to a new file and return its absolute path.

    A file of that name is always a whole copy. Raises LibraryError when the file exists already or
    cannot be written.
    """
    target = typed_path(file).absolute()
    _check_target(target)
    try:
        with written_whole(target) as aside:
            catalog.back_up(aside)
    except OSError as error:
        raise LibraryError(
            f"{target} cannot be written ({error.strerror})",
            "check the free space on that disk and the permissions of the folder",
            ErrorKind.UNAVAILABLE,
        ) from error
    except UnicodeEncodeError as error:
        raise LibraryError(
            f"{target} is not a name in UTF-8, and SQLite writes to no other",
            "choose another name",
            ErrorKind.UNSUPPORTED,
        ) from error
    return target


def _check_target(target: Path) -> None:
    if os.path.lexists(target):
        raise LibraryError(f"{target} already exists", "choose another name")
    if not target.parent.is_dir():
        raise LibraryError(
            f"there is no folder {target.parent}",
            "create it, or choose another place",
            ErrorKind.NOT_FOUND,
        )
    if not os.access(target.parent, os.W_OK):
        raise LibraryError(
            f"the folder {target.parent} cannot be written to",
            "check its permissions, or choose another place",
            ErrorKind.UNAVAILABLE,
        )
