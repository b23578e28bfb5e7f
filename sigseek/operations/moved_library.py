"""Libraries inside of a folder of photos, which come back with it under another path.

A drive may be mounted in another place, or used on another machine. A library on it then knows its
folder by a path that is not there, though it is itself in that very folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.disk import ask
from sigseek.indexer.presence import is_online, real_path
from sigseek.operations.directory import LibraryDirectory
from sigseek.operations.system_folders import is_system_folder
from sigseek.storage import Catalog, FileCounts, FolderRecord

if TYPE_CHECKING:
    from sigseek.operations.relocating import Relocated

_LOOKED_FOR = 200
"""How many of a folder's files are looked for in a place where the folder may be now."""


def follow_library(library: LibraryDirectory) -> Relocated | None:
    """Relocate the folder that the library is in, if it has another path than the catalog says.

    The folder is recognised by its files: at least half of them, by path and size, are below a
    directory above the library. Raises what `relocate` raises, for a library that cannot be
    changed now for example.
    """
    catalog, place = library.catalog(), real_path(library.directory)
    folders = catalog.folders()
    if any(place.is_relative_to(folder.path) for folder in folders):
        return None
    for folder in folders:
        if is_online(Path(folder.path)):
            continue
        now = _place_now(catalog, folder, place)
        if now is not None:
            # It loads the comparison of folders, which a library in its old place need not have.
            from sigseek.operations.relocating import relocate

            return relocate(library, Path(folder.path), now, accept_missing=False)
    return None


def _place_now(catalog: Catalog, folder: FolderRecord, library: Path) -> Path | None:
    """Return the directory above the library that has the folder's files."""
    count = catalog.file_counts().get(folder.id, FileCounts(0, 0)).present
    every = max(1, count // _LOOKED_FOR)
    known = islice(catalog.digests(folder.id), None, None, every)
    looked_for = [(path, size) for path, _, size, *_ in known]
    for directory in library.parents if looked_for else ():
        there = ask(directory, partial(_count_present, directory, looked_for), 0)
        if there >= len(looked_for) / 2 and not is_system_folder(directory):
            return directory
    return None


def _count_present(directory: Path, files: Sequence[tuple[str, int]]) -> int:
    """Return how many of the files, given by path and size, are below the directory."""
    return sum(_has_size(directory / path, size) for path, size in files)


def _has_size(file: Path, size: int) -> bool:
    try:
        return os.stat(file).st_size == size  # noqa: PTH116 - as for all that may not be there
    except OSError:
        return False
