"""Folders that moved: their files keep what the library knows of them."""

import os
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePath

from sigseek.disk import ask
from sigseek.errors import Call, ErrorKind, Option, Remedy
from sigseek.indexer import FolderError, check_folder, check_folders_below
from sigseek.indexer.folder_checks import silent_disk
from sigseek.indexer.presence import is_directory, real_path
from sigseek.operations.location import LibraryLocation
from sigseek.operations.system_folders import find_folder
from sigseek.paths import typed_path
from sigseek.storage import Catalog, FolderRecord
from sigseek.storage.catalog import path_prefix

_LOOKED_FOR = 1_000
"""How many of a folder's files are looked for in its new place."""


@dataclass(frozen=True)
class Relocated:
    """A folder's old and new place, and how many files are now known in the new one."""

    old: str
    new: str
    files: int


def relocate(library: LibraryLocation, old: Path, new: Path, *, accept_missing: bool) -> Relocated:
    """Record that the files of the directory `old` are in `new` now.

    Raises FolderError when the library knows no files in `old`, when `new` is not a readable
    directory, when less than half of the files are in `new` (unless `accept_missing`), and what
    `check_folders_below` raises.
    """
    with library.changing() as catalog:
        folder, inside = _find_old_folder(catalog, old, new)
        source, target = Path(folder.path, inside), check_folder(typed_path(new))
        _check_files(catalog, folder, inside, target, accept_missing=accept_missing)
        if not catalog.find_folder(target):
            check_folders_below(
                catalog,
                target,
                accept_missing=accept_missing,
                but=folder.id if inside == PurePath() else None,
            )
        lost_before = set(catalog.photos_without_files())  # `index` knows which of them may return
        with catalog.transaction() as transaction:
            files = transaction.relocate(source, target)
            transaction.remove_photos_without_files(keep=lost_before)
    return Relocated(str(source), str(target), files)


def _find_old_folder(catalog: Catalog, old: Path, new: Path) -> tuple[FolderRecord, PurePath]:
    """Find the folder as `find_folder` does; the error says when the two places were swapped."""
    try:
        return find_folder(catalog, old)
    except FolderError:
        if is_directory(typed_path(old)) and catalog.find_folder(real_path(typed_path(new))):
            swapped = Call("relocate", (str(new), str(old)))
            raise FolderError(
                f"the library knows {new}, not {old}",
                Remedy("give the old place first: {}", (swapped,)),
            ) from None
        raise


def _check_files(
    catalog: Catalog, folder: FolderRecord, inside: PurePath, target: Path, *, accept_missing: bool
) -> None:
    """Raise FolderError unless half of the files that are known there are in `target`, or when its
    disk does not answer.
    """
    count = catalog.count_files_below(folder.id, inside)
    if not count:
        raise FolderError(
            f"the library knows no files in {Path(folder.path, inside)}",
            Remedy("see what it knows with: {}", (Call("status"),)),
            ErrorKind.NOT_FOUND,
        )
    every = max(1, count // _LOOKED_FOR)
    looked_for = list(islice(catalog.paths(folder.id, inside), None, None, every))
    before = path_prefix(inside)
    there = 0
    for path in looked_for:
        found = ask(target, partial(os.path.lexists, target / path[len(before) :]), None)
        if found is None:
            raise silent_disk(target)
        there += found
    if there < len(looked_for) / 2 and not accept_missing:
        raise FolderError(
            f"{there or 'none'} of the {len(looked_for):,} files are in {target}, "
            "so nothing was changed",
            Remedy(
                "give the directory that has the same sub-folders as the old one, or use {}",
                (Option("accept_missing", True),),
            ),
        )
