"""The folders of a library, as users name them."""

import os
from pathlib import Path, PurePath

from sigseek.errors import ErrorKind
from sigseek.indexer import FolderError
from sigseek.operations.paths import expand
from sigseek.storage import Catalog, FolderRecord


def find_folder(catalog: Catalog, path: Path) -> tuple[FolderRecord, PurePath]:
    """Find the library's folder that is `path` or contains it.

    Returns the folder and the path inside it. The path need not exist. Raises FolderError when no
    folder of the library contains it.
    """
    path = expand(path)
    plain = Path(os.path.abspath(path))  # noqa: PTH100 - unlike Path.absolute, without ".."
    found = catalog.find_folder(plain) or catalog.find_folder(Path(os.path.realpath(path)))
    if found is None:
        known = ", ".join(folder.path for folder in catalog.folders()) or "none"
        raise FolderError(
            f"{plain} is not in the library", f"its folders are: {known}", ErrorKind.NOT_FOUND
        )
    return found


def count_known_files(catalog: Catalog, path: Path) -> int:
    """Count the files that are known in a folder, or in a directory inside one.

    Raises what `find_folder` raises.
    """
    folder, inside = find_folder(catalog, path)
    return len(catalog.paths(folder.id, inside))
