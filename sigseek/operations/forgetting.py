"""Folders, checkpoints and missing files that are no longer wanted in a library."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path, PurePath

from sigseek.errors import Call, ErrorKind, Remedy
from sigseek.indexer import FolderError
from sigseek.indexer.presence import is_empty, is_online, is_unplugged, may_be_there
from sigseek.operations.location import LibraryLocation
from sigseek.operations.system_folders import find_folder
from sigseek.paths import typed_path
from sigseek.storage import Catalog, CheckpointRecord, FolderRecord, LibraryError
from sigseek.storage.catalog import path_prefix
from sigseek.storage.catalog.paths import literal_pattern
from sigseek.storage.embeddings import CheckpointEmbeddings

_LOG = logging.getLogger(__name__)


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


@contextmanager
def _removing(library: LibraryLocation) -> Iterator[Catalog]:
    """Give the catalog to remove something from; then tidy the indexes and give back disk space."""
    with library.changing() as catalog:
        yield catalog
        for record in catalog.checkpoints():
            if record.embeddings:
                library.index_store.catch_up(CheckpointEmbeddings(catalog, record))
            else:
                library.index_store.remove(record.token)
        try:
            catalog.compact()
        except LibraryError as error:  # no space for the copy; what was asked for is done
            _LOG.info("the catalog was not compacted: %s", error)


def count_forgettable_files(catalog: Catalog, path: Path, keep: Sequence[Path]) -> int:
    """Count the files that `forget_folder` would remove; raises what it would raise."""
    folder, inside = find_folder(catalog, path)
    _check_it_stays_away(folder, inside)
    _check_it_is_known(catalog, folder, inside)
    kept = _directories_to_keep(catalog, folder, inside, keep)
    return _count_files(catalog, folder, inside, kept)


def forget_folder(library: LibraryLocation, path: Path, keep: Sequence[Path]) -> Forgotten:
    """Remove a folder, or a directory inside one that is empty or gone, from the library.

    Directories to `keep`, inside of the folder, become folders of their own. Raises FolderError for
    a directory whose files the next indexing would only find again, for one to keep that is not
    inside of the folder, and for one in which the library knows no file.
    """
    with _removing(library) as catalog:
        folder, inside = find_folder(catalog, path)
        _check_it_stays_away(folder, inside)
        _check_it_is_known(catalog, folder, inside)
        kept = _directories_to_keep(catalog, folder, inside, keep)
        files = _count_files(catalog, folder, inside, kept)
        failed = [failure.path for failure in catalog.folder_failures(folder.id)]
        lost_before = set(catalog.photos_without_files())  # `index` knows which of them may return
        with catalog.transaction() as transaction:
            for directory in kept:
                transaction.split_folder(folder.id, directory)
            if inside == PurePath():
                transaction.remove_folder(folder.id)
            else:
                transaction.remove_files_below(folder.id, inside)
                transaction.remove_failures(
                    folder.id, [path for path in failed if path.startswith(path_prefix(inside))]
                )
            photos = transaction.remove_photos_without_files(keep=lost_before)
    return Forgotten(files, photos)


def _count_files(
    catalog: Catalog, folder: FolderRecord, inside: PurePath, kept: Sequence[PurePath]
) -> int:
    """Return how many files the library knows in the directory, but for those to keep."""
    count = catalog.count_files_below(folder.id, inside)
    return count - sum(catalog.count_files_below(folder.id, directory) for directory in kept)


def _directories_to_keep(
    catalog: Catalog, folder: FolderRecord, inside: PurePath, keep: Sequence[Path]
) -> list[PurePath]:
    """Return where in the folder the directories to keep are, none inside another."""
    found = []
    for path in keep:
        holder, directory = find_folder(catalog, path)
        if inside != PurePath() or holder.id != folder.id or directory == PurePath():
            raise FolderError(
                f"{path} is not inside of {Path(folder.path, inside)}, or that is not itself a "
                "folder of the library",
                "name directories to keep that are inside of a folder to forget",
            )
        _check_it_is_known(catalog, folder, directory)
        found.append(directory)
    return [
        directory
        for directory in dict.fromkeys(found)
        if not any(other in directory.parents for other in found)
    ]


def _check_it_is_known(catalog: Catalog, folder: FolderRecord, inside: PurePath) -> None:
    """Raise FolderError for a directory in which the library knows no file: its name is mistyped,
    most likely. The folder itself may be empty.
    """
    if inside == PurePath() or catalog.has_files_below(Path(folder.path, inside)):
        return
    prefix = path_prefix(inside)
    if not any(failure.path.startswith(prefix) for failure in catalog.folder_failures(folder.id)):
        raise FolderError(
            f"the library knows no file in {Path(folder.path, inside)}",
            "check the path",
            ErrorKind.NOT_FOUND,
        )


def _check_it_stays_away(folder: FolderRecord, inside: PurePath) -> None:
    """Raise FolderError for a directory whose files the next indexing would find again."""
    if inside != PurePath() and not is_online(Path(folder.path)):
        raise FolderError(
            f"{folder.path} is offline, so it is unknown which of its files are gone",
            "plug in its drive first",
            ErrorKind.UNAVAILABLE,
        )
    directory = Path(folder.path, inside)
    if inside != PurePath() and may_be_there(directory) and not is_empty(directory):
        pattern = f"/{literal_pattern(inside)}/"
        raise FolderError(
            f"{directory} is inside {folder.path}, and the next indexing would find it again",
            Remedy(
                "to leave it out from now on: {}",
                (Call("index", (folder.path,), (("exclude", (pattern,)),)),),
            ),
        )


def prune(library: LibraryLocation, older_than: timedelta) -> Forgotten:
    """Forget files that have been missing for longer than that, and photos without other files.

    Files in offline folders and below empty directories are kept, because their drive may only be
    unplugged. So are files that exist after all, and files on drives that cannot be read.
    """
    if not isinstance(older_than, timedelta):
        raise FolderError(
            f"older_than must be a timedelta, and is {older_than!r}",
            "write timedelta(days=30), for example",
        )
    with _removing(library) as catalog:
        gone = _gone_for_good(catalog, older_than)
        lost_before = set(catalog.photos_without_files())  # as in `forget_folder`
        with catalog.transaction() as transaction:
            for folder_id, paths in gone.items():
                transaction.remove_files(folder_id, paths)
            photos = transaction.remove_photos_without_files(keep=lost_before)
    return Forgotten(sum(map(len, gone.values())), photos)


def _gone_for_good(catalog: Catalog, older_than: timedelta) -> dict[int, list[str]]:
    """Return by folder id the paths of the missing files that `prune` forgets."""
    unplugged = cache(is_unplugged)
    places: dict[str, Path | None] = {}
    """Each folder's path if it is online, else None."""
    gone: dict[int, list[str]] = {}
    try:
        before = catalog.now() - older_than
    except OverflowError:  # further back than dates reach
        before = datetime.min.replace(tzinfo=UTC)
    for folder, path in catalog.missing_files(before):
        if folder.path not in places:
            places[folder.path] = Path(folder.path) if is_online(Path(folder.path)) else None
        place = places[folder.path]
        if place is None or unplugged(place, os.path.dirname(path)):  # noqa: PTH120 - there may be a million
            continue
        if not may_be_there(place / path):
            gone.setdefault(folder.id, []).append(path)
    return gone


def find_checkpoint(catalog: Catalog, name: str) -> CheckpointRecord:
    """Return the checkpoint of this name, or whose fingerprint begins with it (8 characters or
    more).

    Raises LibraryError when there is none, or more than one.
    """
    known = catalog.checkpoints()
    # A directory's name in the library is its absolute path.
    names = {name, str(typed_path(name).absolute())} if name else set[str]()
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


def forget_checkpoint(library: LibraryLocation, name: str) -> ForgottenCheckpoint:
    """Remove a checkpoint, its embeddings and its index; raises what `find_checkpoint` raises."""
    with _removing(library) as catalog:
        record = find_checkpoint(catalog, name)
        with catalog.transaction() as transaction:
            transaction.remove_checkpoint(record.id)
        library.index_store.remove(record.token)
    return ForgottenCheckpoint(record.name, record.embeddings)


def _names(records: Sequence[CheckpointRecord]) -> str:
    return ", ".join(record.name for record in records) or "none"
