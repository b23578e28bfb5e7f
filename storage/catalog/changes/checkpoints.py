"""Changes of checkpoints."""

import secrets

from sqlalchemy import delete

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.models import CheckpointRow
from sigseek.storage.catalog.reading.checkpoints import checkpoint_record
from sigseek.storage.records import CheckpointRecord


class CheckpointWriter(Writer):
    """Changes of checkpoints."""

    def add_checkpoint(
        self,
        *,
        name: str,
        fingerprint: str,
        preprocessing: str,
        dimension: int,
        image_size: int,
        logit_scale: float,
        logit_bias: float,
    ) -> CheckpointRecord:
        """Add a checkpoint without embeddings."""
        row = CheckpointRow(
            name=name,
            fingerprint=fingerprint,
            preprocessing=preprocessing,
            dimension=dimension,
            image_size=image_size,
            logit_scale=logit_scale,
            logit_bias=logit_bias,
            generation=0,
            token=secrets.token_hex(8),
            embeddings=0,
        )
        self._session.add(row)
        self._session.flush()
        return checkpoint_record(row)

    def set_dimension(self, checkpoint_id: int, dimension: int) -> None:
        """Correct the number of dimensions of the checkpoint's embeddings."""
        self._session.get_one(CheckpointRow, checkpoint_id).dimension = dimension

    def remove_checkpoint(self, checkpoint_id: int) -> None:
        """Remove the checkpoint, its embeddings, and everything that depends on them."""
        self._session.execute(delete(CheckpointRow).where(CheckpointRow.id == checkpoint_id))
