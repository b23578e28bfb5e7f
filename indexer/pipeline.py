"""The way of a photo into the library: scan, compare with the catalog, hash, decode, embed, store."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePath

from sigseek.indexer.comparison import Comparison, compare
from sigseek.indexer.errors import FolderError
from sigseek.indexer.ledger import IndexReport, Progress, RunProgress
from sigseek.indexer.presence import is_online
from sigseek.indexer.scan import FoundFile, Listing, scan_folder
from sigseek.siglip import ImageTower, Preprocessing
from sigseek.storage import Catalog, CheckpointRecord, FailureRecord, FileRecord, FolderRecord
from sigseek.storage.catalog import path_prefix


class Indexer:
    """Brings folders of a library up to date for one checkpoint.

    `tower` is called once, when the first photo has to be embedded: a run that finds nothing new
    loads no model. Larger pictures than `max_pixels` are failures; None is what half of the memory
    is enough for.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        preprocessing: Preprocessing,
        tower: Callable[[], ImageTower],
        on_progress: Callable[[Progress], None] = lambda progress: None,
        max_pixels: int | None = None,
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._preprocessing = preprocessing
        self._load_tower = tower
        self._max_pixels = max_pixels
        self._tower: ImageTower | None = None
        self._gone: dict[int, set[str]] = {}
        """By folder id, the files that the report counts as missing."""
        self._progress = RunProgress(IndexReport(model=checkpoint.name), on_progress)
        self.report = self._progress.report

    def run(self, paths: Sequence[Path], *, accept_missing: bool = False) -> IndexReport:
        """Index the folders at `paths`, all that are known when there are none.

        Every batch is stored as it is done, so an interrupted run loses at most the one in flight
        and the next run goes on from there. The paths are what `check_folder` returned.
        FolderError, with the catalog as it was, when more than half of a folder's files are not to
        be found any more, unless `accept_missing`, and as `check_folders_below` raises it.
        """
        places = self._places(paths, accept_missing)
        compared = [(root, inside, self._compare(root, inside)) for root, inside in places]
        if not accept_missing:
            _check_losses([(root, found) for root, _, found in compared])
        with self._catalog.transaction() as transaction:
            work = [
                (transaction.add_folder(root)[0], inside, found) for root, inside, found in compared
            ]
        for folder, _, found in work:
            self._settle(folder, found)
        self._progress.start()
        self._take_in([(folder, found) for folder, _, found in work])
        self._take_in(
            [
                (folder, self._decide(folder, inside, found.raw_pairs))
                for folder, inside, found in work
                if found.raw_pairs
            ]
        )
        with self._catalog.transaction() as transaction:
            for folder, inside, *_ in work:
                if inside == PurePath():
                    transaction.finish_folder(folder.id)
            if self._catalog.count_photos_without_files():  # of this run, or of one that was killed
                transaction.remove_photos_without_files()
        return self._progress.finish()

    def _places(self, paths: Sequence[Path], accept_missing: bool) -> list[tuple[Path, PurePath]]:
        """The folders to go through, known or new, and where in them to begin; those that are not
        there are counted offline.
        """
        roots = [
            root
            for root in dict.fromkeys(paths)
            if not any(root != other and root.is_relative_to(other) for other in paths)
        ]
        places = []
        for root in roots if paths else [Path(folder.path) for folder in self._catalog.folders()]:
            known = self._catalog.find_folder(root)
            if known is None:
                check_folders_below(self._catalog, root, accept_missing=accept_missing)
                places.append((root, PurePath()))
            elif offline := _offline_files(self._catalog, known[0], accept_missing):
                self.report.offline += offline
            else:
                places.append((Path(known[0].path), known[1]))
        return places

    def _compare(self, root: Path, inside: PurePath) -> Comparison:
        """Scan a folder, and find out what names, sizes and times can tell. Changes nothing.

        A new folder is compared with the known ones below it, which are to become part of it.
        """
        listing = scan_folder(root, inside)
        rows: list[Iterable[FileRecord]] = []
        failures: list[FailureRecord] = []
        for folder in self._catalog.folders():
            if Path(folder.path).is_relative_to(root):
                before = path_prefix(PurePath(folder.path).relative_to(root))
                files = self._catalog.files(folder.id, self._checkpoint.id)
                rows.append(_below(before, files) if before else files)
                failures += [
                    replace(failure, path=before + failure.path)
                    for failure in self._catalog.folder_failures(folder.id)
                ]
        return compare(root, inside, listing, chain.from_iterable(rows), failures)

    def _settle(self, folder: FolderRecord, found: Comparison) -> None:
        """Write down and count what no file has to be read for."""
        with self._catalog.transaction() as transaction:
            transaction.mark_present(folder.id, found.reappeared)
            transaction.mark_missing(folder.id, found.newly_missing)
            transaction.remove_failures(folder.id, found.resolved_failures)
            for path, reason in found.unreadable.items():
                transaction.put_failure(folder.id, FailureRecord(path, reason, None, None))
        self.report.scanned += found.scanned
        self.report.unchanged += found.unchanged
        self.report.failed += found.failed
        self.report.missing += len(found.missing)
        self._gone.setdefault(folder.id, set()).update(found.missing)
        self._progress.done += found.scanned - len(found.changed)

    def _decide(
        self, folder: FolderRecord, inside: PurePath, beside: Mapping[FoundFile, str]
    ) -> Comparison:
        """Camera RAW go from the catalog whose JPEG has come in; the others are files like any, for
        theirs gives no picture.
        """
        pairs = {path for raw, jpeg in beside.items() for path in (raw.path, jpeg)}
        rows = {
            row[0]: row
            for row in self._catalog.files(folder.id, self._checkpoint.id)
            if row[0] in pairs
        }
        come_in = {
            path for path, row in rows.items() if not row[4]
        }  # a missing one may not have come back as a picture
        given_way = [raw.path for raw, jpeg in beside.items() if jpeg in come_in]
        with self._catalog.transaction() as transaction:
            transaction.remove_files(folder.id, given_way)
            transaction.remove_failures(folder.id, given_way)
        alone = Listing(
            {
                raw.path: (raw.size, raw.mtime_ns)
                for raw, jpeg in beside.items()
                if jpeg not in come_in
            }
        )
        known = [rows[path] for path in alone.files if path in rows]
        failures = [
            failure
            for failure in self._catalog.folder_failures(folder.id)
            if failure.path in alone.files
        ]
        found = compare(Path(folder.path), inside, alone, known, failures)
        self._settle(folder, found)
        return found

    def _take_in(self, work: Sequence[tuple[FolderRecord, Comparison]]) -> None:
        """Hash, decode, embed and store what is new or changed in the folders."""
        work = [(folder, found) for folder, found in work if found.changed]
        if not work:
            return
        from sigseek.indexer.decoding.guarded import (
            GuardedDecoder,  # Pillow and numpy come with these
        )
        from sigseek.indexer.ingest import FolderIngest

        with GuardedDecoder(self._preprocessing, self._max_pixels) as decoders:
            for folder, found in work:
                FolderIngest(
                    self._catalog,
                    self._checkpoint,
                    decoders,
                    self.tower,
                    self._progress,
                    folder,
                    found,
                    self._gone,
                ).run()

    def tower(self) -> ImageTower:
        """The image tower, loaded at the first call."""
        if self._tower is None:
            from sigseek.indexer.ingest import THREADS

            with self._progress.loading():
                self._tower = self._load_tower()
            report, tower = self.report, self._tower
            report.device, report.runtime, report.precision = (
                tower.device,
                tower.runtime,
                tower.precision,
            )
            report.batch, report.threads = tower.batch, THREADS
        return self._tower


