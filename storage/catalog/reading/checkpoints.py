"""Questions about checkpoints."""

from typing import Any

from sqlalchemy import Row, select

from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import CHECKPOINT
from sigseek.storage.records import CheckpointRecord


class CheckpointReader(Reader):
    """Questions about checkpoints."""

    def checkpoints(self) -> list[CheckpointRecord]:
        """Return all checkpoints, the oldest first."""
        query = select(CHECKPOINT).order_by(CHECKPOINT.c.id)
        with self._connect() as connection:
            return [checkpoint_record(row) for row in connection.execute(query)]

    def find_checkpoint(self, fingerprint: str, preprocessing: str) -> CheckpointRecord | None:
        """Return the checkpoint with these two fingerprints, as it is now."""
        query = select(CHECKPOINT).filter_by(fingerprint=fingerprint, preprocessing=preprocessing)
        with self._connect() as connection:
            row = connection.execute(query).first()
            return checkpoint_record(row) if row else None


def checkpoint_record(row: Row[Any]) -> CheckpointRecord:
    """Return the row as a plain value."""
    return CheckpointRecord(
        row.id,
        row.name,
        row.fingerprint,
        row.preprocessing,
        row.dimension,
        row.logit_scale,
        row.logit_bias,
        row.generation,
        row.token,
        row.embeddings,
    )
