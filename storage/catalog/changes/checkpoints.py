"""Changes of checkpoints."""

import secrets

from sqlalchemy import delete, select, update

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.reading.checkpoints import checkpoint_record
from sigseek.storage.catalog.tables import CHECKPOINT
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
        """Return the checkpoint, which is added without embeddings unless another process has just
        added it.
        """
        values = {
            "name": name,
            "fingerprint": fingerprint,
            "preprocessing": preprocessing,
            "dimension": dimension,
            "image_size": image_size,
            "logit_scale": logit_scale,
            "logit_bias": logit_bias,
            "token": secrets.token_hex(8),
        }
        keys = ["fingerprint", "preprocessing"]
        self._dialect.put(self._connection, CHECKPOINT, keys, [values], overwrite=False)
        query = select(CHECKPOINT).filter_by(**{key: values[key] for key in keys})
        return checkpoint_record(self._connection.execute(query).one())

    def set_dimension(self, checkpoint_id: int, dimension: int) -> None:
        """Correct the number of dimensions of the checkpoint's embeddings."""
        row = CHECKPOINT.c.id == checkpoint_id
        self._connection.execute(update(CHECKPOINT).where(row).values(dimension=dimension))

    def remove_checkpoint(self, checkpoint_id: int) -> None:
        """Remove the checkpoint, its embeddings, and everything that depends on them."""
        self._connection.execute(delete(CHECKPOINT).where(CHECKPOINT.c.id == checkpoint_id))
