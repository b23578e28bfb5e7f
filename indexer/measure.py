"""The last step of an indexing run: what hits will be judged by is measured on the embeddings that came in."""

import itertools

import numpy as np

from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.siglip.yardstick.texts import VERSION
from sigseek.storage import Catalog, CheckpointRecord, YardstickRecord

_FEW = 0.01
_CHUNKS = 256  # of 64 embeddings, written in one transaction


def measure_biases(catalog: Catalog, checkpoint: CheckpointRecord, yardstick: Yardstick) -> None:
    """Keep the bias of each photo embedded since the last time, and the highest evidence that
    absent texts find.

    Interrupted, it begins again where it began. Where photos have gone whose evidence may have been
    the highest, that of all the others is looked at again; one of a hundred gone makes no
    difference worth it.
    """
    known = catalog.yardstick(checkpoint.id)
    if known and (
        known.version != VERSION
        or _count_gone(catalog, checkpoint, known) > _FEW * checkpoint.embeddings
    ):
        known = None
    highest = known.absent_evidence if known else np.full(len(yardstick.absent), -1, np.float32)
    chunks = catalog.embedding_chunks(
        checkpoint.id, after_generation=known.generation if known else 0
    )
    while batch := list(itertools.islice(chunks, _CHUNKS)):
        ids = np.concatenate([ids for ids, _ in batch])
        vectors = np.concatenate([vectors for _, vectors in batch]).astype(np.float32)
        if not len(ids):
            continue
        biases = yardstick.biases(vectors)
        highest = np.maximum(highest, yardstick.absent_evidence(vectors, biases).max(axis=1))
        with catalog.transaction() as transaction:
            transaction.put_biases(checkpoint.id, ids, biases)
    with catalog.transaction() as transaction:
        measured = YardstickRecord(
            VERSION, checkpoint.generation, checkpoint.embeddings, yardstick.pictures, highest
        )
        transaction.put_yardstick(checkpoint.id, measured)


def _count_gone(catalog: Catalog, checkpoint: CheckpointRecord, known: YardstickRecord) -> int:
    """How many of the embeddings that were measured are there no more, or were made anew."""
    came = catalog.count_embeddings_after(checkpoint.id, known.generation, checkpoint.embeddings)
    return known.embeddings + came - checkpoint.embeddings
