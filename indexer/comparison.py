"""What a scan found, compared with what the catalog holds of a folder.

The result tells what must be read, what is back and what is missing.
"""

import os
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from sigseek.indexer.exclusion import is_junk
from sigseek.indexer.failures import is_due
from sigseek.indexer.listing import FoundFile, Listing
from sigseek.indexer.presence import may_be_there
from sigseek.storage import FailureRecord, FileRecord, FileTuple
from sigseek.storage.catalog import path_prefix
from sigseek.storage.records import OtherFile


@dataclass
class Comparison:
    """Everything that names, sizes and times can settle, and the files left to be read.

    All paths are relative to the folder.
    """

    scanned: int
    """Pictures that the scan found."""
    unreadable: dict[str, str]
    """Directories and links that the scan could not look into, and why."""
    changed: list[FoundFile] = field(default_factory=list)
    """Files to be read: new, changed, not embedded by this checkpoint, or to be tried again."""
    known: dict[str, FileRecord] = field(default_factory=dict)
    """The catalog's records of the files in `changed` and `missing`."""
    excluded: list[str] = field(default_factory=list)
    """Known files that are left out from now on."""
    emptied: bool = False
    """Whether the scan left everything out, and so found no picture."""
    other_files: list[OtherFile] = field(default_factory=list)
    """Files that indexing passes over, new or changed."""
    gone_other_files: list[str] = field(default_factory=list)
    """The paths of files that indexing passed over and that are gone."""
    skipped: int = 0
    """How many files that seem to hold photos are passed over."""
    unchanged: int = 0
    refreshed: int = 0
    """Files that are unchanged, but whose sidecars are not."""
    sidecars: dict[str, str | None] = field(default_factory=dict)
    """The sidecars of files by path, where they differ from what the catalog holds."""
    failed: int = 0
    """Files that could not be used before and are still the same."""
    reappeared: list[str] = field(default_factory=list)
    """Files that were missing at the last run and are there now."""
    missing: set[str] = field(default_factory=set)
    """Known files that are not there, including those that were missing at earlier runs."""
    newly_missing: list[str] = field(default_factory=list)
    """The files in `missing` that were there at the last run."""
    present_before: int = 0
    """How many files of the whole folder were there at the last run."""
    resolved_failures: list[str] = field(default_factory=list)
    """Paths whose failures no longer hold: the file is fine again, or gone."""
    unseen_ctimes: dict[str, int] = field(default_factory=dict)
    """The ctime in ns, by path, of unchanged files whose ctime the catalog does not know yet."""
    raw_pairs: dict[FoundFile, str] = field(default_factory=dict)
    """Camera RAW files of which it is not decided whether the picture beside them stands for them,
    with the path of that picture. It is decided once the picture has been read.
    """
    raw_sidecars: dict[str, str] = field(default_factory=dict)
    """The sidecars of the files in `raw_pairs`, by path."""


def compare(
    root: Path,
    inside: PurePath,
    listing: Listing,
    rows: Iterable[FileTuple],
    failures: Sequence[FailureRecord],
    max_pixels: int,
    is_new_raw: Callable[[FoundFile], bool] = lambda raw: False,
    reread: Collection[str] | None = (),
) -> Comparison:
    """Compare the listing of `root`/`inside` with the rows and failures of the whole folder `root`.

    Files in a hidden directory, which were indexed by naming it, are not missing as long as they
    are there: only a scan of that very directory looks into it. A file that failed before and has
    not changed is read again as `sigseek.indexer.failures.is_due` says, of which `max_pixels` is
    this run's limit. `is_new_raw` tells whether a RAW file may have come since the last run. Files
    whose paths are in `reread` are read again in any case; None stands for all files.
    """
    result = Comparison(len(listing.files), listing.unreadable)
    failed = {failure.path: failure for failure in failures}
    unsettled = dict(listing.files)
    for path, failure in failed.items():
        unchanged = unsettled.get(path, ())[:2] == (failure.size, failure.mtime_ns)
        if unchanged and reread is not None and not is_due(failure, max_pixels):
            del unsettled[path]
            result.failed += 1
    others = _settle_known_files(result, unsettled, listing.sidecars, rows, failed, reread)
    result.changed = [FoundFile(path, *found) for path, found in unsettled.items()]
    for path in unsettled:
        before = others[path].sidecars if path in others else None
        if listing.sidecars.get(path) != before:
            result.sidecars[path] = listing.sidecars.get(path)
    result.raw_pairs = {
        raw: jpeg
        for raw, jpeg in listing.raw_pairs.items()
        if raw.path in others or jpeg in unsettled or jpeg in failed or is_new_raw(raw)
    }
    result.raw_sidecars = {
        raw.path: listing.sidecars[raw.path]
        for raw in result.raw_pairs
        if raw.path in listing.sidecars
    }
    _settle_unlisted(result, root, inside, listing, others, failed)
    result.known = {path: others[path] for path in (*unsettled, *result.missing) if path in others}
    result.newly_missing = [path for path in result.missing if not result.known[path].missing]
    return result


