"""Perceptual hashes of photos that an earlier version of the program indexed.

Their pictures are decoded once more. Nothing else of them is read, and nothing is embedded.
"""

from collections.abc import Sequence
from pathlib import Path

from sigseek import disk
from sigseek.indexer.decoding.digest import mtime_ns
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.errors import DecodeError, UndecidedError
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.rereading import Rereading
from sigseek.progress import Phase, Stop
from sigseek.storage import Catalog, PhotoFile
from sigseek.storage.records.hashes import HashRecord


class MissingHashes:
    """Makes the hashes of photos that have none, or one of an earlier version, and stores them."""

    def __init__(self, catalog: Catalog, decoder: GuardedDecoder, ledger: Ledger) -> None:
        self._catalog = catalog
        self._decoder = decoder
        self._ledger = ledger

    def make(self, photo_ids: Sequence[int], stop: Stop) -> bool:
        """Make the hashes of these photos. Returns False when stopped before all were made.

        Photos whose files cannot be read now are left for a later run. Those whose files give no
        picture any more are noted as such, so that no run tries them again.
        """
        rereading = Rereading(self._catalog, self._ledger, Phase.HASHING, self._hash, self._store)
        return rereading.run(photo_ids, stop)

    def _hash(self, files: Sequence[PhotoFile]) -> HashRecord | None:
        """Return the hash of the photo in these files; None where they give no picture.

        Raises OSError or UndecidedError when none of them can be read now.
        """
        unreadable: Exception | None = FileNotFoundError()
        for file in files:
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
        with self._catalog.transaction() as transaction:
            transaction.put_hashes(made, HASH_VERSION)
        self._ledger.enter_hashed(len(made))
