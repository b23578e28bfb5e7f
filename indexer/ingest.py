"""New and changed files on their way into the catalog: hashed, decoded, embedded, stored, all at the same time.

Threads hash and have processes decode ahead of the image tower, which has a thread of its own; the calling thread is the
only one that writes. What is under way is bounded by windows of a few batches, so memory does not grow with the folder.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import numpy as np
import numpy.typing as npt

from sigseek.indexer.comparison import Comparison
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.digest import FileDigest, digest_file, mtime_ns
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.errors import ChangedError, DecodeError, FolderError, UndecidedError
from sigseek.indexer.ledger import RunProgress
from sigseek.indexer.map_ahead import map_ahead
from sigseek.indexer.presence import is_online, may_be_there
from sigseek.indexer.scan import FoundFile
from sigseek.siglip import ImageTower
from sigseek.siglip.preprocessing import VERSION
from sigseek.storage import (
    Catalog,
    CheckpointRecord,
    EmbeddingRecord,
    FailureRecord,
    FolderRecord,
    PhotoFacts,
)

_AHEAD = 32
"""Files that are hashed ahead of the decoding; until the tower is loaded and tells its batch,
photos decoded ahead of it.
"""
_SETTLED_BATCH = 500
THREADS = max(2, (os.cpu_count() or 2) - 1)
"""That hash, or have a process of theirs decode; two at least, for one may be waiting for the disk.
The tower takes all cores when it runs.
"""


@dataclass
class _Content:
    """One content on its way to the image tower, and the files that hold it."""

    digest: bytes
    files: list[tuple[FoundFile, FileDigest]] = field(default_factory=list)


@dataclass
class _Settled:
    """What is known but not yet written."""

    files: list[tuple[str, int, FileDigest]] = field(default_factory=list)
    moved_from: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By folder id, files that lie elsewhere now."""
    failures: list[FailureRecord] = field(default_factory=list)
    gone_bad: list[str] = field(default_factory=list)
    """Files known as photos that hold none any more."""

    def __len__(self) -> int:
        return len(self.files) + len(self.failures)


@dataclass
class _Batch:
    """Contents that the image tower is embedding."""

    photos: list[tuple[_Content, DecodedPhoto]]
    vectors: Future[npt.NDArray[np.float32]]


