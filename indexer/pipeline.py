"""The way of a photo into the library: scan, compare with the catalog, hash, decode, embed, store."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TypeVar

import numpy as np

from indexer.comparison import compare
from indexer.decode import DecodedPhoto, DecodeError, FileDigest, decode_photo, digest_file
from indexer.report import IndexReport, Progress
from indexer.scan import FoundFile, scan_folder
from siglip import ImageTower, Preprocessing
from siglip.preprocessing import VERSION
from storage import Catalog, CheckpointRecord, EmbeddingRecord, FailureRecord, FileRecord, FolderRecord, PhotoFacts

_In = TypeVar("_In")
_Out = TypeVar("_Out")

BATCH = 16
_SETTLED_BATCH = 500
_THREADS = max(2, (os.cpu_count() or 2) - 1)


class FolderError(Exception):
    """A folder that cannot be indexed. The message says what was found and what to do, in one line."""


@dataclass
class _Content:
    """One content on its way to the image tower, and the files that hold it."""

    digest: bytes
    files: list[tuple[FoundFile, FileDigest]] = field(default_factory=list)


@dataclass
class _Settled:
    """What is known but not yet written."""

    files: list[tuple[str, int, FileDigest]] = field(default_factory=list)
    moved_from: list[str] = field(default_factory=list)
    failures: list[FailureRecord] = field(default_factory=list)
    gone_bad: list[str] = field(default_factory=list)
    """Files known as photos that hold none any more."""

    def __len__(self) -> int:
        return len(self.files) + len(self.failures)


class Indexer:
    """Brings folders of a library up to date for one checkpoint.

    `tower` is called once, when the first photo has to be embedded: a run that finds nothing new loads no model.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        preprocessing: Preprocessing,
        tower: Callable[[], ImageTower],
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._preprocessing = preprocessing
        self._load_tower = tower
        self._tower: ImageTower | None = None
        self._on_progress = on_progress
        self._embedded = 0
        self._done = 0
        self._total = 0
        self._first_read: float | None = None
        self._last_commit = 0.0
        self._loading = 0.0
        self.report = IndexReport(model=checkpoint.name)

    def run(self, paths: Sequence[Path]) -> IndexReport:
        """Index the folders at `paths`, all that are known when there are none.

        Every batch is stored as it is done, so an interrupted run loses at most the one in flight and the next run goes
        on from there. The paths are what `check_folder` returned.
        """
        started = time.monotonic()
        places = self._places(paths)
        work = [(folder, inside, *self._compare(folder, inside)) for folder, inside in places]
        self._total = self.report.scanned
        self._tell()
        for folder, _, changed, known, gone in work:
            if changed:
                _FolderRun(self, folder, known, gone).run(changed)
        with self._catalog.transaction() as transaction:
            for folder, inside, *_ in work:
                if inside == PurePath():
                    transaction.finish_folder(folder.id)
            if any(changed for _, _, changed, *_ in work):  # only then can a photo have lost its last file
                transaction.remove_photos_without_files()
        self.report.seconds = round(time.monotonic() - started, 3)
        if self._embedded and self._first_read is not None:
            busy = self._last_commit - self._first_read - self._loading
            self.report.images_per_second = round(self._embedded / busy, 2)
        return self.report

    def _places(self, paths: Sequence[Path]) -> list[tuple[FolderRecord, PurePath]]:
        """The folders to go through and where in them to begin; those that are not there now are counted offline."""
        roots = [root for root in dict.fromkeys(paths) if not any(root != other and root.is_relative_to(other) for other in paths)]
        if paths:
            with self._catalog.transaction() as transaction:
                places = [transaction.add_folder(root) for root in roots]
        else:
            places = [(folder, PurePath()) for folder in self._catalog.folders()]
        online = []
        for folder, inside in places:
            known = 0 if is_online(Path(folder.path)) else sum(self._catalog.file_counts().get(folder.id, (0, 0)))
            if known:
                self.report.offline += known
            else:
                online.append((folder, inside))
        return online

    def _compare(self, folder: FolderRecord, inside: PurePath) -> tuple[list[FoundFile], dict[str, FileRecord], set[str]]:
        """Scan a folder and settle what names, sizes and times can settle; files to read, those known, paths gone."""
        listing = scan_folder(Path(folder.path), inside)
        files = self._catalog.files(folder.id, self._checkpoint.id)
        found = compare(Path(folder.path), inside, listing, files, self._catalog.folder_failures(folder.id))
        with self._catalog.transaction() as transaction:
            transaction.mark_present(folder.id, found.back)
            transaction.mark_missing(folder.id, [path for path in found.gone if not found.known[path].missing])
            transaction.remove_failures(folder.id, found.over)
            for path, reason in listing.unreadable.items():
                transaction.put_failure(folder.id, FailureRecord(path, reason, None, None))
        self.report.scanned += len(listing.files)
        self.report.unchanged += found.unchanged
        self.report.failed += found.failed
        self.report.missing += len(found.gone)
        self._done += len(listing.files) - len(found.changed)
        return found.changed, found.known, found.gone

    def tower(self) -> ImageTower:
        """The image tower, loaded at the first call."""
        if self._tower is None:
            before = time.monotonic()
            self._tower = self._load_tower()
            self._loading += time.monotonic() - before
            self.report.device = self._tower.device
        return self._tower

    def _tell(self) -> None:
        self._on_progress(Progress(self._done, self._total, self._embedded, self.report.failed))


