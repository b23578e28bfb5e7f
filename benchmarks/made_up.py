"""A checkpoint and photos that are made up, for benchmarks of what storing photos costs."""

import os
from collections.abc import Iterator

import numpy as np

from sigseek.indexer.decoding.digest import FileDigest
from sigseek.indexer.folder_changes import Content, EmbeddedPhoto
from sigseek.indexer.work import Work
from sigseek.storage import CheckpointRecord, EmbeddingRecord, PhotoFacts
from sigseek.storage.catalog.transaction import Transaction
from sigseek.storage.records.hashes import HashRecord, SketchRecord


def add_checkpoint(transaction: Transaction) -> CheckpointRecord:
    """Add a checkpoint whose embeddings have 768 dimensions."""
    return transaction.add_checkpoint(
        name="made up",
        fingerprint="made up",
        preprocessing="made up",
        dimension=768,
        image_size=224,
        logit_scale=1.0,
        logit_bias=0.0,
    )


def batches(work: Work, size: int) -> Iterator[list[EmbeddedPhoto]]:
    """Yield what a tower might have made of the files."""
    rng = np.random.default_rng()
    batch: list[EmbeddedPhoto] = []
    # any will do, and to make one up for each file would take as long as to store it
    vectors = rng.standard_normal((64, 768), np.float32) / np.float32(28)
    levels, bits, variants = rng.bytes(800), rng.bytes(32), rng.bytes(320)
    for file in work.files():
        digest = os.urandom(32)
        read = FileDigest(os.urandom(32), digest, file.size, file.mtime_ns, file.ctime_ns)
        batch.append(
            EmbeddedPhoto(
                Content(digest, [(file, read)]),
                PhotoFacts(digest=digest, width=64, height=48, format="PNG"),
                EmbeddingRecord(vectors[len(batch) % 64], "bf16", 1),
                HashRecord(SketchRecord(levels, bits, variants, 50)),
            )
        )
        if len(batch) == size:
            yield batch
            batch = []
    yield batch
