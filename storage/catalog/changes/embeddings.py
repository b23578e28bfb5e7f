"""Changes of embeddings."""

import zlib
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, func, select, update

from sigseek.storage.catalog.changes.embedding_pairs import remove_embedding_pairs
from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import CHECKPOINT, EMBEDDING, REMOVED_EMBEDDING
from sigseek.storage.records import EmbeddingRecord

_KEPT_REMOVALS = 20_000
"""An index can learn of so many removed embeddings without comparing all ids. Its file is made
again where a quarter as many of its rows no longer count.
"""


class EmbeddingWriter(Writer):
    """Changes of embeddings."""

    def add_embeddings(self, checkpoint_id: int, embeddings: Mapping[int, EmbeddingRecord]) -> None:
        """Keep embeddings by photo id, as a new generation of the checkpoint.

        Call it last in a transaction: it locks the checkpoint's row, for which all other writers
        then wait.
        """
        generation = self._next_generation(checkpoint_id)
        rows = []
        for photo_id, embedding in embeddings.items():
            vector = embedding.vector.astype("<f2").tobytes()
            rows.append(
                {
                    "checkpoint_id": checkpoint_id,
                    "photo_id": photo_id,
                    "vector": vector,
                    "checksum": zlib.crc32(vector),
                    "precision": embedding.precision,
                    "preprocessing_version": embedding.preprocessing_version,
                    "generation": generation,
                }
            )
        self._put(EMBEDDING, ["checkpoint_id", "photo_id"], rows)

    def remove_embeddings(self, checkpoint_id: int, photo_ids: Sequence[int]) -> None:
        """Remove these photos' embeddings by the checkpoint, as a new generation of it.

        Call it last in a transaction, as `add_embeddings`.
        """
        for chunk in statement_chunks(photo_ids):
            self._connection.execute(
                delete(EMBEDDING).where(
                    EMBEDDING.c.checkpoint_id == checkpoint_id, EMBEDDING.c.photo_id.in_(chunk)
                )
            )
        remove_embedding_pairs(self._connection, checkpoint_id, photo_ids)
        self._next_generation(checkpoint_id)

    def recount_embeddings(self, checkpoint_id: int) -> None:
        """Correct the number of embeddings that the checkpoint's row tells."""
        count = select(func.count()).where(EMBEDDING.c.checkpoint_id == checkpoint_id)
        self._connection.execute(
            update(CHECKPOINT)
            .where(CHECKPOINT.c.id == checkpoint_id)
            .values(embeddings=count.scalar_subquery())
        )


def forget_removals(connection: Connection) -> None:
    """Forget which embeddings were removed, but for the newest of each checkpoint. No index that is
    still in use asks for the others.

    The transaction has counted up the generations of all checkpoints, so their rows are locked.
    """
    removed = REMOVED_EMBEDDING.c
    newest = select(removed.generation).order_by(removed.generation.desc())
    for checkpoint_id in connection.scalars(select(CHECKPOINT.c.id)).all():
        of_checkpoint = removed.checkpoint_id == checkpoint_id
        last = connection.scalar(newest.where(of_checkpoint).offset(_KEPT_REMOVALS).limit(1))
        if last is not None:
            older = delete(REMOVED_EMBEDDING).where(of_checkpoint, removed.generation <= last)
            connection.execute(older)
