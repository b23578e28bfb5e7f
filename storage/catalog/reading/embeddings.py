"""Questions about embeddings.

numpy is loaded where embeddings are read, because a run over unchanged folders does without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Executable, bindparam, func, select

from sigseek.errors import Call, ErrorKind, Remedy
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import CHECKPOINT, EMBEDDING, PHOTO, REMOVED_EMBEDDING
from sigseek.storage.errors import LibraryError

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Float16s, Ids

_CHUNK = 64
"""Embeddings in one chunk: so many stay in the processor's cache while they are converted and
scored.
"""
_FETCHED = 1_000

# Made once. To make a statement again takes a sixth of the time in which a search reads its
# candidates.
_VECTORS = select(EMBEDDING.c.photo_id, EMBEDDING.c.vector).where(
    EMBEDDING.c.checkpoint_id == bindparam("checkpoint")
)
_VECTORS_AFTER = _VECTORS.where(EMBEDDING.c.generation > bindparam("generation"))
_DIMENSION = select(CHECKPOINT.c.dimension).where(CHECKPOINT.c.id == bindparam("checkpoint"))


class EmbeddingReader(Reader):
    """Questions about embeddings."""

    @cached_property
    def _vectors_among(self) -> Executable:
        return _VECTORS.where(self._dialect.is_among(EMBEDDING.c.photo_id, "ids"))

    def embedded_ids(self, checkpoint_id: int, up_to_generation: int | None = None) -> Ids:
        """Return the ids (n,), ascending, of the photos that the checkpoint has embedded, in all or
        up to a generation.
        """
        import numpy as np

        query = select(EMBEDDING.c.photo_id).where(EMBEDDING.c.checkpoint_id == checkpoint_id)
        if up_to_generation is not None:
            query = query.where(EMBEDDING.c.generation <= up_to_generation)
        with self._connect() as connection:
            parts = list(self._dialect.fetch_ids(connection, query))
        return np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))

    def removed_embeddings(self, checkpoint_id: int, after_generation: int) -> Ids:
        """Return the ids (n,), ascending, of the photos whose embeddings were removed after the
        generation, as far as that is still known. Some may have embeddings again.
        """
        import numpy as np

        query = select(REMOVED_EMBEDDING.c.photo_id).where(
            REMOVED_EMBEDDING.c.checkpoint_id == checkpoint_id,
            REMOVED_EMBEDDING.c.generation > after_generation,
        )
        with self._connect() as connection:
            parts = list(self._dialect.fetch_ids(connection, query))
        return np.unique(np.concatenate([np.zeros(0, np.int64), *parts]))

    def precision(self, checkpoint_id: int) -> str | None:
        """Return the precision of any one of the checkpoint's embeddings; None without any."""
        query = select(EMBEDDING.c.precision).where(EMBEDDING.c.checkpoint_id == checkpoint_id)
        with self._connect() as connection:
            return connection.scalar(query.limit(1))

    def embedded_other_cameras(self, checkpoint_id: int, generation: int, camera: str) -> bool:
        """Return whether the checkpoint embedded a photo after the generation that was taken with
        another camera than this one, or with an unknown one.
        """
        query = (
            select(EMBEDDING.c.photo_id)
            .join(PHOTO, PHOTO.c.id == EMBEDDING.c.photo_id)
            .where(
                EMBEDDING.c.checkpoint_id == checkpoint_id,
                EMBEDDING.c.generation > generation,
                PHOTO.c.camera.is_distinct_from(camera),
            )
        )
        with self._connect() as connection:
            return connection.scalar(query.limit(1)) is not None

    def count_embeddings_after(self, checkpoint_id: int, generation: int, most: int) -> int:
        """Return the number of embeddings that came after the generation, counted up to `most`."""
        later = select(EMBEDDING.c.photo_id).where(
            EMBEDDING.c.checkpoint_id == checkpoint_id, EMBEDDING.c.generation > generation
        )
        query = select(func.count()).select_from(later.limit(most).subquery())
        with self._connect() as connection:
            return connection.scalar(query) or 0

    def embeddings(
        self, checkpoint_id: int, ids: Ids | Sequence[int] | None = None
    ) -> tuple[Ids, Float16s]:
        """Return photo ids (n,), ascending, and unit-norm embeddings float16 (n, dim): those of
        `ids`, or all.

        All are in memory at once. For a whole library take `embedding_chunks`.
        """
        import numpy as np

        parts = list(self.embedding_chunks(checkpoint_id, ids))
        found, vectors = (np.concatenate(side) for side in zip(*parts, strict=True))
        order = np.argsort(found)
        return found[order], vectors[order]

    def embedding_chunks(
        self,
        checkpoint_id: int,
        ids: Ids | Sequence[int] | None = None,
        after_generation: int | None = None,
        dimension: int | None = None,
    ) -> Iterator[tuple[Ids, Float16s]]:
        """Yield photo ids (n,) and embeddings float16 (n, dim), in no particular order, up to 64 at
        a time, at least one chunk.

        The embeddings are those of `ids`, or those that came after the generation, or all. The
        checkpoint's `dimension` is read from the catalog where it is not given.
        """
        import numpy as np

        given: dict[str, Any] = {"checkpoint": checkpoint_id}
        queries: list[tuple[Executable, dict[str, Any]]]
        if ids is not None:
            queries = [
                (self._vectors_among, given | {"ids": self._dialect.ids(chunk)})
                for chunk in statement_chunks(np.asarray(ids).tolist())
            ]
        elif after_generation is not None:
            queries = [(_VECTORS_AFTER, given | {"generation": after_generation})]
        else:
            queries = [(_VECTORS, given)]
        with self._connect() as connection:
            if dimension is None:
                dimension = int(connection.execute(_DIMENSION, given).scalar_one())
            yield _arrays([], dimension)
            for query, values in queries:
                for rows in self._dialect.stream(
                    connection, query, values, _CHUNK, are_few=ids is not None
                ):
                    yield _arrays(rows, dimension)

    def stored_embeddings(self, checkpoint_id: int) -> Iterator[tuple[int, bytes, int]]:
        """Yield every embedding as the database has it, sound or not: photo id, bytes, checksum."""
        query = select(EMBEDDING.c.photo_id, EMBEDDING.c.vector, EMBEDDING.c.checksum).where(
            EMBEDDING.c.checkpoint_id == checkpoint_id
        )
        with self._connect() as connection:
            for rows in self._dialect.stream(connection, query, {}, _FETCHED):
                yield from rows


def _arrays(rows: Sequence[tuple[Any, ...]], dimension: int) -> tuple[Ids, Float16s]:
    """Return arrays of rows of an id and an embedding's bytes."""
    import numpy as np

    ids, vectors = zip(*rows, strict=True) if rows else ((), ())
    if not {2 * dimension}.issuperset(map(len, vectors)):
        raise LibraryError(
            "an embedding in the catalog has another length than it should",
            Remedy("to have it repaired: {}", (Call("verify", options=(("repair", True),)),)),
            ErrorKind.DAMAGED,
        )
    halves = np.frombuffer(b"".join(vectors), "<f2")
    return np.array(ids, np.int64), halves.reshape(len(rows), dimension)