class _FolderRun:
    """The new and changed files of one folder on their way into the catalog."""

    def __init__(self, indexer: Indexer, folder: FolderRecord, known: dict[str, FileRecord], gone: set[str]) -> None:
        self._indexer = indexer
        self._catalog = indexer._catalog
        self._folder = folder
        self._known = known
        self._gone = gone
        """Known files that are not there; a new file of the same content is one of them, moved."""
        self._settled = _Settled()
        self._waiting: dict[bytes, _Content] = {}
        """Contents being decoded or waiting for their batch, so that a second file of one is not decoded again."""

    def run(self, changed: list[FoundFile]) -> None:
        if changed and self._indexer._first_read is None:
            self._indexer._first_read = time.monotonic()
        batch: list[tuple[_Content, DecodedPhoto]] = []
        pool = ThreadPoolExecutor(_THREADS, "sigseek-decode")
        try:
            for content, decoded in _ahead(pool, self._decode, self._new_contents(pool, changed), 2 * BATCH):
                if isinstance(decoded, DecodedPhoto):
                    batch.append((content, decoded))
                    if len(batch) == BATCH:
                        self._embed(batch)
                        batch = []
                else:
                    self._fail(content, decoded)
            self._embed(batch)
        finally:
            pool.shutdown(cancel_futures=True)

    def _new_contents(self, pool: ThreadPoolExecutor, changed: list[FoundFile]) -> Iterator[_Content]:
        """Hash the files; give out the contents that are not embedded yet, settle the files of all others."""
        for file, read in _ahead(pool, self._digest, changed, 2 * BATCH):
            if isinstance(read, Exception):
                self._note_failure(file, f"cannot be read: {getattr(read, 'strerror', None) or read}", None)
                continue
            waiting = self._waiting.get(read.digest)
            if waiting:
                waiting.files.append((file, read))
                continue
            photo_id = self._catalog.find_photo(read.digest)
            if photo_id is not None and len(self._catalog.embeddings(self._indexer._checkpoint.id, [photo_id])[0]):
                self._settle(file, read, photo_id)
                continue
            content = _Content(read.digest, [(file, read)])
            self._waiting[read.digest] = content
            yield content

    def _digest(self, file: FoundFile) -> FileDigest:
        return digest_file(Path(self._folder.path, file.path))

    def _decode(self, content: _Content) -> DecodedPhoto:
        return decode_photo(Path(self._folder.path, content.files[0][0].path), self._indexer._preprocessing)

    def _settle(self, file: FoundFile, read: FileDigest, photo_id: int) -> None:
        """The file holds a photo that is in the library."""
        report = self._indexer.report
        before = self._known.get(file.path)
        source = None if before else self._moved_from(photo_id)
        if before and before.photo_id == photo_id:
            report.unchanged += 1
        elif before:
            report.changed += 1
        elif source is not None:
            report.moved += 1
        else:
            report.added += 1
        if source:
            self._settled.moved_from.append(source)
            self._gone.remove(source)
            report.missing -= 1
        self._settled.files.append((file.path, photo_id, read))
        self._count()

    def _moved_from(self, photo_id: int) -> str | None:
        """Where a file of the photo lay that is not there any more; "" when that was in another folder, None if nowhere."""
        for folder, path in self._catalog.photo_paths(photo_id):
            if folder.id == self._folder.id:
                if path in self._gone and path not in self._settled.moved_from:
                    return path
            elif is_online(Path(folder.path)) and not os.path.lexists(Path(folder.path, path)):
                return ""
        return None

    def _fail(self, content: _Content, error: Exception) -> None:
        del self._waiting[content.digest]
        for file, read in content.files:
            if isinstance(error, DecodeError):
                self._note_failure(file, str(error), read)
            else:
                self._note_failure(file, f"cannot be read: {getattr(error, 'strerror', None) or error}", None)

    def _note_failure(self, file: FoundFile, reason: str, read: FileDigest | None) -> None:
        """`read` is what the file held; None when it could not be read, which the next run tries again."""
        size, mtime_ns = (read.size, read.mtime_ns) if read else (None, None)
        self._settled.failures.append(FailureRecord(file.path, reason, size, mtime_ns))
        if read and file.path in self._known:
            self._settled.gone_bad.append(file.path)
        self._indexer.report.failed += 1
        self._count()

    def _count(self) -> None:
        self._indexer._done += 1
        self._indexer._tell()
        if len(self._settled) >= _SETTLED_BATCH:
            self._store({})

    def _embed(self, batch: list[tuple[_Content, DecodedPhoto]]) -> None:
        """Embed a batch and store it, with whatever else is settled, in one transaction."""
        photos: dict[bytes, tuple[PhotoFacts, EmbeddingRecord]] = {}
        if batch:
            tower = self._indexer.tower()
            vectors = tower.embed(np.stack([photo.pixels for _, photo in batch]))
            for (content, photo), vector in zip(batch, vectors, strict=True):
                photos[content.digest] = (_facts(content.digest, photo), EmbeddingRecord(vector, tower.precision, VERSION))
        self._store(photos)

    def _store(self, photos: dict[bytes, tuple[PhotoFacts, EmbeddingRecord]]) -> None:
        report = self._indexer.report
        contents = [self._waiting[digest] for digest in photos]
        with self._catalog.transaction() as transaction:
            ids = {digest: transaction.add_photo(facts) for digest, (facts, _) in photos.items()}
            if photos:
                transaction.add_embeddings(
                    self._indexer._checkpoint.id, {ids[digest]: embedding for digest, (_, embedding) in photos.items()}
                )
            transaction.remove_files(self._folder.id, self._settled.moved_from + self._settled.gone_bad)
            for path, photo_id, read in self._settled.files:
                transaction.put_file(self._folder.id, path, photo_id, read.size, read.mtime_ns)
            for failure in self._settled.failures:
                transaction.put_failure(self._folder.id, failure)
            for content in contents:
                for file, read in content.files:
                    transaction.put_file(self._folder.id, file.path, ids[content.digest], read.size, read.mtime_ns)
        self._settled = _Settled()
        self._indexer._last_commit = time.monotonic()
        self._indexer._embedded += len(photos)
        for content in contents:
            del self._waiting[content.digest]
            for file, _ in content.files:
                known = self._known.get(file.path)
                if known is None or known.photo_id == ids[content.digest]:
                    report.added += 1  # a photo known from another checkpoint is new to this one
                else:
                    report.changed += 1
                self._indexer._done += 1
        self._indexer._tell()


