"""Questions about what hits are judged by."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import Executable, bindparam, func, select

from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.reading.settings import VECTORS
from sigseek.storage.catalog.tables import (
    BIAS,
    CALIBRATION,
    CHECKPOINT,
    PHOTO,
    SETTING,
    YARDSTICK,
)
from sigseek.storage.records import CheckpointRecord, CheckpointState, Measured, YardstickRecord

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Floats, Ids

_RECORD = tuple(field.name for field in fields(CheckpointRecord))
"""The columns of a checkpoint that make its record."""

# Made once, and of plain columns: every search asks, and to make the statement again and rows into
# objects would take twice the time.
_STATES = (
    select(
        *(CHECKPOINT.c[name] for name in _RECORD),
        YARDSTICK.c.version.label("measured_version"),
        YARDSTICK.c.generation.label("measured_generation"),
        YARDSTICK.c.embeddings.label("measured_embeddings"),
        YARDSTICK.c.common_texts.label("measured_common_texts"),
        CALIBRATION.c.fitted,
        select(func.max(PHOTO.c.id)).scalar_subquery().label("newest_photo"),
        select(SETTING.c.value).where(SETTING.c.name == VECTORS).scalar_subquery().label("vectors"),
    )
    .outerjoin_from(CHECKPOINT, YARDSTICK, YARDSTICK.c.checkpoint_id == CHECKPOINT.c.id)
    .outerjoin(CALIBRATION, CALIBRATION.c.checkpoint_id == CHECKPOINT.c.id)
    .order_by(CHECKPOINT.c.id)
)


class JudgementReader(Reader):
    """Questions about what hits are judged by."""

    @cached_property
    def _biases_among(self) -> Executable:
        return select(BIAS.c.photo_id, BIAS.c.value).where(
            BIAS.c.checkpoint_id == bindparam("checkpoint"),
            self._dialect.is_among(BIAS.c.photo_id, "ids"),
        )

    def checkpoint_states(self) -> list[CheckpointState]:
        """Return all checkpoints with what their hits are judged by, the oldest first.

        This is one statement, because every search asks whether anything has changed.
        """
        with self._connect() as connection:
            rows = connection.execute(_STATES).all()
        return [
            CheckpointState(
                CheckpointRecord(*(getattr(row, name) for name in _RECORD)),
                None
                if row.measured_version is None
                else Measured(
                    row.measured_version,
                    row.measured_generation,
                    row.measured_embeddings,
                    row.measured_common_texts,
                ),
                row.fitted,
                row.newest_photo or 0,
                row.vectors or None,
            )
            for row in rows
        ]

    def measured(self, checkpoint_id: int) -> Measured | None:
        """Return what the checkpoint was measured against, and when; None before that."""
        query = select(
            YARDSTICK.c.version,
            YARDSTICK.c.generation,
            YARDSTICK.c.embeddings,
            YARDSTICK.c.common_texts,
        )
        with self._connect() as connection:
            row = connection.execute(query.filter_by(checkpoint_id=checkpoint_id)).first()
            return Measured(*row) if row else None

    def yardstick(self, checkpoint_id: int) -> YardstickRecord | None:
        """Return what hits of the checkpoint are judged by; None before it was measured."""
        import numpy as np

        query = (
            select(YARDSTICK, CHECKPOINT.c.dimension)
            .join(CHECKPOINT, CHECKPOINT.c.id == YARDSTICK.c.checkpoint_id)
            .where(YARDSTICK.c.checkpoint_id == checkpoint_id)
        )
        with self._connect() as connection:
            row = connection.execute(query).first()
            if row is None:
                return None
            pictures = np.frombuffer(row.pictures, "<f2").reshape(-1, row.dimension)
            evidence = np.frombuffer(row.absent_evidence, "<f4")
            return YardstickRecord(
                row.version,
                row.generation,
                row.embeddings,
                pictures.astype(np.float32),
                evidence,
                row.common_texts,
            )

    def biases(self, checkpoint_id: int, ids: Ids) -> Floats:
        """Return the bias of each photo, float32 (n,), in the order of `ids`, which ascend; NaN
        where it was not measured.
        """
        import numpy as np

        values = np.full(len(ids), np.nan, np.float32)
        with self._connect() as connection:
            for chunk in statement_chunks(ids.tolist()):
                given = {"checkpoint": checkpoint_id, "ids": self._dialect.ids(chunk)}
                for rows in self._dialect.stream(
                    connection, self._biases_among, given, len(chunk), are_few=True
                ):
                    found, biases = zip(*rows, strict=True)
                    values[np.searchsorted(ids, found)] = biases
        return values

    def bias_count(self, checkpoint_id: int) -> int:
        """Return the number of the checkpoint's embeddings whose bias was measured."""
        query = select(func.count()).where(BIAS.c.checkpoint_id == checkpoint_id)
        with self._connect() as connection:
            return connection.scalar(query) or 0

    def calibration(self, checkpoint_id: int) -> str | None:
        """Return the JSON that was kept for the checkpoint."""
        query = select(CALIBRATION.c.fitted)
        with self._connect() as connection:
            return connection.scalar(query.where(CALIBRATION.c.checkpoint_id == checkpoint_id))