class FolderIngest:
    """Takes the new and changed files of one folder in, as `found` there.

    `tower` is called once, when the first photo has to be embedded. `gone` are by folder id the
    files that the run's report counts as missing; those that turn out to lie elsewhere now are
    taken off.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        decoders: GuardedDecoder,
        tower: Callable[[], ImageTower],
        progress: RunProgress,
        folder: FolderRecord,
        found: Comparison,
        gone: Mapping[int, set[str]],
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._tower = tower
        self._progress = progress
        self._folder = folder
        self._found = found
        self._gone = gone
        self._left: dict[int, list[tuple[int, str]]] = {}
        """By photo id, where new files of it may have come from: the folder's id and the path in
        it.
        """
        self._settled = _Settled()
        self._waiting: dict[bytes, _Content] = {}
        """Contents on their way to the tower and back, so that a second file of one is not decoded
        again.
        """
        self._under_way: _Batch | None = None
        self._decoded_ahead = _AHEAD
        self._decoders = decoders
        self._stop = Event()
        self._pool = ThreadPoolExecutor(THREADS, "sigseek-decode")
        self._tower_thread = ThreadPoolExecutor(1, "sigseek-tower")

    def run(self) -> None:
        """Take the files in; returns when all is stored."""
        try:
            batch: list[tuple[_Content, DecodedPhoto]] = []
            for content, decoded in map_ahead(
                self._pool, self._decode, self._new_contents(), lambda: self._decoded_ahead
            ):
                while isinstance(decoded, Exception) and self._fail(content, decoded):
                    decoded = self._decode_again(content)
                if isinstance(decoded, Exception):
                    continue
                batch.append((content, decoded))
                self._decoded_ahead = 2 * self._tower().batch
                if len(batch) == self._tower().batch:
                    self._embed(batch)
                    batch = []
            if batch:
                self._embed(batch)
            self._finish_batch(self._under_way)
        except BaseException:
            self._stop.set()
            self._decoders.close()  # nobody waits for what hangs there
            # Nor for the threads: a Ctrl-C that comes up in a pool's own code can leave a lock of
            # its held that they need.
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._tower_thread.shutdown(wait=False, cancel_futures=True)
            raise
        self._pool.shutdown()
        self._tower_thread.shutdown()

    def _new_contents(self) -> Iterator[_Content]:
        """Hash the files; give out the contents that are not embedded yet, settle the files of all
        others.
        """
        for file, read in map_ahead(self._pool, self._digest, self._found.changed, lambda: _AHEAD):
            if isinstance(read, DecodeError):  # for its size alone
                self._note_failure(file, str(read), FileDigest(b"", file.size, file.mtime_ns))
                continue
            if isinstance(read, Exception):
                self._note_failure(
                    file, f"cannot be read: {getattr(read, 'strerror', None) or read}", None
                )
                continue
            waiting = self._waiting.get(read.digest)
            if waiting:
                waiting.files.append((file, read))
                continue
            photo_id = self._catalog.find_embedded(read.digest, self._checkpoint.id)
            if photo_id is not None:
                self._settle(file, read, photo_id)
                continue
            content = _Content(read.digest, [(file, read)])
            self._waiting[read.digest] = content
            yield content

    def _digest(self, file: FoundFile) -> FileDigest:
        return digest_file(Path(self._folder.path, file.path), self._stop)

    def _decode(self, content: _Content) -> DecodedPhoto:
        file, read = content.files[0]
        path = Path(self._folder.path, file.path)
        try:
            return self._decoders.decode(path)
        finally:
            status = path.stat()
            if (status.st_size, mtime_ns(status)) != (
                read.size,
                read.mtime_ns,
            ):  # it may be another picture than was hashed
                raise ChangedError("it changed while it was read; the next run tries it again")

    def _decode_again(self, content: _Content) -> DecodedPhoto | Exception:
        """As `_decode`, after a file of another name failed."""
        try:
            return self._decode(content)
        except Exception as error:  # as in `map_ahead`
            return error

    def _settle(self, file: FoundFile, read: FileDigest, photo_id: int) -> None:
        """The file holds a photo that is in the library."""
        report = self._progress.report
        before = self._found.known.get(file.path)
        source = None if before else self._moved_from(photo_id)
        if before and before.photo_id == photo_id:
            report.unchanged += 1
        elif before:
            report.changed += 1
        elif source:
            report.moved += 1
        else:
            report.added += 1
        if source:
            folder_id, path = source
            self._settled.moved_from[folder_id].append(path)
            if path in self._gone.get(folder_id, ()):
                self._gone[folder_id].remove(path)
                report.missing -= 1
        self._settled.files.append((file.path, photo_id, read))
        self._count()

    def _moved_from(self, photo_id: int) -> tuple[int, str] | None:
        """Where a file of the photo lay that is not there any more, in this folder rather than in
        another; each is told once.
        """
        if photo_id not in self._left:
            lay = sorted(
                self._catalog.photo_paths(photo_id), key=lambda file: file[0] == self._folder.id
            )
            self._left[photo_id] = [
                (folder_id, path)
                for folder_id, root, path in lay
                if self._is_gone(folder_id, root, path)
            ]
        return self._left[photo_id].pop() if self._left[photo_id] else None

    def _is_gone(self, folder_id: int, root: str, path: str) -> bool:
        return path in self._gone.get(folder_id, ()) or (
            not may_be_there(Path(root, path)) and is_online(Path(root))
        )

    def _fail(self, content: _Content, error: Exception) -> bool:
        """Note the failure of the content's first file, and of others named alike where it is not
        that file alone; whether one is left.

        How a file is opened hangs on its extension too: a TIFF that is called .nef is no camera
        RAW.
        """
        failed, content.files = content.files[:1], content.files[1:]
        of_content = isinstance(error, DecodeError) and not isinstance(error, ChangedError)
        if of_content:
            suffix = Path(failed[0][0].path).suffix.lower()
            failed += [one for one in content.files if Path(one[0].path).suffix.lower() == suffix]
            content.files = [
                one for one in content.files if Path(one[0].path).suffix.lower() != suffix
            ]
        if not content.files:
            del self._waiting[content.digest]
        reason = (
            str(error)
            if isinstance(error, DecodeError)
            else f"cannot be read: {getattr(error, 'strerror', None) or error}"
        )
        for file, read in failed:
            self._note_failure(
                file, reason, read if of_content else None, again=isinstance(error, UndecidedError)
            )
        return bool(content.files)

    def _note_failure(
        self, file: FoundFile, reason: str, read: FileDigest | None, *, again: bool = False
    ) -> None:
        """`read` is what the file held; None when it could not be read. Then, or with `again`, the
        next run tries it again.

        FolderError when it could not be read because the whole folder is not there any more: its
        drive was unplugged.
        """
        if read is None and not is_online(Path(self._folder.path)):
            raise FolderError(
                f"{self._folder.path} went offline; plug in its drive and index again: what was done is kept"
            )
        size, mtime_ns = (read.size, read.mtime_ns) if read and not again else (None, None)
        self._settled.failures.append(FailureRecord(file.path, reason, size, mtime_ns))
        known = self._found.known.get(file.path)
        if read and known and known.photo_id != self._catalog.find_photo(read.digest):
            self._settled.gone_bad.append(file.path)
        self._progress.report.failed += 1
        self._count()

    def _count(self) -> None:
        self._progress.settle()
        if len(self._settled) >= _SETTLED_BATCH:
            self._store({})

    def _embed(self, batch: list[tuple[_Content, DecodedPhoto]]) -> None:
        """Hand a batch to the tower and store the one before, so that the tower does not wait for
        the disk.
        """
        before = self._under_way
        pixels = np.stack([photo.pixels for _, photo in batch])
        self._under_way = _Batch(batch, self._tower_thread.submit(self._tower().embed, pixels))
        if before:
            self._finish_batch(before)

    def _finish_batch(self, batch: _Batch | None) -> None:
        """Wait for a batch and store it, with whatever else is settled, in one transaction."""
        photos: dict[bytes, tuple[PhotoFacts, EmbeddingRecord]] = {}
        if batch:
            precision = self._tower().precision
            for (content, photo), vector in zip(batch.photos, batch.vectors.result(), strict=True):
                photos[content.digest] = (
                    _facts(content.digest, photo),
                    EmbeddingRecord(vector, precision, VERSION),
                )
        self._store(photos)

    def _store(self, photos: dict[bytes, tuple[PhotoFacts, EmbeddingRecord]]) -> None:
        contents = [self._waiting[digest] for digest in photos]
        with self._catalog.transaction() as transaction:
            ids = {digest: transaction.add_photo(facts) for digest, (facts, _) in photos.items()}
            if photos:
                transaction.add_embeddings(
                    self._checkpoint.id,
                    {ids[digest]: embedding for digest, (_, embedding) in photos.items()},
                )
            for folder_id, paths in self._settled.moved_from.items():
                transaction.remove_files(folder_id, paths)
            transaction.remove_files(self._folder.id, self._settled.gone_bad)
            embedded = [
                (file.path, ids[content.digest], read)
                for content in contents
                for file, read in content.files
            ]
            files = [
                (path, id_, read.size, read.mtime_ns)
                for path, id_, read in (*self._settled.files, *embedded)
            ]
            transaction.put_files(self._folder.id, files)
            for failure in self._settled.failures:
                transaction.put_failure(self._folder.id, failure)
        self._settled = _Settled()
        self._progress.commit(len(photos))
        for content in contents:
            del self._waiting[content.digest]
            for file, _ in content.files:
                known = self._found.known.get(file.path)
                if known is None or known.photo_id == ids[content.digest]:
                    self._progress.report.added += (
                        1  # a photo known from another checkpoint is new to this one
                    )
                else:
                    self._progress.report.changed += 1
                self._progress.settle()


def _facts(digest: bytes, photo: DecodedPhoto) -> PhotoFacts:
    metadata = photo.metadata
    return PhotoFacts(
        digest,
        photo.width,
        photo.height,
        photo.format,
        metadata.taken_at,
        metadata.camera,
        metadata.latitude,
        metadata.longitude,
        metadata.lens,
        metadata.rating,
        metadata.description,
        metadata.keywords,
    )
