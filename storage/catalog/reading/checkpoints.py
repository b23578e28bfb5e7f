"""Questions about checkpoints."""

from sqlalchemy import select

from sigseek.storage.catalog.models import CheckpointRow
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.records import CheckpointRecord


class CheckpointReader(Reader):
    """Questions about checkpoints."""

    def checkpoints(self) -> list[CheckpointRecord]:
        """Return all checkpoints, the oldest first."""
        query = select(CheckpointRow).order_by(CheckpointRow.id)
        with self._session() as session:
            return [checkpoint_record(row) for row in session.scalars(query)]

    def find_checkpoint(self, fingerprint: str, preprocessing: str) -> CheckpointRecord | None:
        """Return the checkpoint with these two fingerprints, as it is now."""
        query = select(CheckpointRow).filter_by(
            fingerprint=fingerprint, preprocessing=preprocessing
        )
        with self._session() as session:
            row = session.scalar(query)
            return checkpoint_record(row) if row else None


def checkpoint_record(row: CheckpointRow) -> CheckpointRecord:
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
