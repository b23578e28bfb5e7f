"""What hits will be judged by, measured on the embeddings that an indexing run brought in."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sigseek.progress import Stop
from sigseek.siglip.yardstick import VERSION
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.storage import Catalog, CheckpointRecord, YardstickRecord

if TYPE_CHECKING:
    from sigseek.storage.catalog.transaction import Transaction

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_FEW = 0.01
"""The share of measured embeddings that may have gone before all are measured again."""
_CHUNKS = 256
"""Chunks of 64 embeddings that are measured at a time."""


def measure_biases(
    catalog: Catalog, checkpoint: CheckpointRecord, yardstick: Yardstick, stop: Stop | None = None
) -> bool:
    """Keep the bias of each photo embedded since the last time, and the highest evidence that
    absent texts find.

    False when `stop` was set before all was measured. The next call then begins where this one did.
    All photos are measured again when the yardstick has grown, and when more than a few photos have
    gone, which may have had the highest evidence. One transaction replaces what was known, so no
    search finds biases of two steps of the yardstick.
    """
    known = catalog.yardstick(checkpoint.id)
    if known and (
        known.version != VERSION
        or known.common_texts != len(yardstick.common)
        or _count_gone(catalog, checkpoint, known) > _FEW * checkpoint.embeddings
    ):
        known = None
    highest = known.absent_evidence if known else np.full(len(yardstick.absent), -1, np.float32)
    chunks = catalog.embedding_chunks(
        checkpoint.id, after_generation=known.generation if known else 0
    )
    biases: list[tuple[Ids, Floats]] = []
    while batch := list(itertools.islice(chunks, _CHUNKS)):
        if stop and stop.is_set():
            return False
        ids = np.concatenate([chunk_ids for chunk_ids, _ in batch])
        vectors = np.concatenate([chunk for _, chunk in batch]).astype(np.float32)
        if not len(ids):
            continue
        found = yardstick.biases(vectors)
        highest = np.maximum(highest, yardstick.absent_evidence(vectors, found).max(axis=1))
        biases.append((ids, found))
    measured = YardstickRecord(
        VERSION,
        checkpoint.generation,
        checkpoint.embeddings,
        yardstick.pictures,
        highest,
        len(yardstick.common),
    )
    # Only now: without WAL, as on network drives, nobody can write while the embeddings are read.
    catalog.commit(partial(_put, checkpoint, biases, measured))
    return True


def _put(
    checkpoint: CheckpointRecord,
    biases: Sequence[tuple[Ids, Floats]],
    measured: YardstickRecord,
    transaction: Transaction,
) -> None:
    for ids, found in biases:
        transaction.put_biases(checkpoint.id, ids, found)
    transaction.put_yardstick(checkpoint.id, measured)


def _count_gone(catalog: Catalog, checkpoint: CheckpointRecord, known: YardstickRecord) -> int:
    """Return how many of the embeddings that were measured are gone or were replaced."""
    came = catalog.count_embeddings_after(checkpoint.id, known.generation, checkpoint.embeddings)
    return known.embeddings + came - checkpoint.embeddings
