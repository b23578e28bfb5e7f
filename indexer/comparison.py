"""What a scan found, compared with what the catalog holds of a folder.

The result tells what must be read, what is back and what is missing.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import NamedTuple

from sigseek.indexer.exclusion import is_junk
from sigseek.indexer.failures import is_due
from sigseek.indexer.known_files import KnownFiles
from sigseek.indexer.listing import FoundFile, Listing
from sigseek.indexer.packed_list import PackedList
from sigseek.indexer.presence import may_be_there
from sigseek.indexer.raw_pairs import directory_of
from sigseek.indexer.sidecars import beside
from sigseek.paths import is_utf8
from sigseek.storage import FailureRecord, FileRecord, FileTuple
from sigseek.storage.catalog import path_prefix
from sigseek.storage.records import OtherFile


class ChangedFile(NamedTuple):
    """A file to be read."""

    found: FoundFile
    before: FileRecord | None
    """What the catalog holds of it; None for a new file."""


@dataclass
class Comparison:
    """Everything that names, sizes and times can settle, and the files left to be read.

    All paths are relative to the folder.
    """

    scanned: int
    """Pictures that the scan found."""
    unreadable: dict[str, str]
    """Directories and links that the scan could not look into, and why."""
    changed: PackedList[ChangedFile] = field(default_factory=PackedList)
    """Files to be read: new, changed, not embedded by this checkpoint, or to be tried again. Known
    files that are read again in any case come last, so that new photos need not wait.
    """
    known: dict[str, FileRecord] = field(default_factory=dict)
    """The catalog's records of the files in `missing` and `excluded`, and of those in `raw_pairs`
    once these are decided.
    """
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
    """How many files were there at the last run, of the whole folder if any is missing now."""
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

    def records(self) -> Iterator[FileRecord]:
        """Yield the catalog's records of the files in `known` and `changed`."""
        yield from self.known.values()
        for file in self.changed:
            if file.before is not None:
                yield file.before


def compare(
    root: Path,
    inside: PurePath,
    parts: Iterable[Listing],
    known: KnownFiles,
    failures: Sequence[FailureRecord],
    max_pixels: int,
    is_new_raw: Callable[[FoundFile], bool] = lambda raw: False,
    reread: Collection[str] | None = (),
) -> Comparison:
    """Compare what was listed of `root`/`inside`, part by part, with the known files of the folder
    `root`, at least those below `inside`, and with its failures.

    What is in memory grows with a part, with the pictures of a directory until those below it are
    compared, and with what is missing. Of each file that is to be read it takes a few dozen bytes.

    Files in a hidden directory, which were indexed by naming it, are not missing as long as they
    are there: only a scan of that very directory looks into it. A file that failed before and has
    not changed is read again as `sigseek.indexer.failures.is_due` says, of which `max_pixels` is
    this run's limit. `is_new_raw` tells whether a RAW file may have come since the last run. Files
    whose paths are in `reread` are read again in any case; None stands for all files.
    """
    under_way = _UnderWay(failures, max_pixels, is_new_raw, reread)
    for part in parts:
        under_way.add(part)
        if part.complete_before is None:
            under_way.settle_known_files(known.rest())
        else:
            under_way.settle_known_files(known.before(part.complete_before))
        under_way.decide_raw_pairs(part.complete_before)
        under_way.pack_changed(part)
    return under_way.finish(root, inside)


