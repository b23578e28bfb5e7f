"""One collection of a Milvus server: what is asked of it, in Milvus' own terms, and its errors.

Names of fields, indexes and parameters are those of Milvus' documentation. A server of version 2.3
or later knows all of them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sigseek.errors import ErrorKind
from sigseek.storage.errors import LibraryError
from sigseek.storage.index.milvus_store import collection_name

if TYPE_CHECKING:
    from pymilvus import MilvusClient

    from sigseek.storage.index.contract import Float16s, Floats, Ids

MOST_NEAREST = 16_384
"""The most rows that Milvus gives in one answer."""

_STATE = -1
"""The id of the row that tells which generation the collection has reached. No photo has it."""
_LISTS = 16
"""The lists of the index SCANN. Every search looks into all of them. An index that looks into some
clusters only, or at a part of a graph, loses most neighbours of a text, which lies far from all
images.
"""
_INDEX = {"index_type": "SCANN", "metric_type": "IP"}
_BUILD = {"nlist": _LISTS, "with_raw_data": "false"}
"""Without raw data, memory holds the codes alone, a sixteenth of the embeddings' float32 numbers.
Exact cosines come from the catalog. The word must be text: Milvus would try in vain for ever to
build an index with the truth value.
"""
_UPSERTED = 2_000
"""Rows in one request, 6 MB with 768 dimensions. Milvus refuses requests of more than 64 MB."""
_DELETED = 10_000


class MilvusCollection:
    """The embeddings of one checkpoint in Milvus, as rows of id, generation and embedding.

    Several threads may use one collection. Methods raise LibraryError where the server does not
    answer, or not as it should.
    """

    def __init__(
        self, client: MilvusClient, address: str, token: str, dimension: int | None
    ) -> None:
        """Take the client of the server at `address`, and the checkpoint's token. The dimension may
        be None where neither rows are written nor searches made.
        """
        self._client = client
        self._address = address
        self.name = collection_name(token)
        """The name of the collection."""
        self._dimension = dimension

    def exists(self) -> bool:
        """Return whether the server has the collection."""
        with self._errors():
            return bool(self._client.has_collection(self.name))

    def make(self) -> None:
        """Make the collection and its index, as far as they do not exist, and load them. Several
        processes may do so at the same time.

        Raises LibraryError where the collection has another shape or another index than this
        program makes.
        """
        from pymilvus import DataType

        with self._errors():
            if not self._client.has_collection(self.name):
                schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
                schema.add_field("id", DataType.INT64, is_primary=True)
                schema.add_field("generation", DataType.INT64)
                schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=self._dimension)
                # The server takes the same collection a second time, if its shape is the same.
                self._client.create_collection(
                    self.name, schema=schema, consistency_level="Bounded", num_shards=1
                )
            if not self._client.list_indexes(self.name):
                index = self._client.prepare_index_params()
                index.add_index("embedding", **_INDEX, params=_BUILD)
                self._client.create_index(self.name, index)
        self.load()

    def load(self) -> None:
        """Have the server hold the collection ready for searches. Raises LibraryError where it has
        another shape or another index than this program makes.
        """
        with self._errors():
            fields = {
                field["name"]: field
                for field in self._client.describe_collection(self.name)["fields"]
            }
            described = self._client.describe_index(self.name, "embedding") or {}
        length = fields.get("embedding", {}).get("params", {}).get("dim")
        other = self._dimension is not None and length != self._dimension
        if other or set(fields) != {"id", "generation", "embedding"}:
            raise self._foreign("fields")
        wanted = _INDEX | {name: str(value) for name, value in _BUILD.items()}
        if any(str(described.get(name)).lower() != value.lower() for name, value in wanted.items()):
            raise self._foreign("an index")
        with self._errors():
            self._client.load_collection(self.name)

    def drop(self) -> None:
        """Remove the collection, if it is there."""
        with self._errors():
            self._client.drop_collection(self.name)

    def generation(self) -> int | None:
        """Return the generation that the collection has reached; None where its first rows are
        still being written.
        """
        with self._errors():
            # Whatever was written before this moment can be read after it.
            rows = self._client.get(self.name, [_STATE], ["generation"], consistency_level="Strong")
        return int(rows[0]["generation"]) if rows else None

    def put_generation(self, generation: int) -> None:
        """Note that the collection holds all embeddings up to the generation, once all rows that
        were written before can be read.
        """
        self.count()
        row = np.zeros((1, self._dimension or 0), np.float16)
        self.upsert(np.array([_STATE], np.int64), row, generation)

    def count(self) -> int:
        """Return how many photos it has. Every row that was written before is counted."""
        with self._errors():
            rows = self._client.query(
                self.name, "id >= 0", ["count(*)"], consistency_level="Strong"
            )
        return int(rows[0]["count(*)"])

    def ids(self) -> Iterator[Ids]:
        """Yield the ids of all its photos, some thousand at a time, ascending."""
        last = _STATE
        while True:
            with self._errors():
                rows = self._client.query(
                    self.name, f"id > {last}", ["id"], limit=_DELETED, consistency_level="Strong"
                )
            if not rows:
                return
            ids = np.sort(np.array([row["id"] for row in rows], np.int64))
            last = int(ids[-1])
            yield ids

    def upsert(self, ids: Ids, embeddings: Float16s, generation: int) -> None:
        """Put the embeddings (n, dim) of these photos, in place of earlier ones."""
        for start in range(0, len(ids), _UPSERTED):
            chosen = slice(start, start + _UPSERTED)
            rows = [
                {"id": id_, "generation": generation, "embedding": embedding}
                for id_, embedding in zip(
                    ids[chosen].tolist(), embeddings[chosen].astype(np.float32), strict=True
                )
            ]
            with self._errors():
                self._client.upsert(self.name, rows)

    def delete(self, ids: Ids) -> None:
        """Remove photos."""
        for start in range(0, len(ids), _DELETED):
            with self._errors():
                self._client.delete(self.name, ids=ids[start : start + _DELETED].tolist())

    def nearest(self, query: Floats, count: int) -> tuple[Ids, Floats]:
        """Return the ids, ascending, and estimated cosines (n,) of the photos nearest to the query
        (dim,); at most 16,384 with the row that tells the generation.
        """
        limit = min(count + 1, MOST_NEAREST)
        with self._errors():
            (rows,) = self._client.search(
                self.name,
                [query],
                limit=limit,
                search_params={"metric_type": "IP", "params": {"nprobe": _LISTS}},
                consistency_level="Bounded",
            )
        found = [(row["id"], row["distance"]) for row in rows if row["id"] != _STATE]
        ids = np.array([id_ for id_, _ in found], np.int64)
        cosines = np.array([cosine for _, cosine in found], np.float32)
        order = np.argsort(ids)
        return ids[order], cosines[order]

    def is_indexed(self) -> bool:
        """Return whether the index covers all rows. Until then the server compares the others one
        by one.
        """
        with self._errors():
            described = self._client.describe_index(self.name, "embedding") or {}
        return described.get("state") == "Finished" and not described.get("pending_index_rows")

    def flush(self) -> None:
        """Have the server write down what it has, and begin to build the index of it."""
        with self._errors():
            self._client.flush(self.name)

    def _foreign(self, what: str) -> LibraryError:
        return LibraryError(
            f"the collection {self.name} of Milvus at {self._address} has {what} that sigseek "
            "did not make",
            "drop the collection, and it will be made again",
            ErrorKind.INVALID,
        )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        with milvus_errors(self._address):
            yield


@contextlib.contextmanager
def milvus_errors(address: str) -> Iterator[None]:
    """Turn errors of Milvus' client into LibraryError, in one line."""
    import grpc
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except (MilvusException, grpc.RpcError, grpc.FutureTimeoutError) as error:
        said = " ".join(str(getattr(error, "message", "") or error).split())
        raise LibraryError(
            f"Milvus at {address} cannot be used ({said[:200]})",
            "check that the server runs and can be reached",
            ErrorKind.UNAVAILABLE,
        ) from error


def sorted_rows(parts: Sequence[tuple[Ids, Floats]]) -> tuple[Ids, Floats]:
    """Return the ids, ascending, and cosines of parts that have no photo in common."""
    ids = np.concatenate([part for part, _ in parts])
    order = np.argsort(ids)
    return ids[order], np.concatenate([cosines for _, cosines in parts])[order]
