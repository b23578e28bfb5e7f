"""New and changed files on their way into the catalog.

Files are hashed, decoded, embedded and stored all at the same time. Threads hash files and have
processes decode them ahead of the image tower, which has a thread of its own. The calling thread is
the only one that writes. The files under way are bounded by windows of a few batches, so memory
does not grow with the folder.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek import disk
from sigseek.errors import Call, ErrorKind, Remedy, StoppedError
from sigseek.indexer.decoding.decode import DecodedPhoto
from sigseek.indexer.decoding.digest import FileDigest, digest_file, mtime_ns
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.decoding.identity.picture import VERSION as PICTURE_VERSION
from sigseek.indexer.earlier_digests import EarlierDigests
from sigseek.indexer.errors import (
    ChangedError,
    DecodeError,
    DecoderError,
    FolderError,
    SilentDiskError,
    TooLargeError,
)
from sigseek.indexer.facts import photo_facts
from sigseek.indexer.folder_changes import Content, EmbeddedPhoto, FolderChanges
from sigseek.indexer.folder_checks import silent_disk
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.listing import FoundFile
from sigseek.indexer.map_ahead import map_ahead, map_ahead_together
from sigseek.indexer.mounts import Mounts
from sigseek.indexer.presence import is_online
from sigseek.indexer.watched_pool import WatchedPool
from sigseek.indexer.work import Work
from sigseek.progress import Stop
from sigseek.siglip import ImageTower
from sigseek.siglip.preprocessing import VERSION
from sigseek.storage import (
    Catalog,
    CheckpointRecord,
    EmbeddingRecord,
    FolderRecord,
    PhotoVersions,
)
from sigseek.storage.thumbnails import THUMBNAIL_SIZES, ThumbnailStore

_AHEAD = 32
"""How many files are hashed ahead of the decoding. As many photos are decoded ahead of the tower
until it is loaded and its batch is known.
"""
_ASKED = 16
"""How many files the catalog is asked about together. A server answers that as fast as for one."""
_THUMBNAIL = THUMBNAIL_SIZES[0]
"""The thumbnails that are made of every photo. Larger ones are made when they are asked for."""
_CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 2
"""The processor cores that this process may use: Slurm and Ray's workers leave it some of them."""
THREADS = max(2, _CORES - 1)
"""How many threads hash, and how many have a process of their own decode. Two at least, since one
may wait for the disk. The tower takes all cores when it runs.
"""


@dataclass
class _Batch:
    """Contents that the image tower is embedding."""

    photos: list[tuple[Content, DecodedPhoto]]
    vectors: Future[npt.NDArray[np.float32]]


