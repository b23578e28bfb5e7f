"""Which folders a run goes through, and what has changed in them. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from sigseek.errors import Call, Remedy, escaped
from sigseek.indexer.comparison import Comparison
from sigseek.indexer.errors import SilentDiskError
from sigseek.indexer.folder_checks import (
    check_folders_below,
    check_losses,
    count_files,
    count_offline,
    silent_disk,
)
from sigseek.indexer.folder_comparison import FolderComparer
from sigseek.indexer.folder_patterns import FolderPatterns
from sigseek.indexer.ledger import Ledger
from sigseek.progress import Problem
from sigseek.storage import Catalog


class FolderScan(NamedTuple):
    """A folder, known or new, as a run finds it."""

    root: Path
    inside: PurePath
    """Where in the folder the scan began."""
    found: Comparison


class FolderScans:
    """Scans the folders of one run and compares them with the catalog.

    Folders that are not there, and those that stay as they are, are entered in the ledger.
    """

    def __init__(self, catalog: Catalog, comparer: FolderComparer, ledger: Ledger) -> None:
        self._catalog = catalog
        self._comparer = comparer
        self._ledger = ledger

    def scan(
        self, paths: Sequence[Path], patterns: FolderPatterns, *, accept_missing: bool
    ) -> list[FolderScan]:
        """Scan the folders at `paths`, or all known ones when there are none. Raises as
        `check_folders_below` and `FolderPatterns.check` do.
        """
        places = self._places(paths, accept_missing)
        patterns.check(places)
        scans = []
        for root, inside in places:
            found = self._compare(root, inside, patterns.of(root, inside))
            if found is not None:
                scans.append(FolderScan(root, inside, found))
        return scans

    def checked(self, scans: Sequence[FolderScan], *, accept_missing: bool) -> list[FolderScan]:
        """Return the scans to go on with, and tell which known folders become part of a new one.

        Unless `accept_missing`, it raises FolderError as `check_losses` does, and drops folders of
        which everything is left out, which may well be a mistake.
        """
        if not accept_missing:
            check_losses([(scan.root, scan.found) for scan in scans])
            for scan in scans:
                if scan.found.emptied:
                    self._ledger.enter_emptied(str(Path(scan.root, scan.inside)))
            scans = [scan for scan in scans if not scan.found.emptied]
        for scan in scans:
            known = (folder.path for folder in self._catalog.folders())
            below = tuple(path for path in known if scan.root in Path(path).parents)
            if below:
                self._ledger.said(_joined(scan.root, below))
        return list(scans)

    def _places(self, paths: Sequence[Path], accept_missing: bool) -> list[tuple[Path, PurePath]]:
        """Return the folders to go through, known or new, and where in them to begin. Those that
        are not there are counted as offline.
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
                continue
            folder, inside = known
            offline = count_offline(self._catalog, folder, accept_missing=accept_missing)
            if offline:
                self._ledger.enter_offline(offline)
            else:
                places.append((Path(folder.path), inside))
        return places

    def _compare(self, root: Path, inside: PurePath, patterns: Sequence[str]) -> Comparison | None:
        """Compare a folder with the catalog. Returns None for a known folder whose disk does not
        answer: it counts as offline.
        """
        try:
            return self._comparer.compare(root, inside, patterns)
        except SilentDiskError as error:
            known = self._catalog.find_folder(root)
            if known is None:
                raise silent_disk(root) from error
            self._ledger.enter_offline(count_files(self._catalog, known[0]))
            self._ledger.met(Problem(str(root), "its disk does not answer"))
            return None


def _joined(root: Path, folders: tuple[str, ...]) -> Remedy:
    """Say that known folders become part of a new one, and how to undo it."""
    are = "is" if len(folders) == 1 else "are"
    return Remedy(
        f"{escaped(', '.join(folders))} {are} now part of {escaped(str(root))}; to undo this: {{}}",
        (Call("forget", (str(root),), (("keep", folders),)),),
    )
