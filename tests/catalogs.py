"""Catalogs with known contents."""

import hashlib
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from sigseek.search.calibration import Calibration
from sigseek.search.searcher import Searcher
from sigseek.storage import Catalog, CheckpointRecord, EmbeddingRecord, PhotoFacts, ReadFile
from sigseek.storage.catalog.sqlite import SqliteDialect
from sigseek.storage.catalog.tables import CHECKPOINT, EMBEDDING, PHOTO, UNHELD_PHOTO
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.contract import VectorIndex
from sigseek.storage.index.file_store import FileStore


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
        ids = [  # one after the other, because of several PostgreSQL sorts the digests
            transaction.add_photo(
                PhotoFacts(hashlib.sha256(os.fsencode(name)).digest(), 40, 30, "JPEG")
            )
            for name in names
        ]
        files = [ReadFile(name, id_, 1, 1) for name, id_ in zip(names, ids, strict=True)]
        transaction.put_files(folder.id, files)
        records = (EmbeddingRecord(vector, "fp32", 1) for vector in vectors)
        transaction.add_embeddings(checkpoint.id, dict(zip(ids, records, strict=True)))
    return ids


def make_blocks(catalog: Catalog) -> None:
    """Make all blocks that photos are counted by."""
    for number in catalog.lacking_facet_blocks():
        catalog.commit(lambda transaction, number=number: transaction.make_facet_blocks(number))


def skip_ids(catalog: Catalog, last: int) -> None:
    """Have the next photo get an id behind this one."""
    with writing(catalog) as connection:
        connection.execute(
            text(
                "UPDATE sqlite_sequence SET seq = :last WHERE name = 'photo'"
                if connection.dialect.name == "sqlite"
                else "SELECT setval(pg_get_serial_sequence('photo', 'id'), :last)"
            ),
            {"last": last},
        )


@contextmanager
def writing(catalog: Catalog) -> Iterator[Connection]:
    """Give a connection that changes the catalog's database behind its back."""
    with catalog._dialect.writers.begin() as connection:
        yield connection


def execute(library: Path | Catalog, statement: str, **values: object) -> Sequence[Row[Any]]:
    """Execute a statement behind the back of the library, given by its directory or its catalog.
    Its parameters are written `:name`. Returns the rows that it gives.
    """
    catalog = Catalog(library) if isinstance(library, Path) else library
    try:
        with writing(catalog) as connection:
            done = connection.execute(text(statement), values)
            return done.all() if done.returns_rows else []
    finally:
        if catalog is not library:
            catalog.close()


def add_many(catalog: Catalog, checkpoint_id: int, vectors: npt.NDArray[np.float32]) -> list[int]:
    """Add photos without files, each with an embedding, all of one new generation, written at a
    stroke. Returns the ids.
    """
    with writing(catalog) as connection:
        last = connection.scalar(select(func.max(PHOTO.c.id))) or 0
        # The digests ascend, because ids follow their order on PostgreSQL.
        photos = [
            {
                "digest": (last + row).to_bytes(8, "big") + os.urandom(24),
                "width": 40,
                "height": 30,
                "format": "JPEG",
            }
            for row in range(len(vectors))
        ]
        catalog._dialect.put(connection, PHOTO, ["digest"], photos)
        added = select(PHOTO.c.id).where(PHOTO.c.id > last).order_by(PHOTO.c.id)
        ids = list(connection.scalars(added))
        generation = connection.scalar(
            update(CHECKPOINT)
            .where(CHECKPOINT.c.id == checkpoint_id)
            .values(generation=CHECKPOINT.c.generation + 1)
            .returning(CHECKPOINT.c.generation)
        )
        halves = (vector.tobytes() for vector in vectors.astype("<f2"))
        embeddings = [
            {
                "checkpoint_id": checkpoint_id,
                "photo_id": id_,
                "vector": half,
                "precision": "fp32",
                "preprocessing_version": 1,
                "generation": generation,
                "checksum": zlib.crc32(half),
            }
            for id_, half in zip(ids, halves, strict=True)
        ]
        catalog._dialect.put(connection, EMBEDDING, ["checkpoint_id", "photo_id"], embeddings)
        connection.execute(insert(UNHELD_PHOTO), [{"photo_id": id_} for id_ in ids])
    return ids


def add_files(catalog: Catalog) -> None:
    """Add a file for each photo that has none, named by its id, in one folder."""
    with catalog.transaction() as transaction:
        folder, _ = transaction.add_folder(Path("/p"))
    number = "convert_to(CAST(id AS text), 'UTF8')" if is_postgresql(catalog) else "id"
    execute(
        catalog,
        "INSERT INTO file (folder_id, path, photo_id, size, mtime_ns) "
        f"SELECT :folder, {number}, id, 1, 1 FROM photo "
        "WHERE NOT EXISTS (SELECT 1 FROM file WHERE photo_id = photo.id)",
        folder=folder.id,
    )


def remove_photos(catalog: Catalog, ids: Sequence[int]) -> None:
    """Remove photos behind the catalog's back, and leave its generations as they are."""
    with writing(catalog) as connection:
        connection.execute(delete(PHOTO).where(PHOTO.c.id.in_(ids)))


def is_postgresql(catalog: Catalog) -> bool:
    return not isinstance(catalog._dialect, SqliteDialect)


def unit(vectors: object) -> npt.NDArray[np.float32]:
    array = np.array(vectors, np.float32)
    return array / np.linalg.norm(array, axis=-1, keepdims=True)


def random_unit(count: int, dimension: int, seed: int = 0) -> npt.NDArray[np.float32]:
    return unit(np.random.default_rng(seed).standard_normal((count, dimension)))


def opened(catalog: Catalog, directory: Path) -> VectorIndex:
    """Return the index of the catalog's first checkpoint, its files in the directory."""
    embeddings = CheckpointEmbeddings(catalog, catalog.checkpoints()[0])
    return FileStore(directory).open(embeddings)


def open_searcher(
    catalog: Catalog, directory: Path, calibration: Calibration | None = None
) -> Searcher:
    """Return a searcher of the catalog's first checkpoint over that index."""
    record = catalog.checkpoints()[0]
    return Searcher(catalog, record, opened(catalog, directory), calibration)
