"""What a run has found out about the files of a folder and not yet written to the catalog."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.digest import FileDigest
from sigseek.indexer.decoding.identity.picture import VERSION as PICTURE_VERSION
from sigseek.indexer.facts import photo_metadata
from sigseek.indexer.facts_version import FACTS_VERSION
from sigseek.indexer.failures import failure_of
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.indexer.ledger import Ledger, Outcome
from sigseek.indexer.listing import FoundFile
from sigseek.indexer.mounts import Mounts
from sigseek.indexer.presence import is_online, may_be_there
from sigseek.indexer.work import Work
from sigseek.storage import (
    Catalog,
    CheckpointRecord,
    EmbeddingRecord,
    FailureRecord,
    FolderRecord,
    PhotoFacts,
    PhotoMetadata,
    PhotoVersions,
    ReadFile,
)
from sigseek.storage.catalog.transaction import Transaction
from sigseek.storage.records.hashes import HashRecord

_MANY = 500
"""How many files without a new embedding are written in one transaction."""


@dataclass
class Content:
    """One picture on its way to the image tower, and the files that hold it."""

    picture: bytes
    """The digest of what decides its pixels."""
    files: list[tuple[FoundFile, FileDigest]] = field(default_factory=list)
    known: PhotoVersions | None = None
    """The photo that it already is, decoded only for what an earlier version did not keep of it."""


@dataclass
class EmbeddedPhoto:
    """One picture with what is to be kept of its photo."""

    content: Content
    facts: PhotoFacts
    embedding: EmbeddingRecord
    hash: HashRecord


@dataclass
class RenewedPhoto:
    """What a file gave of a known photo of which an earlier version kept less."""

    path: str
    """The file's path in the folder."""
    hash: HashRecord
    metadata: PhotoMetadata | None
    """None if what is kept is up to date, or depends on other files, too."""