def is_online(root: Path) -> bool:
    """Whether a folder that had photos is really there: an unmounted drive leaves an empty directory or none."""
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def check_folder(path: Path) -> Path:
    """The folder's absolute path without links; FolderError unless it is a readable directory."""
    path = path.expanduser()
    if not path.exists():
        raise FolderError(f"no folder {path}; check the name, or plug in the drive it is on")
    if not path.is_dir():
        raise FolderError(f"{path} is a file; name the folder it lies in")
    try:
        with os.scandir(path):
            return path.resolve()
    except OSError as error:
        raise FolderError(f"the folder {path} cannot be read ({error.strerror}); check its permissions") from error


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
    )


def _ahead(
    pool: ThreadPoolExecutor, function: Callable[[_In], _Out], items: Iterable[_In], window: int
) -> Iterator[tuple[_In, _Out | Exception]]:
    """Each item with the function's result or the exception it raised, in order, at most `window` of them at work."""
    running: deque[tuple[_In, Future[_Out]]] = deque()

    def finished() -> tuple[_In, _Out | Exception]:
        item, future = running.popleft()
        try:
            return item, future.result()
        except Exception as error:  # whatever one file brings about is that file's failure
            return item, error

    for item in items:
        running.append((item, pool.submit(function, item)))
        if len(running) >= window:
            yield finished()
    while running:
        yield finished()
