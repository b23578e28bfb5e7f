"""The comparison of folders on disk with what the catalog knows of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path, PurePath

from sigseek.indexer.comparison import Comparison, compare
from sigseek.indexer.scan import Listing, scan_folder
from sigseek.progress import Stop
from sigseek.storage import Catalog, CheckpointRecord, FailureRecord, FileRecord, FolderRecord
from sigseek.storage.catalog import path_prefix


class FolderComparer:
    """Compares folders with the catalog for one run and its checkpoint.

    `max_pixels` is the run's limit. Pictures that were too large for an earlier one are read again
    when they are within this one.
    """

    def __init__(
        self, catalog: Catalog, checkpoint: CheckpointRecord, max_pixels: int, stop: Stop
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._max_pixels = max_pixels
        self._stop = stop

    def compare(self, root: Path, inside: PurePath) -> Comparison:
        """Scan `root`/`inside`, and find out what names, sizes and times can tell.

        A new folder is compared with the known ones below it, which are to become part of it. The
        result is incomplete once `stop` is set.
        """
        listing = scan_folder(root, inside, self._stop)
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
        return compare(root, inside, listing, chain.from_iterable(rows), failures, self._max_pixels)

    def compare_raw(
        self, folder: FolderRecord, inside: PurePath, found: Comparison
    ) -> tuple[list[str], Comparison]:
        """Tell the camera RAW files among `found` whose JPEG is indexed by now, and compare the
        others.
        """
        pairs = found.raw_pairs
        paths = {path for raw, jpeg in pairs.items() for path in (raw.path, jpeg)}
        rows = {
            row[0]: FileRecord._make(row)
            for row in self._catalog.files(folder.id, self._checkpoint.id)
            if row[0] in paths
        }
        # a missing JPEG may not have come back as a picture
        indexed = {path for path, row in rows.items() if not row.missing}
        replaced = [raw.path for raw, jpeg in pairs.items() if jpeg in indexed]
        alone = Listing(
            {
                raw.path: (raw.size, raw.mtime_ns)
                for raw, jpeg in pairs.items()
                if jpeg not in indexed
            },
            sidecars=found.raw_sidecars,
        )
        known = [rows[path] for path in alone.files if path in rows]
        failures = [
            failure
            for failure in self._catalog.folder_failures(folder.id)
            if failure.path in alone.files
        ]
        root = Path(folder.path)
        return replaced, compare(root, inside, alone, known, failures, self._max_pixels)


def _below(before: str, rows: Iterable[FileRecord]) -> Iterator[FileRecord]:
    return (row._replace(path=before + row.path) for row in rows)
