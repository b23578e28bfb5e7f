"""What a scan found against what the catalog holds of a folder: what must be read, what is back, what is gone."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from sigseek.indexer.scan import FoundFile, Listing, is_junk
from sigseek.storage import FailureRecord, FileRecord, FileRow
from sigseek.storage.catalog.transaction import beginning


@dataclass
class Comparison:
    """All that names, sizes and times can settle, in paths relative to the folder, and the files
    left to be read.
    """

    listed: int
    """Pictures that the scan found."""
    unreadable: dict[str, str]
    """What it could not look into, and why."""
    changed: list[FoundFile] = field(default_factory=list)
    """To be read: new, changed, not embedded by this checkpoint, or to be tried again."""
    known: dict[str, FileRecord] = field(default_factory=dict)
    """What the catalog holds of the files in `changed` and `gone`."""
    unchanged: int = 0
    failed: int = 0
    """Files that could not be used before and are still the same."""
    back: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)
    """Known files that are not there, those of earlier runs included."""
    lost: list[str] = field(default_factory=list)
    """Of these, the ones that were there at the last run."""
    present: int = 0
    """Files of the whole folder that were there at the last run."""
    over: list[str] = field(default_factory=list)
    """Failures that are none any more."""
    beside: dict[FoundFile, str] = field(default_factory=dict)
    """Camera RAW that is known or whose JPEG is not, and the path of that JPEG."""


def compare(
    root: Path,
    inside: PurePath,
    listing: Listing,
    rows: Iterable[FileRow],
    failures: Sequence[FailureRecord],
) -> Comparison:
    """Compare the listing of `root`/`inside` with the rows and failures of the whole folder `root`.

    Files in a hidden directory, which were indexed by naming it, are not gone as long as they are
    there: only a scan of that very directory looks into it.
    """
    result = Comparison(len(listing.files), listing.unreadable)
    failed = {failure.path: failure for failure in failures}
    unsettled = dict(listing.files)
    for path, failure in failed.items():
        if unsettled.get(path) == (failure.size, failure.mtime_ns):
            del unsettled[path]
            result.failed += 1
    others: dict[str, FileRow] = {}
    for row in rows:  # the one loop over every file, changed or not: no objects, no calls to spare
        path = row[0]
        if not row[4]:
            result.present += 1
        if row[3] and unsettled.get(path) == row[1:3]:
            del unsettled[path]
            result.unchanged += 1
            if row[4]:
                result.back.append(path)
            if path in failed:
                result.over.append(path)
        else:
            others[path] = row
    result.changed = [
        FoundFile(path, size, mtime_ns) for path, (size, mtime_ns) in unsettled.items()
    ]
    result.beside = {
        raw: jpeg
        for raw, jpeg in listing.beside.items()
        if raw.path in others or jpeg in unsettled or jpeg in failed
    }
    beside = {raw.path for raw in listing.beside}
    result.gone = set(_gone(root, inside, listing, others.keys() - listing.files.keys() - beside))
    undecided = {raw.path for raw in result.beside}
    result.over += _gone(root, inside, listing, failed.keys() - listing.files.keys() - undecided)
    result.known = {
        path: FileRecord._make(others[path])
        for path in (*unsettled, *result.gone)
        if path in others
    }
    result.lost = [path for path in result.gone if not result.known[path].missing]
    return result


def _gone(root: Path, inside: PurePath, listing: Listing, unlisted: Iterable[str]) -> list[str]:
    """Of the paths that the scan did not list, those that are certainly not there any more."""
    before = beginning(inside)
    shut = tuple("" if path == "." else f"{path}{os.sep}" for path in listing.unreadable)
    return [
        path
        for path in unlisted
        if (path.startswith(before) or path == str(inside))
        and path not in listing.unreadable
        and not path.startswith(shut)
        and not (_passed_over(path, inside) and may_be_there(root / path))
    ]


def _passed_over(path: str, inside: PurePath) -> bool:
    """Whether a scan that begins at `inside` leaves out one of the directories on the way to the
    path.
    """
    return any(is_junk(name) for name in PurePath(path).relative_to(inside).parts[:-1])


def may_be_there(path: Path) -> bool:
    """Whether there is something by that name, or nobody can tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # a directory on the way that may not be entered
        return True
    return True
