"""The sides of the retrieval benchmark: sigseek and what else one could search embeddings with.

Each builds from a matrix float16 (n, dim), the ids being the rows', and keeps all it needs in a
directory.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.libraries import fill
from sigseek.search.retrieval import Retriever
from sigseek.storage import Catalog, EmbeddingRecord, PhotoFacts
from sigseek.storage.embeddings import CheckpointEmbeddings
from sigseek.storage.index.file_store import FileStore

Floats = npt.NDArray[np.float32]
Float16s = npt.NDArray[np.float16]
Search = Callable[[Floats], list[int]]

HITS = 10
_CHUNK = 20_000
_SLOW_MOST = 100_000


class Side(Protocol):
    """A way to search embeddings."""

    name: str
    most: int | None
    """The side is left out above this number of embeddings; None for a side that is never left
    out.
    """

    def prepare(self, vectors: Float16s, directory: Path) -> None:
        """Make what must be there before the index is built. It is not measured."""

    def build(self, vectors: Float16s, directory: Path) -> None:
        """Keep an index of the embeddings."""

    def open(self, directory: Path) -> Search:
        """Return a function from a unit-norm query (dim,) to the ids of the ten nearest, nearest
        first.
        """

    def add(self, vectors: Float16s, first_id: int, directory: Path) -> None:
        """Open the index, add embeddings float16 (n, dim) with ids from `first_id` on, and keep it.
        They are found from then on.
        """


class Sigseek:
    """The program's own way: catalog, index, exact rerank."""

    name = "sigseek"
    most: int | None = None

    def prepare(self, vectors: Float16s, directory: Path) -> None:
        """Fill a catalog. Ids are rows + 1, as SQLite counts."""
        fill(directory, vectors)

    def build(self, vectors: Float16s, directory: Path) -> None:
        """Build the index from the catalog."""
        self._retriever(directory)

    def open(self, directory: Path) -> Search:
        """Return the searcher."""
        retriever = self._retriever(directory)

        def search(query: Floats) -> list[int]:
            ids, cosines, _ = retriever.nearest(query, HITS)
            return list((ids[np.argsort(-cosines, kind="stable")[:HITS]] - 1).tolist())

        return search

    def add(self, vectors: Float16s, first_id: int, directory: Path) -> None:
        """Add to the catalog, and bring the index up to date."""
        catalog = Catalog(directory)
        with catalog.transaction() as transaction:
            photos = [
                PhotoFacts((first_id + 1 + row).to_bytes(32, "big"), 4, 3, "JPEG")
                for row in range(len(vectors))
            ]
            ids = transaction.add_photos(photos)
            records = {
                ids[photo.digest]: EmbeddingRecord(vector.astype(np.float32), "bf16", 1)
                for photo, vector in zip(photos, vectors, strict=True)
            }
            transaction.add_embeddings(1, records)
        embeddings = CheckpointEmbeddings(catalog, catalog.checkpoints()[0])
        FileStore(directory / "index").catch_up(embeddings)
        catalog.close()

    def _retriever(self, directory: Path) -> Retriever:
        catalog = Catalog(directory)
        record = catalog.checkpoints()[0]
        index = FileStore(directory / "index").open(CheckpointEmbeddings(catalog, record))
        return Retriever(catalog, record, index)


