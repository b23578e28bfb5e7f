"""The metadata of known photos, read again without their pixels.

It is out of date when a sidecar has changed, a file has another name, or this version of the
program reads more than the last one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.indexer.decoding.digest import mtime_ns
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.errors import DecodeError, UndecidedError
from sigseek.indexer.facts import photo_metadata
from sigseek.indexer.facts_version import FACTS_VERSION
from sigseek.indexer.ledger import Ledger
from sigseek.indexer.rereading import Rereading
from sigseek.indexer.sidecars import changes_in, names_in
from sigseek.progress import Phase, Stop
from sigseek.storage import Catalog, DateSource, PhotoFile

if TYPE_CHECKING:
    from sigseek.storage.catalog.transaction import Transaction

_TOGETHER = (("latitude", "longitude"), ("city", "region", "country", "place_source"))
"""Values that make sense only if they come from one file."""


class MetadataRefresh:
    """Reads the metadata of photos again and stores it."""

    def __init__(self, catalog: Catalog, decoder: GuardedDecoder, ledger: Ledger) -> None:
        self._catalog = catalog
        self._decoder = decoder
        self._ledger = ledger

    def run(self, photo_ids: Sequence[int], stop: Stop) -> bool:
        """Read the metadata of these photos. Returns False when stopped before all were read.

        Photos that cannot be read now are left for a later run.
        """
        rereading = Rereading(
            self._catalog,
            self._ledger,
            Phase.READING,
            lambda _, files: self.read(files),
            self.store,
        )
        return rereading.run(photo_ids, stop)

    def read(self, files: Sequence[PhotoFile]) -> Metadata | None:
        """Return what the files of a photo say together; None where they are not pictures. Raises
        OSError when none of them is there as it was.
        """
        missing: OSError | None = FileNotFoundError()
        said = []
        for file in sorted(files, key=_weight):
            path = Path(file.path)
            try:
                status = path.stat()
                if (status.st_size, mtime_ns(status)) != (file.size, file.mtime_ns):
                    continue  # another picture perhaps, which the next run takes in
                said.append(self._decoder.read_metadata(path, names_in(file.sidecars)))
                missing = None
            except UndecidedError:
                continue
            except DecodeError:
                missing = None
            except OSError as error:
                missing = missing and error
        if missing:
            raise missing
        return combined(said) if said else None

    def store(
        self, read: Mapping[int, Metadata | None], files: Mapping[int, Sequence[PhotoFile]]
    ) -> None:
        """Keep what was read of the photos with these ids in these files. A photo that has other
        files by now, because another process indexes another folder, is left for a later run.
        """

        def write(transaction: Transaction) -> int:
            ids = transaction.with_files({id_: files[id_] for id_ in read})
            found = {id_: photo_metadata(said) for id_, said in read.items() if said and id_ in ids}
            transaction.put_metadata(found)
            transaction.mark_metadata_read(sorted(ids - found.keys()), FACTS_VERSION)
            transaction.remove_unused_words()
            return len(found)

        self._ledger.enter_metadata(self._catalog.commit(write))


def combined(said: Sequence[Metadata]) -> Metadata:
    """Return what several files of one photo say: the first says all that it can, the others fill
    gaps.

    The date is the one from the best source.
    """
    first = said[0]
    for other in said[1:]:
        gaps = {
            field.name: getattr(other, field.name)
            for field in fields(Metadata)
            if not getattr(first, field.name) and getattr(other, field.name)
        }
        for names in _TOGETHER:
            if any(getattr(first, name) is not None for name in names):
                gaps = {name: value for name, value in gaps.items() if name not in names}
        if _rank(other) < _rank(first):
            gaps |= {"taken_at": other.taken_at, "date_source": other.date_source}
        first = replace(first, **gaps)
    return first


def _rank(said: Metadata) -> int:
    sources = list(DateSource)
    return sources.index(DateSource(said.date_source)) if said.date_source else len(sources)


def _weight(file: PhotoFile) -> tuple[bool, int]:
    """Return files with sidecars first, and then those that changed most recently."""
    return not file.sidecars, -max((file.mtime_ns, *changes_in(file.sidecars)))