class FolderIngest:
    """Takes in the new and changed files of one folder, which `work` has. The folder is given with
    its path on this machine, and `mounts` tells where others are.

    `tower` returns the image tower. It is called first when the first photo has to be embedded.
    What becomes of each file is entered in the ledger. The small thumbnails of the photos are kept
    in `thumbnails`, if any.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        decoder: GuardedDecoder,
        tower: Callable[[], ImageTower],
        ledger: Ledger,
        folder: FolderRecord,
        work: Work,
        stop: Stop,
        thumbnails: ThumbnailStore | None = None,
        mounts: Mounts | None = None,
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._decoder = decoder
        self._tower = tower
        self._ledger = ledger
        self._folder = folder
        self._work = work
        self._changes = FolderChanges(catalog, checkpoint, ledger, folder, work, mounts or Mounts())
        self._earlier = EarlierDigests(catalog, folder)
        self._stop = stop
        self._thumbnails = thumbnails
        self._waiting: dict[bytes, Content] = {}
        """Contents on their way to the tower and back. A second file of one of them is not decoded
        again.
        """
        self._renewed: set[int] = set()
        """Known photos that were decoded again. They may not be stored yet."""
        self._under_way: _Batch | None = None
        self._decoded_ahead = _AHEAD
        self._silent = 0
        """How many files in a row the disk gave nothing of."""
        self._readers = WatchedPool(THREADS, disk.PATIENCE)
        self._decoders = ThreadPoolExecutor(THREADS, "sigseek-decode")
        self._tower_thread = ThreadPoolExecutor(1, "sigseek-tower")

    def run(self) -> None:
        """Take the files in, and return when everything is stored. After `stop` was set it returns
        soon, with every batch stored that was embedded by then.
        """
        try:
            self._take_in()
        except StoppedError:  # while the tower was loaded, so no photo is embedded yet
            self._changes.store([])
        except BaseException:
            self._drop_what_is_under_way()
            raise
        if self._stop.is_set():
            self._drop_what_is_under_way()
            return
        self._readers.close()
        self._decoders.shutdown()
        self._tower_thread.shutdown()

    def _take_in(self) -> None:
        batch: list[tuple[Content, DecodedPhoto]] = []
        for content, decoded in map_ahead(
            self._decoders,
            self._decode,
            self._new_contents(),
            lambda: self._decoded_ahead,
            self._stop,
        ):
            if content.known is not None:
                self._settle_known(content, content.known, decoded)
                continue
            while isinstance(decoded, Exception) and self._fail(content, decoded):
                decoded = self._decode_again(content)
            if isinstance(decoded, Exception):
                continue
            batch.append((content, decoded))
            # One batch is decoded while another one is embedded.
            self._decoded_ahead = 2 * self._tower().batch
            if len(batch) == self._tower().batch:
                self._embed(batch)
                batch = []
        if batch and not self._stop.is_set():
            self._embed(batch)
        self._finish_batch(self._under_way)

    def _drop_what_is_under_way(self) -> None:
        """End the run without waiting for files that hang or for threads. After a Ctrl-C in the
        middle of a pool's own code, a lock that its threads need may be held for ever.
        """
        self._readers.close()
        self._decoder.close()
        self._decoders.shutdown(wait=False, cancel_futures=True)
        self._tower_thread.shutdown(wait=False, cancel_futures=True)

    def _new_contents(self) -> Iterator[Content]:
        """Hash the files and yield the contents that are to be decoded: those that are not embedded
        yet, and those of which an earlier version kept no hash. The other files are noted as known
        or failed.
        """
        for group in map_ahead_together(
            self._readers, self._digest, self._work.files(), lambda: _AHEAD, _ASKED, self._stop
        ):
            hashed = []
            for file, read in group:
                if isinstance(read, Exception):
                    self._check_cause(read)
                    # a file that is too large was not read, but its size tells that it is no photo
                    nothing = FileDigest(b"", b"", file.size, file.mtime_ns, None)
                    held = nothing if isinstance(read, TooLargeError) else None
                    self._changes.add_failure(file, read, held)
                    continue
                self._silent = 0
                hashed.append((file, replace(read, earlier=self._earlier.of(file, read))))
            yield from self._unsettled(hashed)

    def _unsettled(self, hashed: Sequence[tuple[FoundFile, FileDigest]]) -> list[Content]:
        """Return the contents of these files that are to be decoded. The other files are noted as
        known, or join their content that is on its way.
        """
        found = self._catalog.find_embedded(
            [(read.picture, read.known_as) for _, read in hashed], self._checkpoint.id
        )
        contents = []
        for (file, read), known in zip(hashed, found, strict=True):
            waiting = self._waiting.get(read.picture)
            if waiting:
                waiting.files.append((file, read))
                continue
            if known is not None and self._is_complete(known):
                self._changes.add_known(file, read, known.id)
                continue
            content = Content(read.picture, [(file, read)], known)
            self._waiting[read.picture] = content
            contents.append(content)
        return contents

    def _digest(self, file: FoundFile) -> FileDigest:
        return digest_file(Path(self._folder.path, file.path), self._readers.give_sign_of_life)

    def _check_cause(self, error: Exception) -> None:
        """Raise FolderError when a file could not be read because the whole folder is not there any
        more, or its disk gives nothing of any file: its drive or server is gone. An error that is
        about no file is raised, too.
        """
        if isinstance(error, DecoderError):
            raise error
        if isinstance(error, SilentDiskError):
            self._silent += 1
            if self._silent >= disk.MOST_SILENT:
                raise silent_disk(Path(self._folder.path))
            return
        self._check_it_is_online(error)

    def _check_it_is_online(self, error: Exception) -> None:
        if not isinstance(error, DecodeError) and not is_online(Path(self._folder.path)):
            raise FolderError(
                f"{self._folder.path} went offline; what was done is kept",
                Remedy("plug in its drive, then: {}", (Call("index"),)),
                ErrorKind.UNAVAILABLE,
            )

    def _decode(self, content: Content) -> DecodedPhoto:
        file, read = content.files[0]
        path = Path(self._folder.path, file.path)
        kept = self._thumbnails is None or self._thumbnails.holds(content.picture, _THUMBNAIL)
        try:
            photo = self._decoder.decode(path, None if kept else _THUMBNAIL)
        finally:
            self._ledger.note_decoded()
            # the decoded picture may be another one than was hashed
            status = disk.ask(path.parent, path.stat, None)
            if status is None:
                raise SilentDiskError(
                    f"reading it was given up: the disk did not answer for {disk.PATIENCE:g} s"
                )
            if (status.st_size, mtime_ns(status)) != (read.size, read.mtime_ns):
                raise ChangedError("it changed while it was read; the next run tries it again")
        if self._thumbnails and photo.thumbnail:
            self._thumbnails.write(content.picture, _THUMBNAIL, photo.thumbnail)
        return photo

    def _is_complete(self, known: PhotoVersions) -> bool:
        return known.hash_version >= HASH_VERSION or known.id in self._renewed

    def _settle_known(
        self, content: Content, known: PhotoVersions, decoded: DecodedPhoto | Exception
    ) -> None:
        """Note what is new about a photo that is embedded. If it could not be decoded, it is tried
        once more at the end of the run, with all photos that have no hash.
        """
        del self._waiting[content.picture]
        if not isinstance(decoded, Exception):
            self._renewed.add(known.id)
            self._changes.add_renewed(content, known, decoded)
            return
        self._check_cause(decoded)
        for file, read in content.files:
            self._changes.add_known(file, read, known.id)

    def _decode_again(self, content: Content) -> DecodedPhoto | Exception:
        """Decode as `_decode` does, after a file of another name failed."""
        try:
            return self._decode(content)
        except Exception as error:  # as in `map_ahead`
            return error

    def _fail(self, content: Content, error: Exception) -> bool:
        """Note the failure of the content's first file, and return whether another file of it is
        left to try.

        Where the content is to blame, files with the same bytes and extension fail with it. Those
        of another extension are tried, since a file is opened by its extension too: a TIFF that is
        called .nef is not camera RAW.
        """
        failed, content.files = content.files[:1], content.files[1:]
        of_file = isinstance(error, ChangedError | SilentDiskError)
        of_content = isinstance(error, DecodeError) and not of_file
        if of_content:
            # Files with other metadata may be fine: the decoder may have failed on the metadata.
            suffix, digest = Path(failed[0][0].path).suffix.lower(), failed[0][1].digest
            others, content.files = content.files, []
            for one in others:
                same = Path(one[0].path).suffix.lower() == suffix and one[1].digest == digest
                (failed if same else content.files).append(one)
        if not content.files:
            del self._waiting[content.picture]
        self._check_cause(error)
        for file, read in failed:
            self._changes.add_failure(file, error, read if of_content else None)
        return bool(content.files)

    def _embed(self, batch: list[tuple[Content, DecodedPhoto]]) -> None:
        """Hand a batch to the tower and store the one before, so that the tower does not wait for
        the disk.
        """
        before = self._under_way
        pixels = np.stack([photo.pixels for _, photo in batch])
        self._under_way = _Batch(batch, self._tower_thread.submit(self._tower().embed, pixels))
        if before:
            self._finish_batch(before)

    def _finish_batch(self, batch: _Batch | None) -> None:
        """Wait for a batch and store it, with whatever else is pending, in one transaction."""
        photos = []
        if batch:
            precision = self._tower().precision
            for (content, photo), vector in zip(batch.photos, batch.vectors.result(), strict=True):
                embedding = EmbeddingRecord(vector, precision, VERSION)
                facts = replace(photo_facts(content.picture, photo), digest_version=PICTURE_VERSION)
                photos.append(EmbeddedPhoto(content, facts, embedding, photo.hash))
        self._changes.store(photos)
        for embedded in photos:
            del self._waiting[embedded.content.picture]
