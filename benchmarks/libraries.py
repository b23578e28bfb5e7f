"""Libraries of any size without photos: synthetic embeddings in a catalog as indexing leaves it."""

import sqlite3
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.indexer.measure_biases import measure_biases
from sigseek.siglip import Checkpoint
from sigseek.siglip.runtimes.openvino import best_precision
from sigseek.siglip.yardstick.embeddings import Yardstick
from sigseek.storage import Catalog

_CHUNK = 20_000


def fill(
    directory: Path, vectors: npt.NDArray[np.float16], checkpoint: Checkpoint | None = None
) -> None:
    """Fill a library with the embeddings float16 (n, dim), of the checkpoint or of one that does
    not exist. Photo and file n+1 are row n.
    """
    catalog = Catalog(directory)
    with catalog.transaction() as transaction:
        transaction.add_checkpoint(
            name=checkpoint.name if checkpoint else "synthetic",
            fingerprint=checkpoint.fingerprint if checkpoint else "f",
            preprocessing=checkpoint.preprocessing.fingerprint if checkpoint else "p",
            dimension=vectors.shape[1],
            image_size=224,
            logit_scale=checkpoint.scoring.logit_scale if checkpoint else 4.7,
            logit_bias=checkpoint.scoring.logit_bias if checkpoint else -12.9,
        )
        transaction.add_folder(directory)
    catalog.close()
    precision = best_precision()
    with sqlite3.connect(directory / "catalog.sqlite") as connection:
        for start in range(0, len(vectors), _CHUNK):
            ids = range(start + 1, min(start + _CHUNK, len(vectors)) + 1)
            digests = ((id_, id_.to_bytes(32, "big")) for id_ in ids)
            connection.executemany(
                "INSERT INTO photo (id, digest, width, height, format, color) "
                "VALUES (?, ?, 4, 3, 'JPEG', 0)",
                digests,
            )
            files = ((str(id_), id_) for id_ in ids)
            connection.executemany(
                "INSERT INTO file (folder_id, path, photo_id, size, mtime_ns) "
                "VALUES (1, ?, ?, 1, 1)",
                files,
            )
            halves = ((id_, vectors[id_ - 1].tobytes()) for id_ in ids)
            rows = ((id_, half, precision, zlib.crc32(half)) for id_, half in halves)
            connection.executemany("INSERT INTO embedding VALUES (1, ?, ?, ?, 1, 1, ?)", rows)
        connection.execute("UPDATE checkpoint SET generation = 1")
    connection.close()


def measure(directory: Path, texts: npt.NDArray[np.float32]) -> None:
    """Measure the library, so that it judges hits, with unit-norm texts (n, dim). A tenth of them
    stand for absent texts.
    """
    catalog = Catalog(directory)
    (record,) = catalog.checkpoints()
    few = len(texts) // 11
    pictures = catalog.embeddings(record.id, range(1, 129))[1].astype(np.float32)
    measure_biases(catalog, record, Yardstick(texts[few:], texts[:few], pictures))
    catalog.close()
