"""Catalogs with known contents."""

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection

from sigseek.search.calibration import Calibration
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog, CheckpointRecord, EmbeddingRecord, PhotoFacts, ReadFile
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.faiss import FaissIndex
from sigseek.storage.index.store import FaissStore


def add_checkpoint(
    catalog: Catalog, dimension: int, name: str = "a checkpoint"
) -> CheckpointRecord:
    with catalog.transaction() as transaction:
        return transaction.add_checkpoint(
            name=name,
            fingerprint=name,
            preprocessing="p",
            dimension=dimension,
            image_size=32,
            logit_scale=4.7,
            logit_bias=-12.9,
        )


def add_photos(
    catalog: Catalog,
    checkpoint: CheckpointRecord,
    vectors: npt.NDArray[np.float32],
    root: Path,
    names: Sequence[str],
) -> list[int]:
    """Add a photo with one file for each embedding, and return the ids."""
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(root)
        ids = []
        for name, vector in zip(names, vectors, strict=True):
            id_ = transaction.add_photo(
                PhotoFacts(hashlib.sha256(os.fsencode(name)).digest(), 40, 30, "JPEG")
            )
            transaction.put_files(folder.id, [ReadFile(name, id_, 1, 1)])
            transaction.add_embeddings(checkpoint.id, {id_: EmbeddingRecord(vector, "fp32", 1)})
            ids.append(id_)
    return ids


@contextmanager
def writing(catalog: Catalog) -> Iterator[Connection]:
    """Give a connection that changes the catalog's database behind its back."""
    with catalog._dialect.writers.begin() as connection:
        yield connection


def add_many(catalog: Catalog, checkpoint_id: int, vectors: npt.NDArray[np.float32]) -> list[int]:
    """Add photos without files, each with an embedding, all of one new generation, written at a
    stroke. Returns the ids.
    """
    with sqlite3.connect(catalog.path) as connection:
        (last,) = connection.execute("SELECT coalesce(max(id), 0) FROM photo").fetchone()
        ids = list(range(last + 1, last + 1 + len(vectors)))
        photos = [(id_, os.urandom(32)) for id_ in ids]
        connection.executemany(
            "INSERT INTO photo (id, digest, width, height, format) VALUES (?, ?, 40, 30, 'JPEG')",
            photos,
        )
        connection.execute(
            "UPDATE checkpoint SET generation = generation + 1 WHERE id = ?", (checkpoint_id,)
        )
        connection.executemany(
            "INSERT INTO embedding SELECT id, ?, ?, 'fp32', 1, generation, ? "
            "FROM checkpoint WHERE id = ?",
            [
                (id_, half, zlib.crc32(half), checkpoint_id)
                for id_, half in zip(
                    ids, (vector.tobytes() for vector in vectors.astype("<f2")), strict=True
                )
            ],
        )
    connection.close()
    return ids


def unit(vectors: object) -> npt.NDArray[np.float32]:
    array = np.array(vectors, np.float32)
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def random_unit(count: int, dimension: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((count, dimension)))


def opened(catalog: Catalog, directory: Path) -> FaissIndex:
    """Return the index of the catalog's first checkpoint, its files in the directory."""
    embeddings = CheckpointEmbeddings(catalog, catalog.checkpoints()[0])
    return FaissStore(directory).open(embeddings)


def open_searcher(
    catalog: Catalog, directory: Path, calibration: Calibration | None = None
) -> Searcher:
    """Return a searcher of the catalog's first checkpoint over that index."""
    record = catalog.checkpoints()[0]
    return Searcher(catalog, record, opened(catalog, directory), calibration)
