"""A folder in, searchable photos out: scan, compare with the catalog, hash, decode, embed, store,
measure, and bring the vector index up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sigseek.errors import ErrorKind, StoppedError
from sigseek.indexer.comparison import Comparison
from sigseek.indexer.decoding.limits import default_max_pixels
from sigseek.indexer.facts_version import FACTS_VERSION
from sigseek.indexer.failures import unreadable
from sigseek.indexer.folder_comparison import FolderComparer
from sigseek.indexer.folder_patterns import FolderPatterns
from sigseek.indexer.folder_scans import FolderScan, FolderScans
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.indexer.ledger import IndexReport, Ledger
from sigseek.indexer.measuring import Measuring
from sigseek.indexer.mounts import Mounts
from sigseek.indexer.photos_without_files import PhotosWithoutFiles
from sigseek.indexer.speed_notes import SpeedNotes
from sigseek.indexer.work import ListedWork, Work
from sigseek.progress import Listener, Phase, Silence, Stop
from sigseek.siglip import ImageTower, Preprocessing
from sigseek.siglip.yardstick.steps import YardstickStep
from sigseek.storage import Catalog, CheckpointRecord, FolderRecord, LibraryError
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.contract import IndexStore

if TYPE_CHECKING:
    from sigseek.indexer.shared_work import Crew, Worker
    from sigseek.siglip.yardstick.embeddings import Yardstick  # numpy comes with it
    from sigseek.storage.catalog.transaction import Transaction
    from sigseek.storage.thumbnails import ThumbnailStore


def _alone(listener: Listener, stop: Stop) -> AbstractContextManager[bool]:
    """Return at once: no other run goes on in the library."""
    return nullcontext(True)


class Indexer:
    """Brings folders of a library up to date for one checkpoint.

    `tower` is called once, when the first photo has to be embedded: a run that finds nothing new
    loads no model. `yardstick` is called when embeddings have to be measured, with the step that it
    has to reach and the seconds in which it may go beyond. Both tell the listener and look at the
    stop token that they are given.
    Pictures of more than `max_pixels` are failures. The catalog remembers the limit for later runs;
    None stands for the remembered one, or else for what fits into half of the memory. With
    `reread`, files are read again even if their size and times have not changed. `speed` tells of
    runs that take long, and keeps how fast this one was. `thumbnails` is called when there are
    files to read; what it returns keeps a small picture of each photo that is decoded.
    `shared` tells whether other processes may take in the files, too: one calls `run`, and the
    others call `help`. With a `crew`, the one that calls `run` leaves all files to it. `mounts`
    tells where the library's folders are on this machine. `ending` waits until no other run that
    goes on at the same time does what is about the whole library, and gives whether any goes on.
    """

    def __init__(
        self,
        catalog: Catalog,
        checkpoint: CheckpointRecord,
        preprocessing: Preprocessing,
        tower: Callable[[Listener, Stop], ImageTower],
        yardstick: Callable[[Listener, Stop, YardstickStep, float], Yardstick],
        index_store: IndexStore,
        *,
        speed: SpeedNotes | None = None,
        max_pixels: int | None = None,
        reread: bool = False,
        thumbnails: Callable[[], ThumbnailStore | None] = lambda: None,
        shared: bool = False,
        crew: Crew | None = None,
        mounts: Mounts | None = None,
        ending: Callable[[Listener, Stop], AbstractContextManager[bool]] = _alone,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> None:
        self._catalog = catalog
        self.checkpoint = checkpoint
        """The checkpoint's row as it was before the run."""
        self._preprocessing = preprocessing
        self._load_tower = tower
        self._speed = speed
        self._yardstick = yardstick
        self._index_store = index_store
        self._thumbnails = thumbnails
        self._shared = shared
        self._crew = crew
        self._mounts = mounts or Mounts()
        self._ending = ending
        self._worker: Worker | None = None
        self._shared_listing = False
        """Whether this process lists the files that others take in, too."""
        self._is_going_on: Callable[[], bool] = lambda: False
        self._new_limit = max_pixels
        self._max_pixels = max_pixels or catalog.max_pixels() or default_max_pixels()
        self._listener = listener or Silence()
        self._stop = stop or Stop()
        self._tower: ImageTower | None = None
        self._ledger = Ledger(checkpoint.name, self._listener)
        self._comparer = FolderComparer(
            catalog, checkpoint, self._max_pixels, self._stop, reread=reread
        )
        self._scans = FolderScans(catalog, self._comparer, self._ledger)

    def run(
        self,
        paths: Sequence[Path],
        *,
        accept_missing: bool = False,
        exclude: Sequence[str] = (),
        include: Sequence[str] = (),
    ) -> IndexReport:
        """Index the folders at `paths`, or all that are known when there are none.

        Every batch is stored as it is done, so an interrupted run loses at most the one in flight
        and the next run goes on from there. A run that is asked to stop ends soon, and its report
        says so. The paths are what `check_folder` returned. Raises FolderError, with the catalog as
        it was, when more than half of a folder's files are gone, unless `accept_missing`, and as
        `check_folders_below` raises it.

        Files that the patterns in `exclude` mean leave the library and are not taken in, by this
        run and by later ones; `include` takes such patterns back. A folder that the rules leave
        nothing of stays as it is, unless `accept_missing`.
        """
        with ExitStack() as leaving:
            if self._shared:
                self._worker = leaving.enter_context(self._join())
                self._worker.begin_listing()
                self._shared_listing = True
            return self._run(paths, accept_missing, exclude, include)

    def help(self, is_going_on: Callable[[], bool]) -> IndexReport:
        """Take in files that another process lists, and return the report of what this process did.

        It ends when there is no such file and `is_going_on` returns False. Raises FolderError when
        none of the folders is on this machine.
        """
        self._is_going_on = is_going_on
        with self._join() as self._worker:
            self._ledger.begin(Phase.EMBEDDING)
            self._take_in([])
        return self._ledger.finish(stopped=self._stop.is_set())

    def _join(self) -> Worker:
        from sigseek.indexer.shared_work import Worker  # few runs are shared

        return Worker(self._catalog, self.checkpoint, self._ledger, self._mounts)

    def _run(
        self,
        paths: Sequence[Path],
        accept_missing: bool,
        exclude: Sequence[str],
        include: Sequence[str],
    ) -> IndexReport:
        self._ledger.begin(Phase.SCANNING)
        patterns = FolderPatterns(self._catalog, exclude, include)
        scans = self._scans.scan(paths, patterns, accept_missing=accept_missing)
        if self._stop.is_set():  # what was listed is incomplete
            return self._ledger.finish(stopped=True)
        scans = self._scans.checked(scans, accept_missing=accept_missing)
        work = self._catalog.commit(partial(self._add_folders, scans, patterns))
        without_files = PhotosWithoutFiles(self._catalog)
        for folder, _, found in work:
            self._settle(folder, found)
        if any(found.excluded for _, _, found in work):
            without_files.note_excluded(found for _, _, found in work)
        self._ledger.begin(Phase.EMBEDDING)
        if self._speed is not None and not self._shared:
            self._ledger.tell_of_long_runs(
                self._speed, sum(len(found.changed) for _, _, found in work)
            )
        done = self._embed(work)
        if self._worker is not None:
            self._note_moves_by_others(work)
        done = done and self._conclude(work, without_files)
        done = done and self._read_metadata(work)
        done = done and self._measure_and_catch_up()
        done = done and self._make_facet_blocks()
        done = done and self._make_hashes([folder.id for folder, _, _ in work])
        report = self._ledger.finish(stopped=not done)
        if self._speed is not None and report.device and report.precision:
            self._speed.keep(
                self._ledger.embedded, report.images_per_second, report.device, report.precision
            )
        return report

    def _add_folders(
        self, scans: Sequence[FolderScan], patterns: FolderPatterns, transaction: Transaction
    ) -> list[tuple[FolderRecord, PurePath, Comparison]]:
        """Add the folders that are new, and keep what the run was told. Return each folder with
        where in it the scan began and what it found.
        """
        if self._new_limit:
            transaction.put_max_pixels(self._new_limit)
        work = []
        for root, inside, found in scans:
            folder, _ = transaction.add_folder(root)
            # Another run may have changed the patterns of another directory in the folder.
            kept = transaction.lock_excluded(folder.id)
            transaction.put_excluded(folder.id, patterns.applied(kept, root, inside))
            work.append((folder, inside, found))
        return work

    def _settle(self, folder: FolderRecord, found: Comparison) -> None:
        """Write down and count everything that no file has to be read for."""

        def write(transaction: Transaction) -> None:
            transaction.mark_present(folder.id, found.reappeared)
            transaction.mark_missing(folder.id, found.newly_missing)
            transaction.remove_files(folder.id, found.excluded)
            transaction.put_other_files(folder.id, found.gone_other_files, found.other_files)
            transaction.remove_failures(folder.id, found.resolved_failures)
            transaction.note_ctimes(folder.id, found.unseen_ctimes)
            for path, reason in found.unreadable.items():
                transaction.put_failure(folder.id, unreadable(path, reason))

        self._catalog.commit(write)
        self._ledger.enter_scan(folder.id, folder.path, found)

    def _embed(self, work: Sequence[tuple[FolderRecord, PurePath, Comparison]]) -> bool:
        """Take in what is new or changed, JPEG before the camera RAW beside it, and return whether
        it was done before somebody asked to stop.
        """
        self._take_in([(folder, found) for folder, _, found in work])
        if self._stop.is_set():
            return False
        self._take_in(
            [
                (folder, self._raw_files(folder, inside, found))
                for folder, inside, found in work
                if found.raw_pairs
            ]
        )
        return not self._stop.is_set()

    def _note_moves_by_others(
        self, work: Sequence[tuple[FolderRecord, PurePath, Comparison]]
    ) -> None:
        """Note which missing files other processes have found elsewhere. They removed them from
        the catalog.
        """
        for folder, _, found in work:
            still = self._catalog.files_at(folder.id, self.checkpoint.id, found.missing)
            for path in found.missing - still.keys():
                self._ledger.enter_move(folder.id, path)

    def _raw_files(self, folder: FolderRecord, inside: PurePath, found: Comparison) -> Comparison:
        """Drop camera RAW files whose JPEG is now indexed. The others are to be indexed: their
        JPEG could not be used.
        """
        replaced, alone = self._comparer.compare_raw(folder, inside, found)

        def write(transaction: Transaction) -> None:
            transaction.remove_files(folder.id, replaced)
            transaction.remove_failures(folder.id, replaced)

        self._catalog.commit(write)
        self._settle(folder, alone)
        found.sidecars |= alone.sidecars
        return alone

    def _take_in(self, work: Sequence[tuple[FolderRecord, Comparison]]) -> None:
        """Hash, decode, embed and store what is new or changed in the folders."""
        work = [(folder, found) for folder, found in work if found.changed]
        if not work and self._worker is None:
            return
        if self._worker is not None and self._crew is not None:
            self._worker.offer(work)
            self._worker.wait_for(self._crew, self._stop)
            return
        # Pillow and numpy come with these, which a run over unchanged folders does without
        from sigseek.indexer.decoding.guarded import GuardedDecoder
        from sigseek.indexer.ingest import FolderIngest

        thumbnails = self._thumbnails()
        with GuardedDecoder(self._preprocessing, self._max_pixels) as decoder:
            for folder, part in self._parts(work):
                if self._stop.is_set():
                    return
                FolderIngest(
                    self._catalog,
                    self.checkpoint,
                    decoder,
                    self.tower,
                    self._ledger,
                    folder,
                    part,
                    self._stop,
                    thumbnails,
                    self._mounts,
                ).run()

    def _parts(
        self, work: Sequence[tuple[FolderRecord, Comparison]]
    ) -> Iterator[tuple[FolderRecord, Work]]:
        """Yield the work on each folder; with other processes, as long as any of them has some."""
        if self._worker is None:
            for folder, found in work:
                yield folder, ListedWork(self._catalog, found)
            return
        if self._shared_listing:
            self._worker.offer(work)
        yield from self._worker.stints(self._stop, self._is_going_on)

    def _read_metadata(self, work: Sequence[tuple[FolderRecord, PurePath, Comparison]]) -> bool:
        """Read the metadata again that is out of date. Returns False when stopped before.

        That of photos without a hash is left to `_make_hashes`, which reads their files anyway.
        """

        def write(transaction: Transaction) -> None:
            for folder, _, found in work:
                transaction.put_sidecars(folder.id, found.sidecars)

        if any(found.sidecars for _, _, found in work):
            self._catalog.commit(write)
        folder_ids = [folder.id for folder, _, _ in work]
        stale = self._catalog.stale_photos("metadata", folder_ids, FACTS_VERSION)
        if stale:
            without = set(self._catalog.stale_photos("hash", folder_ids, HASH_VERSION))
            stale = [id_ for id_ in stale if id_ not in without]
        if not stale:
            return True
        from sigseek.indexer.decoding.guarded import GuardedDecoder
        from sigseek.indexer.metadata_refresh import MetadataRefresh

        self._ledger.begin(Phase.READING, len(stale))
        with GuardedDecoder(self._preprocessing, self._max_pixels) as decoder:
            return MetadataRefresh(self._catalog, decoder, self._ledger).run(stale, self._stop)

    def _make_hashes(self, folder_ids: Sequence[int]) -> bool:
        """Make the perceptual hashes of photos that an earlier version of the program took in.
        Returns False when stopped before.

        It comes last, because every such photo has to be decoded once more and searches need none.
        """
        without = self._catalog.stale_photos("hash", folder_ids, HASH_VERSION)
        if not without:
            return True
        from sigseek.indexer.decoding.guarded import GuardedDecoder
        from sigseek.indexer.missing_hashes import MissingHashes

        out_of_date = set(self._catalog.stale_photos("metadata", folder_ids, FACTS_VERSION))
        self._ledger.begin(Phase.HASHING, len(without))
        with GuardedDecoder(self._preprocessing, self._max_pixels) as decoder:
            hashes = MissingHashes(self._catalog, decoder, self._ledger)
            return hashes.make(without, out_of_date, self._stop)

    def _make_facet_blocks(self) -> bool:
        """Make ready what photos are counted by. Returns False when stopped before."""
        lacking = self._catalog.lacking_facet_blocks()
        if lacking:
            self._ledger.begin(Phase.INDEXING)
        for number in lacking:
            if self._stop.is_set():
                return False
            try:
                with self._catalog.transaction() as transaction:
                    transaction.make_facet_blocks(number)
            except LibraryError as error:
                if error.kind is not ErrorKind.BUSY:
                    raise
                return True  # others change photos, and a later run makes the rest
        return True

    def tower(self) -> ImageTower:
        """Return the image tower, loaded at the first call."""
        if self._tower is None:
            from sigseek.indexer.ingest import THREADS

            with self._ledger.loading():
                self._tower = tower = self._load_tower(self._ledger, self._stop)
            self._ledger.use_tower(
                tower.device, tower.runtime, tower.precision, tower.batch, THREADS
            )
        return self._tower

    def _conclude(
        self,
        work: Sequence[tuple[FolderRecord, PurePath, Comparison]],
        without_files: PhotosWithoutFiles,
    ) -> bool:
        """Note which folders were gone through, and forget photos that no file holds any more.
        Returns False when stopped before.

        Nothing is forgotten after a stop: a file that was not read yet may hold the photo.
        """
        whole = {folder.id for folder, inside, _ in work if inside == PurePath()}
        try:
            with self._ending(self._listener, self._stop) as alone:
                without_files.settle(
                    [found for _, _, found in work],
                    alone=alone,
                    of_all_folders=all(folder.id in whole for folder in self._catalog.folders()),
                )
                self._forget(whole, without_files.replaced, without_files.left_out)
        except StoppedError:  # while another run ended
            return False
        return True

    def _forget(self, gone_through: set[int], replaced: set[int], left_out: set[int]) -> None:
        """Note that the folders with these ids were gone through, and remove the photos."""
        untagged = self._catalog.count_with_judged_tags(replaced)
        excluded_tagged = self._catalog.count_with_tags(left_out)

        def write(transaction: Transaction) -> None:
            for folder_id in sorted(gone_through):
                transaction.finish_folder(folder_id)
            if replaced or left_out:
                transaction.remove_photos_without_files(among=replaced | left_out)
            transaction.forget_held()
            transaction.remove_former_order()

        self._catalog.commit(write)
        if untagged:
            self._ledger.enter_untagged(untagged)
        self._ledger.enter_excluded_photos(len(left_out), excluded_tagged)

    def _measure_and_catch_up(self) -> bool:
        """Do what is about the embeddings of all folders, when no other run does. Returns False
        when stopped before.
        """
        try:
            with self._ending(self._listener, self._stop):
                return self._measure() and self._catch_up()
        except StoppedError:  # while another run ended
            return False

    def _measure(self) -> bool:
        """Measure what was embedded against the yardstick. Returns False when stopped before."""
        measuring = Measuring(self._catalog, self._yardstick, self._ledger, self._stop)
        return measuring.run(self._record())

    def _catch_up(self) -> bool:
        """Make the vector index ready for the next search. Returns False when stopped before."""
        if self._stop.is_set():
            return False
        embeddings = CheckpointEmbeddings(self._catalog, self._record(), self._stop)
        if not self._index_store.is_current(embeddings):
            self._ledger.begin(Phase.INDEXING)
            try:
                self._index_store.catch_up(embeddings)
            except StoppedError:
                return False
        return True

    def _record(self) -> CheckpointRecord:
        """Return the checkpoint with its embeddings and generation as they are now."""
        fingerprint, preprocessing = self.checkpoint.fingerprint, self.checkpoint.preprocessing
        return self._catalog.find_checkpoint(fingerprint, preprocessing) or self.checkpoint
