"""Photos that no file holds any more: which of them a run removes, and which it has to keep."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from sigseek.indexer.comparison import Comparison
from sigseek.indexer.failures import hides_contents
from sigseek.storage import Catalog


class PhotosWithoutFiles:
    """Follows the photos that lose their last file in a run, from before the run changes anything.

    A file that cannot be read may hold such a photo: two files may have swapped names, or one may
    have taken another's place. Such a photo is kept until the file is read, or is gone.

    A folder that the run has not gone through may hold it as well, for example one that is offline.
    A photo that a person tagged, or called no duplicate of another one, is therefore kept until a
    run goes through all folders.

    Another run may be in the middle of another folder, and may have left a photo without files for
    a moment: it has stored one of two files that swapped names. A run therefore removes nothing
    while others go on, and afterwards only photos whose files it has seen itself, or that had none
    before it began. What others have left is for the next run.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._before = self._now()
        """The photos that stopped or killed runs left without files, and that earlier runs kept."""
        self._unread_before = self._unread()
        self._of_excluded: set[int] = set()
        self.left_out: set[int] = set()
        """After `settle`: the photos to remove because their files are left out from now on."""
        self.replaced: set[int] = set()
        """After `settle`: the photos to remove because their files hold other pictures now."""

    def note_excluded(self, scans: Iterable[Comparison]) -> None:
        """Note what was lost so far: the catalog has just removed the files that are left out."""
        held = {found.known[path].photo_id for found in scans for path in found.excluded}
        self._of_excluded = held & self._now() - self._before

    def settle(self, scans: Sequence[Comparison], *, alone: bool, of_all_folders: bool) -> None:
        """Decide about the photos, now that all files of the run were read as far as possible.
        `scans` tells what was known of these files, `alone` whether no other run goes on, and
        `of_all_folders` whether this one went through every folder that the library knows.
        """
        if not alone:
            return
        lost = self._now()
        if lost:
            held = {file.photo_id for found in scans for file in found.records()}
            lost &= self._before | held
        self.left_out = lost & self._of_excluded
        others = lost - self.left_out
        unread = self._unread() if others else {}
        if unread:
            others -= self._may_return(others, unread, scans)
        if not of_all_folders:
            others -= self._catalog.decided_by_hand(others)
        self.replaced = others

    def _may_return(
        self, photos: set[int], unread: dict[str, int | None], scans: Iterable[Comparison]
    ) -> set[int]:
        """Return the photos that one of the unread files may hold.

        The same photo in another place is a file of the same size. Of what is in a directory that
        can be read no longer nothing is known, nor of the last files of photos of earlier runs.
        """
        newly = unread.keys() - self._unread_before.keys()
        if any(unread[path] is None for path in newly):
            return photos
        sizes: defaultdict[int, set[int | None]] = defaultdict(set)
        for found in scans:
            for file in found.records():
                sizes[file.photo_id].add(file.size)
        unread_sizes = set(unread.values())
        return {id_ for id_ in photos if id_ in self._before or sizes[id_] & unread_sizes}

    def _now(self) -> set[int]:
        return set(self._catalog.photos_without_files())

    def _unread(self) -> dict[str, int | None]:
        """Return the sizes of files that could not be read, by absolute path; None for
        directories.
        """
        return {
            str(PurePath(folder.path, failure.path)): failure.size
            for folder in self._catalog.folders()
            for failure in self._catalog.folder_failures(folder.id)
            if hides_contents(failure)
        }
