"""What keeps a library right besides indexing: folders that moved, folders, checkpoints and photos that are wanted no more."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path, PurePath

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
    """A folder's new place and the files that are known to lie in it."""

    old: str
    new: str
    files: int


@dataclass(frozen=True)
class Forgotten:
    """What is not in the library any more: files, and photos that lay nowhere else."""

    files: int
    photos: int


@dataclass(frozen=True)
class ForgottenCheckpoint:
    """A checkpoint that is not in the library any more, with its embeddings."""

    model: str
    embeddings: int


def find_folder(catalog: Catalog, path: Path) -> tuple[FolderRecord, PurePath]:
    """The library's folder that the path, which need not be there, is or lies in, and where in it;
    FolderError for another.
    """
    path = expand(path)
    plain = Path(os.path.abspath(path))  # noqa: PTH100 - unlike Path.absolute, without ".."
    found = catalog.find_folder(plain) or catalog.find_folder(Path(os.path.realpath(path)))
    if found is None:
        known = ", ".join(folder.path for folder in catalog.folders()) or "none"
        raise FolderError(f"{plain} is no folder of the library; those are: {known}")
    return found


def count_known_files(catalog: Catalog, path: Path) -> int:
    """How many files are known in a folder, or in a directory inside one; FolderError as `find_folder`
    raises it.
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
    """Have what is known of the directory `old` lie in `new`.

    FolderError when nothing is known of `old`, `new` is no readable directory, or, unless
    `accept_missing`, less than half of the files are there, and as `check_folders_below` raises it.
    """
    try:
        folder, inside = find_folder(catalog, old)
    except FolderError:
        if os.path.isdir(expand(old)) and catalog.find_folder(Path(os.path.realpath(expand(new)))):
            raise FolderError(
                f"the library knows {new}, not {old}; name the old place first: sigseek relocate {new} {old}"
            ) from None
        raise
    target = check_folder(expand(new))
    before = path_prefix(inside)
    paths = catalog.paths(folder.id, inside)
    source = Path(folder.path, inside)
    if not paths:
        raise FolderError(
            f"the library knows no files in {source}; see what it knows with: sigseek status"
        )
    looked_for = paths[:: max(1, len(paths) // _LOOKED_FOR)]
    there = sum(os.path.lexists(target / path[len(before) :]) for path in looked_for)
    if there < len(looked_for) / 2 and not accept_missing:
        raise FolderError(
            f"of {len(looked_for):,} files looked for in {target} only {there:,} are there, and nothing was changed; "
            "name the directory that now holds them just as the old one did, or go on with --yes"
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
    """Forget what is known of a folder, or of a directory in one that is empty or not there any
    more.

    FolderError for a directory that the next run over its folder would only find again.
    """
    folder, inside = find_folder(catalog, path)
    if inside != PurePath() and not is_online(Path(folder.path)):
        raise FolderError(
            f"{folder.path} is not there now, so nobody can tell what is gone from it; plug in its drive first"
        )
    directory = Path(folder.path, inside)
    if inside != PurePath() and may_be_there(directory) and not is_empty(directory):
        raise FolderError(
            f"{directory} lies in {folder.path}, and would be found again when that is indexed; move it elsewhere "
            "first, or forget the whole folder"
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
    """Forget files that have been missing for that long, and photos that had no others.

    Kept are those in folders that are offline or below an empty directory, which an unplugged drive
    leaves; and those that are there after all, and wait for the next indexing, or that nobody can
    tell of.
    """
    unplugged = cache(is_unplugged)
    places: dict[str, Path | None] = {}
    """Of folders that are online."""
    gone: dict[int, list[str]] = {}
    now = datetime.now(UTC).replace(tzinfo=None)
    try:
        before = now - older_than
    except OverflowError:  # longer ago than there are dates for
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
    """The library's checkpoint of this name or whose fingerprint begins so; LibraryError for none
    or several.
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
            f"{name} is {len(found)} checkpoints here; name one by the fingerprint that sigseek status --json shows"
        )
    raise LibraryError(f"the library has nothing of a checkpoint {name}; it has: {_names(known)}")


def forget_checkpoint(catalog: Catalog, name: str, index_store: IndexStore) -> ForgottenCheckpoint:
    """Forget a checkpoint, all that it embedded and its index; LibraryError as `find_checkpoint`
    raises it.
    """
    record = find_checkpoint(catalog, name)
    with catalog.transaction() as transaction:
        transaction.remove_checkpoint(record.id)
    index_store.remove(record.token)
    return ForgottenCheckpoint(record.name, record.embeddings)


def _names(records: Sequence[CheckpointRecord]) -> str:
    return ", ".join(record.name for record in records) or "none"
