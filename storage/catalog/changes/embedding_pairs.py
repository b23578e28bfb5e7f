"""Changes of pairs of photos whose embeddings are near."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, update

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import EMBEDDING_COMPARISON, EMBEDDING_PAIR
from sigseek.storage.records.hashes import EmbeddingComparison, EmbeddingPairs


class EmbeddingPairWriter(Writer):
    """Changes of pairs of photos whose embeddings are near."""

    def put_embedding_comparison(
        self,
        checkpoint_id: int,
        comparison: EmbeddingComparison,
        pairs: EmbeddingPairs,
        compared: Sequence[int] | None,
    ) -> None:
        """Keep a comparison of the checkpoint's embeddings. The pairs replace those of the photos
        that were compared; None replaces all.
        """
        if compared is None:
            ours = EMBEDDING_PAIR.c.checkpoint_id == checkpoint_id
            self._connection.execute(delete(EMBEDDING_PAIR).where(ours))
        else:
            remove_embedding_pairs(self._connection, checkpoint_id, compared)
        self.put_embedding_pairs(checkpoint_id, pairs)
        row = {"checkpoint_id": checkpoint_id, "version": comparison.version,
               "generation": comparison.generation, "usual": comparison.usual,
               "photos": comparison.photos}  # fmt: skip
        self._put(EMBEDDING_COMPARISON, ["checkpoint_id"], [row])

    def put_embedding_pairs(self, checkpoint_id: int, pairs: EmbeddingPairs) -> None:
        """Keep pairs, with what was seen of them."""
        columns = pairs.one, pairs.other, pairs.cosines, pairs.looks_same
        rows = [
            {
                "first_id": one,
                "second_id": other,
                "checkpoint_id": checkpoint_id,
                "cosine": cosine,
                "looks_same": None if same < 0 else bool(same),
            }
            for one, other, cosine, same in zip(*(c.tolist() for c in columns), strict=True)
        ]
        self._put(EMBEDDING_PAIR, ["first_id", "second_id", "checkpoint_id"], rows)


def remove_embedding_pairs(
    connection: Connection, checkpoint_id: int, photo_ids: Iterable[int]
) -> None:
    """Remove the checkpoint's pairs with these photos."""
    ours = EMBEDDING_PAIR.c.checkpoint_id == checkpoint_id
    for chunk in statement_chunks(list(photo_ids)):
        for photo in (EMBEDDING_PAIR.c.first_id, EMBEDDING_PAIR.c.second_id):
            connection.execute(delete(EMBEDDING_PAIR).where(ours, photo.in_(chunk)))


def forget_looks(connection: Connection, dialect: Dialect, photo_ids: Sequence[int]) -> None:
    """Forget what was seen of pairs with these photos, whose sketches have changed."""
    for photo in (EMBEDDING_PAIR.c.first_id, EMBEDDING_PAIR.c.second_id):
        seen = dialect.is_one_of(photo, photo_ids) & EMBEDDING_PAIR.c.looks_same.is_not(None)
        connection.execute(update(EMBEDDING_PAIR).where(seen).values(looks_same=None))
