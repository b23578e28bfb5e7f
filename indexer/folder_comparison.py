"""The comparison of folders on disk with what the catalog knows of them. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path, PurePath

from sigseek import disk
from sigseek.indexer.comparison import Comparison, compare
from sigseek.indexer.decoding.identity.picture import VERSION as PICTURE_VERSION
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.indexer.known_files import KnownFiles
from sigseek.indexer.listing import FoundFile, Listing
from sigseek.indexer.other_files import directory_links, look_into
from sigseek.indexer.raw_pairs import are_pair
from sigseek.indexer.scan import scan_parts
from sigseek.progress import Stop
from sigseek.storage import (
    Catalog,
    CheckpointRecord,
    FailureRecord,
    FolderRecord,
    PhotoRecord,
)
from sigseek.storage.catalog import path_prefix

_CLOCKS_APART = timedelta(days=1)
"""How far the clock of a server may be behind this machine's."""
_IDENTIFIED_AT_ONCE = 1_000
"""Photos of a library of an earlier version that one run reads only to learn what decides their
pixels. It takes about a minute from a slow disk.
"""


class FolderComparer:
    """Compares folders with the catalog for one run and its checkpoint.

    `max_pixels` is the run's limit. Pictures that were too large for an earlier one are read again
    when they are within this one. With `reread`, unchanged files are to be read again, too.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        max_pixels: int,
        stop: Stop,
        *,
        reread: bool,
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._max_pixels = max_pixels
        self._stop = stop
        self._reread = reread
        self._to_identify = _IDENTIFIED_AT_ONCE

    def compare(self, root: Path, inside: PurePath, patterns: Sequence[str]) -> Comparison:
        """Scan `root`/`inside`, and find out what names, sizes and times can tell. `patterns` tell
        what is left out of `root`.

        A new folder is compared with the known ones below it, which are to become part of it. The
        result is incomplete once `stop` is set.
        """
        known = self._catalog.find_folder(root)
        last_run = known[0].indexed_at if known else None
        folders = [
            (path_prefix(PurePath(folder.path).relative_to(root)), folder)
            for folder in self._catalog.folders()
            if Path(folder.path).is_relative_to(root)
        ]
        others = Listing()
        to_identify = self._files_to_identify(folders)
        with ExitStack() as reading:
            files = []
            for before, folder in sorted(folders, key=itemgetter(0)):
                rows = self._catalog.file_rows(folder.id, self._checkpoint.id, inside)
                files.append((before, reading.enter_context(closing(rows))))
            found = compare(
                root,
                inside,
                _noting_others(scan_parts(root, inside, self._stop, patterns), others),
                KnownFiles(files),
                self._failures(folders),
                self._max_pixels,
                lambda raw: _came_after(last_run, root, raw),
                None if self._reread else to_identify,
            )
        if found.newly_missing and inside != PurePath():  # only a part of the files was looked at
            counts = self._catalog.file_counts()
            found.present_before = sum(counts[folder.id].present for _, folder in folders)
        self._add_other_files(root, inside, others, found)
        return found

    def _failures(self, folders: Sequence[tuple[str, FolderRecord]]) -> list[FailureRecord]:
        """Return the failures of the folders, whose paths begin so."""
        return [
            replace(failure, path=before + failure.path)
            for before, folder in folders
            for failure in self._catalog.folder_failures(folder.id)
        ]

    def _add_other_files(
        self, root: Path, inside: PurePath, listing: Listing, found: Comparison
    ) -> None:
        """Find out which of the files without a picture's extension hold one."""
        folder = self._catalog.find_folder(root)
        known = self._catalog.other_files(folder[0].id, inside) if folder else {}
        links = directory_links(listing.directory_links)
        found.other_files = look_into(root, listing.other_files, known, self._stop)
        found.other_files += [link for link in links if known.get(link.path) != link]
        now = listing.other_files.keys() | listing.directory_links.keys()
        found.gone_other_files = [path for path in known if path not in now]
        after = {path: file for path, file in known.items() if path in now}
        after |= {file.path: file for file in found.other_files}
        found.skipped = sum(file.holds is not None for file in after.values())

    def compare_raw(
        self, folder: FolderRecord, inside: PurePath, found: Comparison
    ) -> tuple[list[str], Comparison]:
        """Tell the camera RAW files among `found` that are of the same shot as a picture which is
        indexed by now, and compare the others.
        """
        pairs = found.raw_pairs
        paths = {path for raw, jpeg in pairs.items() for path in (raw.path, jpeg)}
        files = self._catalog.files(folder.id, self._checkpoint.id, sorted(paths))
        rows = {file.path: file for file in files}
        found.known |= {raw.path: rows[raw.path] for raw in pairs if raw.path in rows}
        # a missing picture may not have come back as one
        indexed = {path: row.photo_id for path, row in rows.items() if not row.missing}
        photos = self._catalog.photos([indexed[path] for path in pairs.values() if path in indexed])
        replaced = {
            raw.path
            for raw, picture in pairs.items()
            if picture in indexed
            and self._are_pair(folder, raw.path, picture, photos[indexed[picture]])
        }
        alone = Listing(
            {
                raw.path: (raw.size, raw.mtime_ns, raw.ctime_ns)
                for raw in pairs
                if raw.path not in replaced
            },
            sidecars=found.raw_sidecars,
        )
        known = [rows[path] for path in alone.files if path in rows]
        failures = [
            failure
            for failure in self._catalog.folder_failures(folder.id)
            if failure.path in alone.files
        ]
        result = compare(
            Path(folder.path),
            inside,
            [alone],
            KnownFiles([("", known)]),
            failures,
            self._max_pixels,
            reread=None if self._reread else (),
        )
        return list(replaced), result

    def _are_pair(self, folder: FolderRecord, raw: str, picture: str, photo: PhotoRecord) -> bool:
        """Return whether the files are of the same shot. The header of the RAW file is read for
        that.
        """
        from sigseek.indexer.decoding.metadata import Metadata  # Pillow comes with these
        from sigseek.indexer.decoding.raw_header import read_capture

        root = Path(folder.path)
        said = disk.ask(root, lambda: read_capture(root / raw), Metadata())
        return are_pair(raw, said, picture, photo)

    def _files_to_identify(self, folders: Sequence[tuple[str, FolderRecord]]) -> set[str]:
        """Return files whose photos are known by what an earlier version made of them. A large
        library is not read at once for that, unless its files have to be read for hashes anyway.
        """
        found: set[str] = set()
        for before, folder in folders:
            paths = self._catalog.files_to_identify(
                folder.id, PICTURE_VERSION, HASH_VERSION, self._to_identify
            )
            self._to_identify = max(0, self._to_identify - len(paths))
            found.update(before + path for path in paths)
        return found


def _noting_others(parts: Iterable[Listing], others: Listing) -> Iterator[Listing]:
    """Yield the parts of a scan, and note in `others` what they have besides pictures."""
    for part in parts:
        others.other_files |= part.other_files
        others.directory_links |= part.directory_links
        yield part


def _came_after(moment: datetime | None, root: Path, raw: FoundFile) -> bool:
    """Return whether the RAW file may have come here after this moment; True where that is None."""
    if moment is None:
        return True
    since = (moment - _CLOCKS_APART).timestamp()
    if raw.ctime_ns is not None:
        return raw.ctime_ns >= since * 1e9
    try:
        status = disk.ask(root, (root / raw.path).stat, None)
    except OSError:
        return False
    return status is not None and status.st_ctime >= since
