"""Perceptual hashes of photos that an earlier version of the program indexed.

Their pictures are decoded once more. Nothing else of them is read, and nothing is embedded.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sigseek import disk
from sigseek.indexer.decoding.digest import mtime_ns
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.errors import DecodeError, UndecidedError
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.indexer.ingest import THREADS
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.map_ahead import map_ahead
from sigseek.progress import Phase, Progress, Stop
from sigseek.storage import Catalog, PhotoFile
from sigseek.storage.records.hashes import HashRecord

_LOOKED_UP = 1_000
"""Photos whose files are asked for together."""
_STORED = 200
"""Photos that are stored in one transaction."""
_AHEAD = 8 * THREADS


class MissingHashes:
    """Makes the hashes of photos that have none and stores them, a few hundred at a time."""

    def __init__(
        self, catalog: Catalog, decoder: GuardedDecoder, ledger: Ledger, stop: Stop
    ) -> None:
        self._catalog = catalog
        self._decoder = decoder
        self._ledger = ledger
        self._stop = stop

    def make(self, photo_ids: Sequence[int]) -> bool:
        """Make the hashes of these photos. Returns False when stopped before all were made.

        Photos whose files cannot be read now are left for a later run. Those whose files give no
        picture any more are noted as such, so that no run tries them again.
        """
        made: dict[int, HashRecord | None] = {}
        pool = ThreadPoolExecutor(THREADS, "sigseek-hash")
        try:
            for done, ((photo_id, _), found) in enumerate(
                map_ahead(pool, self._hash, self._files(photo_ids), lambda: _AHEAD, self._stop),
                1,
            ):
                if isinstance(found, OSError | UndecidedError):
                    continue
                if isinstance(found, Exception):
                    raise found
                made[photo_id] = found
                if len(made) >= _STORED:
                    self._store(made)
                    made = {}
                self._ledger.advanced(Progress(Phase.HASHING, done, len(photo_ids)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        self._store(made)
        return not self._stop.is_set()

    def _files(self, photo_ids: Sequence[int]) -> Iterator[tuple[int, list[PhotoFile]]]:
        for start in range(0, len(photo_ids), _LOOKED_UP):
            yield from self._catalog.present_files(photo_ids[start : start + _LOOKED_UP]).items()

    def _hash(self, photo: tuple[int, list[PhotoFile]]) -> HashRecord | None:
        """Return the hash of the photo in these files; None where they give no picture.

        Raises OSError or UndecidedError when none of them can be read now.
        """
        unreadable: Exception | None = FileNotFoundError()
        for file in photo[1]:
            path = Path(file.path)
            try:
                status = disk.ask(path.parent, path.stat, None)
                if status and (status.st_size, mtime_ns(status)) == (file.size, file.mtime_ns):
                    return self._decoder.decode_hash(path)
            except (OSError, UndecidedError) as error:
                unreadable = unreadable and error
            except DecodeError:
                unreadable = None
        if unreadable:
            raise unreadable
        return None

    def _store(self, made: dict[int, HashRecord | None]) -> None:
        if not made:
            return
        with self._catalog.transaction() as transaction:
            transaction.put_hashes(made, HASH_VERSION)
        self._ledger.enter_hashed(len(made))
