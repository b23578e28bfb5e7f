"""The last step of an indexing run: what hits will be judged by is measured on the embeddings that came in."""

import itertools

import numpy as np

from sigseek.siglip.yardstick.references import References
from sigseek.siglip.yardstick.texts import VERSION
from sigseek.storage import Catalog, CheckpointRecord, ReferenceRecord

_FEW = 0.01
_CHUNKS = 256  # of 64 embeddings, written in one transaction


def measure_biases(catalog: Catalog, checkpoint: CheckpointRecord, references: References) -> None:
    """Keep the bias of each photo embedded since the last time, and the highest evidence that
    absent texts find.

    Interrupted, it begins again where it began. Where photos have gone whose evidence may have been
    the highest, that of all the others is looked at again; one of a hundred gone makes no
    difference worth it.
    """
    known = catalog.reference(checkpoint.id)
    if known and (
        known.version != VERSION
        or _count_gone(catalog, checkpoint, known) > _FEW * checkpoint.embeddings
    ):
        known = None
    highest = known.absent_evidence if known else np.full(len(references.absent), -1, np.float32)
    chunks = catalog.embedding_chunks(
        checkpoint.id, after_generation=known.generation if known else 0
    )
    while batch := list(itertools.islice(chunks, _CHUNKS)):
        ids = np.concatenate([ids for ids, _ in batch])
        vectors = np.concatenate([vectors for _, vectors in batch]).astype(np.float32)
        if not len(ids):
            continue
        biases = references.biases(vectors)
        highest = np.maximum(highest, references.absent_evidence(vectors, biases).max(axis=1))
        with catalog.transaction() as transaction:
            transaction.put_biases(checkpoint.id, ids, biases)
    with catalog.transaction() as transaction:
        measured = ReferenceRecord(
            VERSION, checkpoint.generation, checkpoint.embeddings, references.pictures, highest
        )
        transaction.put_reference(checkpoint.id, measured)


def _count_gone(catalog: Catalog, checkpoint: CheckpointRecord, known: ReferenceRecord) -> int:
    """How many of the embeddings that were measured are there no more, or were made anew."""
    came = catalog.count_embeddings_after(checkpoint.id, known.generation, checkpoint.embeddings)
    return known.embeddings + came - checkpoint.embeddings