class _UnderWay:
    """A comparison of which the files up to some path are compared."""

    def __init__(
        self,
        failures: Sequence[FailureRecord],
        max_pixels: int,
        is_new_raw: Callable[[FoundFile], bool],
        reread: Collection[str] | None,
    ) -> None:
        self._max_pixels = max_pixels
        self._is_new_raw = is_new_raw
        self._reread = reread
        self._failed = {failure.path: failure for failure in failures}
        self._to_look_at = {*self._failed, *(reread or ())}
        self._result = Comparison(0, {})
        self._found_pictures = False
        self._listing = Listing()
        """What was listed so far: the files that are not settled yet, and all of the rest. A RAW
        file's pair goes to the result once it is decided.
        """
        self._others: dict[str, FileRecord] = {}
        """Known files that are changed or not listed, by path."""
        self._waiting: defaultdict[str, list[str]] = defaultdict(list)
        """The files that are to be read, by directory, as long as RAW files may be listed below it.
        They are in `_listing`, too.
        """
        self._read_last: PackedList[ChangedFile] = PackedList()
        """Files to be read that are read again in any case."""
        self._known_raw_sidecars: dict[str, str | None] = {}
        """The sidecars, as the catalog has them, of settled files that have some in a directory
        below.
        """
        self._unlisted: set[str] = set()
        """The paths of known files that are not listed."""
        self._listed_failures: set[str] = set()
        self._still_failed: set[str] = set()
        """The paths of files that failed before and are not read again."""

    def add(self, part: Listing) -> None:
        """Take in what was listed in some more directories."""
        self._result.scanned += len(part.files)
        self._found_pictures |= bool(part.files or part.raw_pairs)
        self._listing.add(part)
        self._listing.passed_over.clear()  # nobody asks for it
        files = self._listing.files
        for path in part.files.keys() & self._failed.keys():
            self._listed_failures.add(path)
            failure = self._failed[path]
            unchanged = files[path][:2] == (failure.size, failure.mtime_ns)
            if unchanged and self._reread is not None and not is_due(failure, self._max_pixels):
                del files[path]
                self._still_failed.add(path)
                self._result.failed += 1

    def settle_known_files(self, rows: Iterable[FileTuple]) -> None:
        """Take known files that are unchanged out of what was listed, and note what else is new
        about them. All files that were listed before the last of these rows must have been added.
        """
        result, unsettled, sidecars = self._result, self._listing.files, self._listing.sidecars
        present = unchanged = 0
        to_look_at = self._to_look_at
        reread_all = self._reread is None
        sidecars_of = sidecars.get
        for row in rows:  # the one loop over every file: no objects, no calls to spare
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
                and not reread_all
            ):
                del unsettled[path]
                if row[7]:
                    del sidecars[path]
                unchanged += 1
            else:
                file = FileRecord.of(row)
                if not self._settle_known_file(file):
                    self._others[path] = file
                    if found is None and path not in self._still_failed:
                        self._unlisted.add(path)
        result.present_before += present
        result.unchanged += unchanged

    def _settle_known_file(self, file: FileRecord) -> bool:
        """Return whether the known file need not be read. If so, take it out of what was listed."""
        result, path = self._result, file.path
        found = self._listing.files.get(path)
        ctime_ns = file.ctime_ns
        if ctime_ns is None and found and found[2] is not None and found[:2] == file[1:3]:
            result.unseen_ctimes[path] = ctime_ns = found[2]
        seen = (file.size, file.mtime_ns, ctime_ns)
        if not file.embedded or found != seen or self._reread is None or path in self._reread:
            return False
        del self._listing.files[path]
        result.unchanged += 1
        sidecars = self._listing.sidecars.pop(path, None)
        # Nearly all files have no sidecars.
        known_beside = beside(file.sidecars) if file.sidecars else None
        if file.sidecars and known_beside != file.sidecars:
            self._known_raw_sidecars[path] = file.sidecars
        if known_beside != sidecars:
            self._note_sidecars(path, sidecars)
        if file.missing:
            result.reappeared.append(path)
        if path in self._failed:
            result.resolved_failures.append(path)
        return True

    def decide_raw_pairs(self, before: str | None) -> None:
        """Keep the RAW files that a run has to look at, and forget the others, among the pairs that
        come before this path; all pairs for None.
        """
        pairs = self._listing.raw_pairs
        for raw, picture in list(pairs.items()):
            if before is not None and not _comes_before(before, raw.path, picture):
                continue
            del pairs[raw]
            self._settle_raw_sidecars(picture)
            sidecars = self._listing.sidecars.pop(raw.path, None)
            if (
                raw.path in self._others
                or picture in self._listing.files
                or picture in self._failed
                or self._is_new_raw(raw)
            ):
                self._result.raw_pairs[raw] = picture
                if sidecars is not None:
                    self._result.raw_sidecars[raw.path] = sidecars

    def _settle_raw_sidecars(self, picture: str) -> None:
        """Note the sidecars of a picture with those that its RAW file has in a directory below, if
        they are not what the catalog holds.
        """
        now = self._listing.raw_sidecars.pop(picture, None)
        before = self._known_raw_sidecars.pop(picture, None)
        if now is not None and picture in self._listing.files:
            self._listing.sidecars[picture] = now
        elif now != before and picture not in self._still_failed:
            if now is not None:
                self._note_sidecars(picture, now)
            elif picture not in self._result.sidecars:
                self._note_sidecars(picture, beside(before))

    def pack_changed(self, part: Listing) -> None:
        """Hand the files to the result that are to be read, and in whose directories and below them
        all is compared, now that the files before the end of this part are settled.
        """
        before = part.complete_before
        if before is None:
            return  # `finish` hands over the rest
        files = self._listing.files
        for path in part.files:
            if path in files and is_utf8(path):
                self._waiting[directory_of(path)].append(path)
        undecided = set(self._listing.raw_pairs.values())  # of RAW files that are not UTF-8
        for directory in list(self._waiting):
            if _is_complete(directory, before, part.later_directories):
                for path in self._waiting.pop(directory):
                    if path in undecided:
                        self._waiting[directory].append(path)
                    else:
                        self._pack(path)

    def _pack(self, path: str) -> None:
        """Hand a file that is to be read to the result."""
        result, listing, reread = self._result, self._listing, self._reread
        before = self._others.pop(path, None)
        known = before.sidecars if before else None
        sidecars = listing.sidecars.pop(path, None)
        if sidecars != known or (reread is None and sidecars):
            result.sidecars[path] = sidecars
        is_last = before is not None if reread is None else path in reread
        file = ChangedFile(FoundFile(path, *listing.files.pop(path)), before)
        (self._read_last if is_last else result.changed).append(file)

    def _note_sidecars(self, path: str, sidecars: str | None) -> None:
        self._result.refreshed += path not in self._result.sidecars
        self._result.sidecars[path] = sidecars

    def finish(self, root: Path, inside: PurePath) -> Comparison:
        """Return the result, now that everything was added and settled."""
        result, listing, others = self._result, self._listing, self._others
        for picture in list(self._known_raw_sidecars):  # those whose RAW file is gone
            self._settle_raw_sidecars(picture)
        result.unreadable = listing.unreadable
        result.emptied = not self._found_pictures and bool(listing.excluded)
        for path in list(listing.files):
            self._pack(path)
        for file in self._read_last:
            result.changed.append(file)
        self._settle_unlisted(root, inside)
        result.known = {
            path: others[path] for path in (*result.missing, *result.excluded) if path in others
        }
        result.newly_missing = [path for path in result.missing if not others[path].missing]
        return result

    def _settle_unlisted(self, root: Path, inside: PurePath) -> None:
        """Find out which files that the scan did not list are left out or gone."""
        result, listing = self._result, self._listing
        undecided = {raw.path for raw in result.raw_pairs}
        unlisted = self._unlisted - undecided
        result.excluded = list(left_out(inside, listing, unlisted))
        unlisted.difference_update(result.excluded)
        result.missing = set(_certainly_gone(root, inside, listing, unlisted))
        unlisted = self._failed.keys() - self._listed_failures - undecided
        excluded = left_out(inside, listing, unlisted)
        gone = _certainly_gone(root, inside, listing, unlisted.difference(excluded))
        result.resolved_failures += [*excluded, *gone]


def _comes_before(path: str, *others: str) -> bool:
    """Return whether the others come before the path, as scans and the catalog order paths."""
    return all(other < path and is_utf8(other) for other in others)


def _is_complete(directory: str, before: str, later: Iterable[str]) -> bool:
    """Return whether all paths in the directory and below it come before this path, and none of the
    later ones is there.
    """
    first = f"{directory}{os.sep}"
    is_before = bool(directory) and first < before and not before.startswith(first)
    return is_before and not any(path.startswith(first) for path in later)


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
