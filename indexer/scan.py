"""The pictures below a folder: names, sizes and times only, nothing is opened."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from indexer.formats import PICTURES

_JUNK = frozenset({"@eadir", "#recycle", "#snapshot", "$recycle.bin", "system volume information", "__macosx", "lost+found"})


@dataclass(frozen=True)
class FoundFile:
    """A picture's path relative to the folder, its size in bytes and its time of change."""

    path: str
    size: int
    mtime_ns: int


@dataclass
class Listing:
    """What a scan found; `unreadable` are directories and links that could not be looked into, and why."""

    files: list[FoundFile] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def scan_folder(root: Path, inside: PurePath) -> Listing:
    """All pictures below `root`/`inside`, in the order of their paths, hidden and system directories left out.

    Links to files are followed, links to directories are not. A directory that cannot be read is noted and passed over.
    """
    listing = Listing()
    for entry, relative in _walk(root, inside, listing.unreadable):
        if Path(entry.name).suffix.lower() not in PICTURES:
            continue
        try:
            status = entry.stat()
        except OSError as error:
            listing.unreadable[relative] = f"cannot be looked at: {error.strerror}"
            continue
        if stat.S_ISREG(status.st_mode):  # a pipe or a device of that name would hang whoever reads it
            listing.files.append(FoundFile(relative, status.st_size, status.st_mtime_ns))
    return listing


def is_online(root: Path) -> bool:
    """Whether a folder that had photos is really there: an unmounted drive leaves an empty directory or none."""
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def is_junk(name: str) -> bool:
    """Whether a file or directory of this name is hidden or some system's own."""
    return name.startswith(".") or name.lower() in _JUNK


def _walk(root: Path, inside: PurePath, unreadable: dict[str, str]) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Every visible entry that is no directory, with its path relative to `root`; iterative, for deep trees."""
    waiting = [inside]
    while waiting:
        directory = waiting.pop()
        try:
            with os.scandir(root / directory) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            unreadable[str(directory)] = f"the directory cannot be read: {error.strerror}"
            continue
        below = []
        for entry in entries:
            if is_junk(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                below.append(directory / entry.name)
            else:
                yield entry, str(directory / entry.name)
        waiting += reversed(below)
