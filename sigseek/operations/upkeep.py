"""Folders that moved, and folders, checkpoints and photos that are no longer wanted."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path, PurePath

from sigseek.errors import Call, ErrorKind, Option, Remedy
from sigseek.indexer import FolderError, check_folder, check_folders_below
from sigseek.indexer.presence import is_empty, is_online, is_unplugged, may_be_there
from sigseek.operations.paths import expand
from sigseek.storage import Catalog, CheckpointRecord, FolderRecord, LibraryError
from sigseek.storage.catalog import path_prefix
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.contract import IndexStore

_LOG = logging.getLogger(__name__)
_LOOKED_FOR = 1_000


@dataclass(frozen=True)
class Relocated:
    """A folder's old and new place, and how many files are now known in the new one."""

    old: str
    new: str
    files: int


@dataclass(frozen=True)
class Forgotten:
    """How many files were removed from the library, and photos that had no other file."""

    files: int
    photos: int


@dataclass(frozen=True)
class ForgottenCheckpoint:
    """A checkpoint that was removed from the library, and how many embeddings it had."""

    model: str
    embeddings: int


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
    """How many files are known in a folder, or in a directory inside one.

    Raises what `find_folder` raises.
    """
    folder, inside = find_folder(catalog, path)
    return len(catalog.paths(folder.id, inside))


def tidy(catalog: Catalog, index_store: IndexStore) -> None:
    """After photos were removed: bring the indexes up to date and give back disk space."""
    for record in catalog.checkpoints():
        if record.embeddings:
            index_store.catch_up(CheckpointEmbeddings(catalog, record))
        else:
            index_store.remove(record.token)
    try:
        catalog.compact()
    except LibraryError as error:  # no space for the copy; what was asked for is done
        _LOG.info("the catalog was not compacted: %s", error)


def relocate(catalog: Catalog, old: Path, new: Path, *, accept_missing: bool) -> Relocated:
    """Record that the files of the directory `old` are in `new` now.

    Raises FolderError when the library knows no files in `old`, when `new` is not a readable
    directory, when less than half of the files are in `new` (unless `accept_missing`), and what
    `check_folders_below` raises.
    """
    try:
        folder, inside = find_folder(catalog, old)
    except FolderError:
        if os.path.isdir(expand(old)) and catalog.find_folder(Path(os.path.realpath(expand(new)))):
            swapped = Call("relocate", (str(new), str(old)))
            raise FolderError(
                f"the library knows {new}, not {old}",
                Remedy("give the old place first: {}", (swapped,)),
            ) from None
        raise
    target = check_folder(expand(new))
    before = path_prefix(inside)
    paths = catalog.paths(folder.id, inside)
    source = Path(folder.path, inside)
    if not paths:
        raise FolderError(
            f"the library knows no files in {source}",
            Remedy("see what it knows with: {}", (Call("status"),)),
            ErrorKind.NOT_FOUND,
        )
    looked_for = paths[:: max(1, len(paths) // _LOOKED_FOR)]
    there = sum(os.path.lexists(target / path[len(before) :]) for path in looked_for)
    if there < len(looked_for) / 2 and not accept_missing:
        raise FolderError(
            f"{there or 'none'} of the {len(looked_for):,} files are in {target}, "
            "so nothing was changed",
            Remedy(
                "give the directory that has the same sub-folders as the old one, or use {}",
                (Option("accept_missing", True),),
            ),
        )
    if not catalog.find_folder(target):
        check_folders_below(
            catalog,
            target,
            accept_missing=accept_missing,
            but=folder.id if inside == PurePath() else None,
        )
    with catalog.transaction() as transaction:
        files = transaction.relocate(source, target)
        transaction.remove_photos_without_files()
    return Relocated(str(source), str(target), files)


def forget_folder(catalog: Catalog, path: Path) -> Forgotten:
    """Remove a folder, or a directory inside one that is empty or gone, from the catalog.

    Raises FolderError for a directory whose files the next indexing would only find again.
    """
    folder, inside = find_folder(catalog, path)
    if inside != PurePath() and not is_online(Path(folder.path)):
        raise FolderError(
            f"{folder.path} is offline, so it is unknown which of its files are gone",
            "plug in its drive first",
            ErrorKind.UNAVAILABLE,
        )
    directory = Path(folder.path, inside)
    if inside != PurePath() and may_be_there(directory) and not is_empty(directory):
        raise FolderError(
            f"{directory} is inside {folder.path}, and the next indexing would find it again",
            "move it elsewhere first, or forget the whole folder",
        )
    paths = catalog.paths(folder.id, inside)
    failed = [failure.path for failure in catalog.folder_failures(folder.id)]
    with catalog.transaction() as transaction:
        if inside == PurePath():
            transaction.remove_folder(folder.id)
        else:
            transaction.remove_files(folder.id, paths)
            transaction.remove_failures(
                folder.id, [path for path in failed if path.startswith(path_prefix(inside))]
            )
        photos = transaction.remove_photos_without_files()
    return Forgotten(len(paths), photos)


def prune(catalog: Catalog, older_than: timedelta) -> Forgotten:
    """Forget files that have been missing for longer than that, and photos without other files.

    Files in offline folders and below empty directories are kept, because their drive may only be
    unplugged. So are files that exist after all, and files on drives that cannot be read.
    """
    unplugged = cache(is_unplugged)
    places: dict[str, Path | None] = {}
    """Each folder's path if it is online, else None."""
    gone: dict[int, list[str]] = {}
    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        before = now - older_than
    except OverflowError:  # further back than dates reach
        before = datetime.min
    for folder, path in catalog.missing_files(before):
        if folder.path not in places:
            places[folder.path] = Path(folder.path) if is_online(Path(folder.path)) else None
        place = places[folder.path]
        if place is None or unplugged(place, os.path.dirname(path)):  # noqa: PTH120 - there may be a million
            continue
        if not may_be_there(place / path):
            gone.setdefault(folder.id, []).append(path)
    with catalog.transaction() as transaction:
        for folder_id, paths in gone.items():
            transaction.remove_files(folder_id, paths)
        photos = transaction.remove_photos_without_files()
    return Forgotten(sum(map(len, gone.values())), photos)


def find_checkpoint(catalog: Catalog, name: str) -> CheckpointRecord:
    """The checkpoint with this name, or whose fingerprint begins with it (8 characters or more).

    Raises LibraryError when there is none, or more than one.
    """
    known = catalog.checkpoints()
    names = {
        name,
        str(expand(name).absolute()),
    }  # a directory's name in the library is its absolute path
    found = [record for record in known if record.name in names] or [
        record for record in known if len(name) >= 8 and record.fingerprint.startswith(name)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise LibraryError(
            f"the library has {len(found)} checkpoints called {name}",
            f"give the fingerprint of one: {', '.join(record.fingerprint for record in found)}",
        )
    raise LibraryError(
        f"the library has no checkpoint {name}",
        f"its checkpoints are: {_names(known)}",
        ErrorKind.NOT_FOUND,
    )


def forget_checkpoint(catalog: Catalog, name: str, index_store: IndexStore) -> ForgottenCheckpoint:
    """Remove a checkpoint, its embeddings and its index; raises what `find_checkpoint` raises."""
    record = find_checkpoint(catalog, name)
    with catalog.transaction() as transaction:
        transaction.remove_checkpoint(record.id)
    index_store.remove(record.token)
    return ForgottenCheckpoint(record.name, record.embeddings)


def _names(records: Sequence[CheckpointRecord]) -> str:
    return ", ".join(record.name for record in records) or "none"
