"""Which folders can be indexed, and what keeps a run from changing what is known of them."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sigseek.disk import ask
from sigseek.errors import Call, ErrorKind, Option, Remedy
from sigseek.indexer.comparison import Comparison
from sigseek.indexer.errors import FolderError
from sigseek.indexer.presence import is_directory, is_online
from sigseek.storage import Catalog, FolderRecord


def check_folder(path: Path) -> Path:
    """Return the folder's absolute path without links. Raises FolderError unless it is a readable
    directory.
    """
    try:
        found = ask(path.absolute(), lambda: _resolve_directory(path), None)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        # ValueError is for a name that no file can have
        if os.path.exists(path):
            raise FolderError(
                f"{path.absolute()} is a file", "name the folder that it is in", ErrorKind.INVALID
            ) from error
        raise FolderError(
            f"there is no folder {path.absolute()}",
            "check the name, or plug in the drive that it is on",
            ErrorKind.NOT_FOUND,
        ) from error
    except OSError as error:
        raise FolderError(
            f"the folder {path.absolute()} cannot be read ({error.strerror})",
            "check its permissions",
            ErrorKind.UNAVAILABLE,
        ) from error
    if found is None:
        raise silent_disk(path)
    return found


def silent_disk(folder: Path) -> FolderError:
    """Return what is wrong with a folder whose disk does not answer."""
    return FolderError(
        f"the disk of {folder} does not answer; what was done is kept",
        "check the drive or the network, then index again",
        ErrorKind.UNAVAILABLE,
    )


def count_offline(catalog: Catalog, folder: FolderRecord, *, accept_missing: bool) -> int:
    """Return how many files are known of a folder that is not there now; 0 for a folder that is.

    An empty folder counts as not there, since an unplugged drive leaves one; with `accept_missing`
    it is what it seems.
    """
    path = Path(folder.path)
    if is_online(path) or (accept_missing and is_directory(path)):
        return 0
    return count_files(catalog, folder)


def count_files(catalog: Catalog, folder: FolderRecord) -> int:
    """Return how many files are known of a folder, missing ones too."""
    return sum(catalog.file_counts().get(folder.id, (0, 0)))


def check_folders_below(
    catalog: Catalog, root: Path, *, accept_missing: bool, but: int | None = None
) -> None:
    """Raise FolderError when a known folder with files is below `root` and offline, except the one
    of id `but`. Merging it into `root`, which is online, would mark its files missing.
    """
    for folder in catalog.folders():
        below = folder.id != but and root in Path(folder.path).parents
        if below and count_offline(catalog, folder, accept_missing=accept_missing):
            raise FolderError(
                f"{folder.path} is offline and would become part of {root}",
                Remedy(
                    "plug in its drive first; if it has moved: {}; if it is gone for good: {}",
                    (Call("relocate", (folder.path, "NEW")), Call("forget", (folder.path,))),
                ),
                ErrorKind.UNAVAILABLE,
            )


def check_losses(found: Sequence[tuple[Path, Comparison]]) -> None:
    """Raise FolderError when a folder lost more than half of its files. Files that seem to have
    moved elsewhere do not count.

    A drive that was unplugged, replaced by another, or half restored looks like this.
    """
    for root, one in found:
        records = (one.known[path] for path in one.newly_missing)
        lost = Counter((file.size, file.mtime_ns) for file in records)
        most = one.present_before / 2
        if lost.total() <= most:
            continue
        moved = Counter(
            (file.found.size, file.found.mtime_ns)
            for _, other in found
            for file in other.changed
            if file.before is None and (file.found.size, file.found.mtime_ns) in lost
        )
        gone = (lost - moved).total()
        if gone > most:
            raise FolderError(
                f"{gone:,} of {one.present_before:,} files in {root} are gone, "
                "and nothing was changed",
                Remedy(
                    "plug in the drive; if they were moved, use: {}; if they are really gone: {}",
                    (Call("relocate", ("OLD", "NEW")), Option("accept_missing", True)),
                ),
                ErrorKind.UNAVAILABLE,
            )


def _resolve_directory(path: Path) -> Path:
    """Return the directory's absolute path without links. Raises OSError when it cannot be read."""
    with os.scandir(path):
        return path.resolve()