def _settle_known_files(
    result: Comparison,
    unsettled: dict[str, tuple[int, int, int | None]],
    sidecars: Mapping[str, str],
    rows: Iterable[FileTuple],
    failed: Collection[str],
    reread: Collection[str] | None,
) -> dict[str, FileRecord]:
    """Take files that are known and unchanged out of `unsettled`, and note in `result` what else is
    new about them. Returns all other known files by path.
    """
    others = {}
    present = unchanged = 0
    to_look_at = {*failed, *(reread or ())}
    sidecars_of = sidecars.get
    for row in rows:  # the one loop over every file, changed or not: no objects, no calls to spare
        path = row[0]
        if not row[5]:
            present += 1
        found = unsettled.get(path)
        if (
            row[4]
            and not row[5]
            and found == row[1:4]
            and row[7] == sidecars_of(path)
            and path not in to_look_at
            and reread is not None
        ):
            del unsettled[path]
            unchanged += 1
        else:
            file = FileRecord.of(row)
            if not _settle_known_file(result, file, unsettled, sidecars, failed, reread):
                others[file.path] = file
    result.present_before += present
    result.unchanged += unchanged
    return others


def _settle_known_file(
    result: Comparison,
    file: FileRecord,
    unsettled: dict[str, tuple[int, int, int | None]],
    sidecars: Mapping[str, str],
    failed: Container[str],
    reread: Collection[str] | None,
) -> bool:
    """Return whether the known file need not be read. If so, take it out of `unsettled`."""
    path = file.path
    found = unsettled.get(path)
    ctime_ns = file.ctime_ns
    if ctime_ns is None and found and found[2] is not None and found[:2] == file[1:3]:
        result.unseen_ctimes[path] = ctime_ns = found[2]
    seen = (file.size, file.mtime_ns, ctime_ns)
    if not file.embedded or found != seen or reread is None or path in reread:
        return False
    del unsettled[path]
    result.unchanged += 1
    if file.sidecars != sidecars.get(path):
        result.refreshed += 1
        result.sidecars[path] = sidecars.get(path)
    if file.missing:
        result.reappeared.append(path)
    if path in failed:
        result.resolved_failures.append(path)
    return True


def _settle_unlisted(
    result: Comparison,
    root: Path,
    inside: PurePath,
    listing: Listing,
    others: Mapping[str, object],
    failed: Mapping[str, object],
) -> None:
    """Find out which files that the scan did not list are left out or gone. Those of `others` are
    known files, those of `failed` could not be used before.
    """
    paired = {raw.path for raw in listing.raw_pairs}
    unlisted = others.keys() - listing.files.keys() - paired
    result.excluded = list(left_out(inside, listing, unlisted))
    unlisted = unlisted.difference(result.excluded)
    result.missing = set(_certainly_gone(root, inside, listing, unlisted))
    undecided = {raw.path for raw in result.raw_pairs}
    unlisted = failed.keys() - listing.files.keys() - undecided
    excluded = left_out(inside, listing, unlisted)
    gone = _certainly_gone(root, inside, listing, unlisted.difference(excluded))
    result.resolved_failures += [*excluded, *gone]


def left_out(inside: PurePath, listing: Listing, unlisted: Iterable[str]) -> dict[str, str]:
    """Return the paths, among those that the scan did not list, that a rule leaves out, each with
    the file or directory that the rule is about.
    """
    if not listing.excluded:
        return {}
    before = path_prefix(inside)
    found = {}
    for path in unlisted:
        if path.startswith(before):
            above = map(str, (path, *PurePath(path).parents))
            ruled = next((part for part in above if part in listing.excluded), None)
            if ruled is not None:
                found[path] = ruled
    return found


def _certainly_gone(
    root: Path, inside: PurePath, listing: Listing, unlisted: Iterable[str]
) -> list[str]:
    """Return the paths, among those that the scan did not list, that certainly do not exist any
    more.
    """
    before = path_prefix(inside)
    unread = tuple("" if path == "." else f"{path}{os.sep}" for path in listing.unreadable)
    return [
        path
        for path in unlisted
        if (path.startswith(before) or path == str(inside))
        and path not in listing.unreadable
        and not path.startswith(unread)
        and not (_passed_over(path, inside) and may_be_there(root / path))
    ]


def _passed_over(path: str, inside: PurePath) -> bool:
    """Return whether a scan that begins at `inside` leaves out a directory on the way to the
    path.
    """
    return any(is_junk(name) for name in PurePath(path).relative_to(inside).parts[:-1])
