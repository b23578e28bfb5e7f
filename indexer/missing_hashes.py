"""Perceptual hashes of photos that an earlier version of the program indexed.

Their pictures are decoded once more, and their metadata read on the same occasion where that is out
of date. Nothing is embedded.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from sigseek import disk
from sigseek.indexer.decoding.digest import mtime_ns
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.errors import DecodeError, UndecidedError
from sigseek.indexer.hash_version import HASH_VERSION
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.metadata_refresh import MetadataRefresh
from sigseek.indexer.rereading import Rereading
from sigseek.progress import Phase, Stop
from sigseek.storage import Catalog, PhotoFile
from sigseek.storage.records.hashes import HashRecord


class _Made(NamedTuple):
    """What the files of a photo gave."""

    hash: HashRecord | None
    """None where they hold no picture."""
    metadata: Metadata | None = None
    """None where it was not asked for, or they hold no picture."""


class MissingHashes:
    """Makes the hashes of photos that have none, or one of an earlier version, and stores them."""

    def __init__(self, catalog: Catalog, decoder: GuardedDecoder, ledger: Ledger) -> None:
        self._catalog = catalog
        self._decoder = decoder
        self._ledger = ledger
        self._metadata = MetadataRefresh(catalog, decoder, ledger)
        self._out_of_date: Collection[int] = ()

    def make(self, photo_ids: Sequence[int], out_of_date: Collection[int], stop: Stop) -> bool:
        """Make the hashes of these photos. The metadata of those that are `out_of_date` is read,
        too. Returns False when stopped before all were made.

        Photos whose files cannot be read now are left for a later run. Those whose files give no
        picture any more are noted as such, so that no run tries them again.
        """
        self._out_of_date = out_of_date
        rereading = Rereading(self._catalog, self._ledger, Phase.HASHING, self._make, self._store)
        return rereading.run(photo_ids, stop)

    def _make(self, photo_id: int, files: Sequence[PhotoFile]) -> _Made:
        """Return what the photo in these files gives.

        Raises OSError or UndecidedError when none of them can be read now.
        """
        made = self._hash(files)
        if photo_id not in self._out_of_date:
            return _Made(made)
        # Right after the decoding, the system still has what it read of the file.
        return _Made(made, self._metadata.read(files))

    def _hash(self, files: Sequence[PhotoFile]) -> HashRecord | None:
        """Return the hash of the photo in these files; None where they give no picture."""
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

    def _store(self, made: dict[int, _Made | None], files: dict[int, Sequence[PhotoFile]]) -> None:
        found = {id_: one or _Made(None) for id_, one in made.items()}
        hashes = {id_: one.hash for id_, one in found.items()}
        self._catalog.commit(lambda transaction: transaction.put_hashes(hashes, HASH_VERSION))
        self._ledger.enter_hashed(len(found))
        read = {id_: one.metadata for id_, one in found.items() if id_ in self._out_of_date}
        if read:
            self._metadata.store(read, files)