@dataclass
class _Pending:
    """What the next transaction writes besides new photos."""

    files: list[tuple[str, FileDigest]] = field(default_factory=list)
    """Paths in the folder of files that hold known photos."""
    moved_from: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Where files were before: the folder's id and the path in it, by the path that they have now.
    """
    failures: list[FailureRecord] = field(default_factory=list)
    renewed: dict[int, RenewedPhoto] = field(default_factory=dict)
    """Known photos that were decoded again, by id."""
    gone_bad: list[str] = field(default_factory=list)
    """Files that held a photo and hold none any more."""

    def __len__(self) -> int:
        return len(self.files) + len(self.failures)


class FolderChanges:
    """Collects what became of a folder's files and writes it in a few large transactions.

    `work` has the files. Every file is also entered in the ledger. `mounts` tells where the
    library's folders are on this machine.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        ledger: Ledger,
        folder: FolderRecord,
        work: Work,
        mounts: Mounts,
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._ledger = ledger
        self._folder = folder
        self._work = work
        self._mounts = mounts
        self._pending = _Pending()
        self._old_paths: dict[int, list[tuple[int, str]]] = {}
        """Where files are gone from which new files of the same photo may have come: the folder's
        id and the path in it, by photo id.
        """

    def add_known(self, file: FoundFile, read: FileDigest, photo_id: int) -> None:
        """Note that the file holds a photo that is in the library and embedded."""
        before = self._work.before(file.path)
        moved_from = None if before else self._old_path(photo_id)
        if moved_from:
            self._pending.moved_from[file.path] = moved_from
            self._ledger.enter_move(*moved_from)
        self._pending.files.append((file.path, read))
        if before:
            same = before.photo_id == photo_id and self._has_same_bytes(file, read)
            self._ledger.enter_file(Outcome.UNCHANGED if same else Outcome.CHANGED)
        else:
            self._ledger.enter_file(Outcome.MOVED if moved_from else Outcome.ADDED)
        self._store_when_many()

    def add_renewed(self, content: Content, known: PhotoVersions, photo: DecodedPhoto) -> None:
        """Note that the files hold a photo that is in the library and embedded, and what was
        missing of it.
        """
        path = content.files[0][0].path
        before = self._work.before(path)
        metadata = None
        if known.facts_version < FACTS_VERSION and not (before and before.sidecars):
            metadata = photo_metadata(photo.metadata)
        self._pending.renewed[known.id] = RenewedPhoto(path, photo.hash, metadata)
        for file, read in content.files:
            self.add_known(file, read, known.id)

    def add_failure(self, file: FoundFile, error: Exception, read: FileDigest | None) -> None:
        """Note that the file could not be used. `read` is what it held; None where that is not
        known, or may have changed.

        A file that holds a photo of the library stays one of its files, although it could not be
        embedded now.
        """
        failure = failure_of(file, error)
        self._pending.failures.append(failure)
        known = self._work.before(file.path)
        if read and self._catalog.find_photo(read.picture, read.known_as) is not None:
            self._pending.files.append((file.path, read))
        elif read and known:
            self._pending.gone_bad.append(file.path)
        self._ledger.enter_failure(str(Path(self._folder.path, file.path)), failure.reason)
        self._store_when_many()

    def store(self, photos: Sequence[EmbeddedPhoto] = ()) -> None:
        """Write the new photos and everything that is pending in one transaction."""
        paths = {path for path, _ in self._pending.files}
        paths |= {failure.path for failure in self._pending.failures}
        paths |= {file.path for photo in photos for file, _ in photo.content.files}
        before = {path: self._work.before(path) for path in paths}
        photos, ids = self._work.settle(
            paths, lambda transaction, ours: self._write(transaction, photos, ours)
        )
        self._ledger.enter_hashed(len(self._pending.renewed))
        self._ledger.enter_metadata(
            sum(1 for one in self._pending.renewed.values() if one.metadata)
        )
        self._pending = _Pending()
        self._ledger.enter_commit(len(photos))
        for photo in photos:
            for file, _ in photo.content.files:
                known = before[file.path]
                # a photo that is known from another checkpoint is new to this one
                new = known is None or known.photo_id == ids[photo.content.picture]
                self._ledger.enter_file(Outcome.ADDED if new else Outcome.CHANGED)

    def _write(
        self, transaction: Transaction, photos: Sequence[EmbeddedPhoto], ours: Collection[str]
    ) -> tuple[list[EmbeddedPhoto], dict[bytes, int]]:
        """Write what became of those files that are ours. Return the photos that were written, with
        these files, and the ids of all photos by digest.
        """
        written = _with_files(photos, ours)
        pending = [one for one in self._pending.files if one[0] in ours]
        reads = [read for _, read in pending]
        reads += [read for photo in written for _, read in photo.content.files]
        pictures = {read.known_as: read.picture for read in reads}
        # Another process may have added some of the new photos meanwhile, or removed known ones.
        known = transaction.identify_photos(pictures, PICTURE_VERSION)
        ids = known | transaction.add_photos(
            [photo.facts for photo in written if photo.content.picture not in known],
            {photo.content.picture: photo.hash for photo in written},
            HASH_VERSION,
        )
        self._remove_old_paths(transaction, ours)
        renewed = {id_: one for id_, one in self._pending.renewed.items() if one.path in ours}
        metadata = {id_: one.metadata for id_, one in renewed.items() if one.metadata}
        if metadata:
            transaction.put_metadata(metadata)
            transaction.remove_unused_words()
        gave_facts = {renewed[id_].path for id_ in metadata}
        files = [
            _read_file(path, ids[read.picture], read, gave_facts=path in gave_facts)
            for path, read in pending
            if read.picture in ids  # else another process has just removed the photo
        ]
        for photo in written:
            picture = photo.content.picture
            for number, (file, read) in enumerate(photo.content.files):
                # The first file is the one that was decoded. Facts are kept of new photos.
                is_source = number == 0 and picture not in known
                files.append(_read_file(file.path, ids[picture], read, gave_facts=is_source))
        transaction.put_files(self._folder.id, files)
        for failure in self._pending.failures:
            if failure.path in ours:
                transaction.put_failure(self._folder.id, failure)
        hashes = {id_: one.hash for id_, one in renewed.items()}
        hashes |= {
            known[photo.content.picture]: photo.hash
            for photo in written
            if photo.content.picture in known
        }
        if hashes:
            transaction.put_hashes(hashes, HASH_VERSION)
        if written:
            transaction.add_embeddings(
                self._checkpoint.id,
                {ids[photo.content.picture]: photo.embedding for photo in written},
            )
        return written, ids

    def _remove_old_paths(self, transaction: Transaction, ours: Collection[str]) -> None:
        """Remove the files that have moved, and those that hold no photo any more."""
        left = defaultdict(list)
        for path, (folder_id, old) in self._pending.moved_from.items():
            if path in ours:
                left[folder_id].append(old)
        left[self._folder.id] += [path for path in self._pending.gone_bad if path in ours]
        for folder_id, paths in left.items():
            transaction.remove_files(folder_id, paths)

    def _store_when_many(self) -> None:
        if len(self._pending) >= _MANY:
            self.store()

    def _has_same_bytes(self, file: FoundFile, read: FileDigest) -> bool:
        """Return whether the file was only touched; otherwise its metadata were edited."""
        before = self._catalog.file_digest(self._folder.id, file.path)
        return before in (None, read.digest)

    def _old_path(self, photo_id: int) -> tuple[int, str] | None:
        """Return a path of the photo where no file is any more, in this folder rather than in
        another. Each is given once.
        """
        if photo_id not in self._old_paths:
            known = sorted(
                self._catalog.photo_paths(photo_id), key=lambda file: file[0] == self._folder.id
            )
            self._old_paths[photo_id] = [
                (folder_id, path)
                for folder_id, root, path in known
                if self._is_gone(folder_id, root, path)
            ]
        return self._old_paths[photo_id].pop() if self._old_paths[photo_id] else None

    def _is_gone(self, folder_id: int, root: str, path: str) -> bool:
        here = self._mounts.here(root)
        return self._ledger.is_missing(folder_id, path) or (
            not may_be_there(here / path) and is_online(here)
        )


def _with_files(photos: Sequence[EmbeddedPhoto], ours: Collection[str]) -> list[EmbeddedPhoto]:
    """Return the photos with those of their files that are ours, without photos of no such file."""
    found = []
    for photo in photos:
        files = [one for one in photo.content.files if one[0].path in ours]
        if files:
            found.append(replace(photo, content=Content(photo.content.picture, files)))
    return found


def _read_file(path: str, photo_id: int, read: FileDigest, *, gave_facts: bool = False) -> ReadFile:
    return ReadFile(
        path, photo_id, read.size, read.mtime_ns, read.ctime_ns, read.digest, gave_facts
    )
