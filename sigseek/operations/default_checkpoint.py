"""The choice of the checkpoint that a library is used with when none is named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sigseek.siglip.names import MINI
from sigseek.storage import CheckpointRecord

if TYPE_CHECKING:
    from sigseek.storage.catalog.catalog import CatalogReader


def checkpoint_to_search(
    reader: CatalogReader, without: str | None = None
) -> CheckpointRecord | None:
    """Return the checkpoint that answers when none is named; None when the library has none.

    It is the last one that was named to an indexing run, as soon as it has embedded a photo. The
    one that is called `without` is passed over.
    """
    records = [record for record in reader.checkpoints() if record.name != without]
    used = [record for record in records if record.embeddings] or records
    # Every search asks, and most libraries have one checkpoint.
    return used[0] if len(used) == 1 else _choose(used, reader.named_checkpoints())


def checkpoint_to_index(reader: CatalogReader) -> CheckpointRecord | None:
    """Return the checkpoint that an indexing run goes on with when none is named.

    It is the last one that was named to such a run, even if that run was interrupted before it
    embedded a photo.
    """
    return _choose(reader.checkpoints(), reader.named_checkpoints())


def _choose(
    records: Sequence[CheckpointRecord], named: Sequence[tuple[str, str]]
) -> CheckpointRecord | None:
    """Return the first of the checkpoints with the fingerprints `named`, or else the one that
    embedded most photos, and of several that embedded the same number the newest.

    mini is chosen only where it embedded more photos than every other checkpoint.
    """
    if not records:
        return None
    most = max(records, key=lambda record: (record.embeddings, record.name != MINI, record.id))
    by_fingerprints = {(record.fingerprint, record.preprocessing): record for record in records}
    for fingerprints in named:
        record = by_fingerprints.get(fingerprints)
        if record and (record.name != MINI or most.name == MINI):
            return record
    return most