def _below(before: str, rows: Iterable[FileRecord]) -> Iterator[FileRecord]:
    return (row._replace(path=before + row.path) for row in rows)


def _offline_files(catalog: Catalog, folder: FolderRecord, accept_missing: bool) -> int:
    """How many files are known of a folder that is not there now; 0 for one that is.

    An empty one is not, for that is what an unplugged drive leaves; unless `accept_missing`: then
    it is what it seems.
    """
    path = Path(folder.path)
    if is_online(path) or (accept_missing and path.is_dir()):
        return 0
    return sum(catalog.file_counts().get(folder.id, (0, 0)))


def _check_losses(found: Sequence[tuple[Path, Comparison]]) -> None:
    """FolderError when a folder lost more than half of its files, those not counted that seem to
    lie elsewhere now.

    That is what a drive looks like that was unplugged, replaced by another, or half restored.
    """
    new = Counter(
        (file.size, file.mtime_ns)
        for _, one in found
        for file in one.changed
        if file.path not in one.known
    )
    for root, one in found:
        lost = [one.known[path] for path in one.newly_missing]
        moved = sum((Counter((file.size, file.mtime_ns) for file in lost) & new).values())
        if len(lost) - moved > one.present_before / 2:
            raise FolderError(
                f"{len(lost) - moved:,} of {one.present_before:,} files in {root} are not there any more, and nothing was changed; "
                "plug in the drive, tell where they are with: sigseek relocate OLD NEW, or go on with: sigseek index --yes"
            )


def check_folder(path: Path) -> Path:
    """The folder's absolute path without links; FolderError unless it is a readable directory."""
    try:
        with os.scandir(path):
            return path.resolve()
    except (
        FileNotFoundError,
        NotADirectoryError,
        ValueError,
    ) as error:  # ValueError for a name that no file can have
        if os.path.exists(path):
            raise FolderError(f"{path} is a file; name the folder it lies in") from error
        raise FolderError(
            f"no folder {path}; check the name, or plug in the drive it is on"
        ) from error
    except OSError as error:
        raise FolderError(
            f"the folder {path} cannot be read ({error.strerror}); check its permissions"
        ) from error


def check_folders_below(
    catalog: Catalog, root: Path, *, accept_missing: bool, but: int | None = None
) -> None:
    """FolderError when a known folder with files lies below `root` and is offline: as part of a new
    folder there, which is online, its files would be missing. The folder of id `but` may be.
    """
    for folder in catalog.folders():
        below = folder.id != but and root in Path(folder.path).parents
        if below and _offline_files(catalog, folder, accept_missing):
            raise FolderError(
                f"{folder.path} is offline and would become part of {root}; plug in its drive first, or drop it with: "
                f"sigseek forget {folder.path}"
            )
