"""Changes of what hits are judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.tables import BIAS, CALIBRATION, YARDSTICK

if TYPE_CHECKING:
    from sigseek.storage.records import YardstickRecord
    from sigseek.storage.records.arrays import Floats, Ids


class JudgementWriter(Writer):
    """Changes of what hits are judged by."""

    def put_biases(self, checkpoint_id: int, ids: Ids, values: Floats) -> None:
        """Keep the bias of each photo."""
        rows = [
            {"checkpoint_id": checkpoint_id, "photo_id": id_, "value": value}
            for id_, value in zip(ids.tolist(), values.tolist(), strict=True)
        ]
        self._put(BIAS, ["checkpoint_id", "photo_id"], rows)

    def put_yardstick(self, checkpoint_id: int, yardstick: YardstickRecord) -> None:
        """Keep what hits of the checkpoint are judged by."""
        row = {
            "checkpoint_id": checkpoint_id,
            "version": yardstick.version,
            "generation": yardstick.generation,
            "embeddings": yardstick.embeddings,
            "pictures": yardstick.pictures.astype("<f2").tobytes(),
            "absent_evidence": yardstick.absent_evidence.astype("<f4").tobytes(),
            "common_texts": yardstick.common_texts,
        }
        self._put(YARDSTICK, ["checkpoint_id"], [row])

    def remove_yardstick(self, checkpoint_id: int) -> None:
        """Remove what hits of the checkpoint are judged by. The next run of `index` measures it
        again.
        """
        self._connection.execute(
            delete(YARDSTICK).where(YARDSTICK.c.checkpoint_id == checkpoint_id)
        )

    def put_calibration(self, checkpoint_id: int, fitted: str) -> None:
        """Keep the JSON of a calibration in place of an earlier one."""
        row = {"checkpoint_id": checkpoint_id, "fitted": fitted}
        self._put(CALIBRATION, ["checkpoint_id"], [row])