class Faiss:
    """An index of faiss's factory, in one file, read whole."""

    def __init__(
        self,
        name: str,
        spec: Callable[[int], str],
        nprobe: int | None = None,
        most: int | None = None,
    ) -> None:
        self.name = name
        self.most = most
        self._spec = spec
        self._nprobe = nprobe

    def prepare(self, vectors: Float16s, directory: Path) -> None:
        """Do nothing."""

    def build(self, vectors: Float16s, directory: Path) -> None:
        """Train on 40 embeddings a list where there is something to train."""
        index: Any = faiss.index_factory(
            vectors.shape[1], self._spec(len(vectors)), faiss.METRIC_INNER_PRODUCT
        )
        if not index.is_trained:
            wanted = 40 * index.nlist if isinstance(index, faiss.IndexIVF) else 1_000
            index.train(vectors[:: max(1, len(vectors) // wanted)].astype(np.float32))
        for _, chunk in _chunks(vectors):
            index.add(chunk.astype(np.float32))
        faiss.write_index(index, self._file(directory))

    def open(self, directory: Path) -> Search:
        """Read the file."""
        index: Any = faiss.read_index(self._file(directory))
        if self._nprobe:
            index.nprobe = self._nprobe
        return lambda query: list(index.search(query[None], HITS)[1][0].tolist())

    def add(self, vectors: Float16s, first_id: int, directory: Path) -> None:
        """Read, add, write."""
        index: Any = faiss.read_index(self._file(directory))
        index.add(vectors.astype(np.float32))
        faiss.write_index(index, self._file(directory))

    def _file(self, directory: Path) -> str:
        return str(directory / "index.faiss")


class Usearch:
    """usearch's graph over int8, its file viewed by memory map."""

    name = "usearch i8"
    most: int | None = _SLOW_MOST
    _expansion = 256

    def prepare(self, vectors: Float16s, directory: Path) -> None:
        """Find out whether it is installed."""
        import usearch.index  # noqa: F401

    def build(self, vectors: Float16s, directory: Path) -> None:
        """Build with usearch's own connectivity and effort of construction."""
        index = self._empty(vectors.shape[1])
        for start, chunk in _chunks(vectors):
            index.add(np.arange(start, start + len(chunk)), chunk.astype(np.float32))
        index.save(directory / "index.usearch")

    def open(self, directory: Path) -> Search:
        """View the file."""
        from usearch.index import Index

        index: Any = Index.restore(directory / "index.usearch", view=True)
        index.expansion_search = self._expansion
        return lambda query: list(index.search(query, HITS).keys.tolist())

    def add(self, vectors: Float16s, first_id: int, directory: Path) -> None:
        """Load, add, save."""
        from usearch.index import Index

        index: Any = Index.restore(directory / "index.usearch")
        index.add(np.arange(first_id, first_id + len(vectors)), vectors.astype(np.float32))
        index.save(directory / "index.usearch")

    def _empty(self, dimension: int) -> Any:
        from usearch.index import Index

        return Index(ndim=dimension, metric="ip", dtype="i8", expansion_search=self._expansion)


class SqliteVec:
    """sqlite-vec, which compares the query with every embedding, float32.

    It runs in the SQLite that pysqlite3 brings, because many a Python's own was built to load no
    extensions.
    """

    name = "sqlite-vec"
    most: int | None = _SLOW_MOST

    def prepare(self, vectors: Float16s, directory: Path) -> None:
        """Find out whether it is installed."""
        import pysqlite3  # noqa: F401
        import sqlite_vec  # noqa: F401

    def build(self, vectors: Float16s, directory: Path) -> None:
        """Build a virtual table."""
        connection = self._connect(directory)
        connection.execute(
            f"CREATE VIRTUAL TABLE v USING vec0(e float[{vectors.shape[1]}] distance_metric=cosine)"
        )
        for start, chunk in _chunks(vectors):
            self._insert(connection, chunk, start)
        connection.commit()
        connection.close()

    def open(self, directory: Path) -> Search:
        """Connect."""
        connection = self._connect(directory)
        ask = "SELECT rowid FROM v WHERE e MATCH ? AND k = ? ORDER BY distance"
        return lambda query: [id_ for (id_,) in connection.execute(ask, (query.tobytes(), HITS))]

    def add(self, vectors: Float16s, first_id: int, directory: Path) -> None:
        """Insert."""
        connection = self._connect(directory)
        self._insert(connection, vectors, first_id)
        connection.commit()
        connection.close()

    def _insert(self, connection: Any, vectors: Float16s, first_id: int) -> None:
        rows = (
            (first_id + row, vector.tobytes())
            for row, vector in enumerate(vectors.astype(np.float32))
        )
        connection.executemany("INSERT INTO v (rowid, e) VALUES (?, ?)", rows)

    def _connect(self, directory: Path) -> Any:
        import pysqlite3
        import sqlite_vec

        connection = pysqlite3.connect(directory / "vec.sqlite")
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        return connection


def _lists(count: int) -> int:
    return math.isqrt(count)


SIDES: list[Side] = [
    Sigseek(),
    Faiss("faiss flat fp16", lambda count: "SQfp16"),
    Faiss("faiss IVF fp16", lambda count: f"IVF{_lists(count)},SQfp16", nprobe=32),
    Faiss("faiss HNSW", lambda count: "HNSW32", most=_SLOW_MOST),
    Usearch(),
    SqliteVec(),
]


def _chunks(vectors: Float16s) -> Iterator[tuple[int, Float16s]]:
    for start in range(0, len(vectors), _CHUNK):
        yield start, np.asarray(vectors[start : start + _CHUNK])
