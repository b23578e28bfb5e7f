"""Questions about pairs of photos whose embeddings are near."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import EMBEDDING_COMPARISON, EMBEDDING_PAIR

if TYPE_CHECKING:
    from sigseek.storage.records.hashes import EmbeddingComparison, EmbeddingPairs

_FETCHED = 5_000
"""Rows that are fetched together."""


class EmbeddingPairReader(Reader):
    """Questions about pairs of photos whose embeddings are near."""

    def embedding_comparison(self, checkpoint_id: int) -> EmbeddingComparison | None:
        """Return the comparison of the checkpoint's embeddings; None if there was none yet."""
        from sigseek.storage.records.hashes import EmbeddingComparison

        columns = EMBEDDING_COMPARISON.c
        query = select(columns.version, columns.generation, columns.usual, columns.photos)
        with self._connect() as connection:
            row = connection.execute(query.filter_by(checkpoint_id=checkpoint_id)).first()
        return EmbeddingComparison(*row) if row else None

    def embedding_pairs(self, checkpoint_id: int) -> EmbeddingPairs:
        """Return the pairs of photos whose embeddings by the checkpoint are near, as far as they
        were compared.
        """
        import numpy as np

        from sigseek.storage.records.hashes import EmbeddingPairs

        columns = EMBEDDING_PAIR.c
        query = select(columns.first_id, columns.second_id, columns.cosine, columns.looks_same)
        parts = [np.empty((0, 4))]
        with self._connect() as connection:
            asked = query.where(columns.checkpoint_id == checkpoint_id)
            for rows in self._dialect.stream(connection, asked, {}, _FETCHED):
                looks = [-1 if same is None else same for *_, same in rows]
                # Ids are far below 2^53.
                parts.append(np.column_stack([np.array([row[:3] for row in rows]), looks]))
        found = np.concatenate(parts)
        one, other = found[:, :2].T.astype(np.int64)
        return EmbeddingPairs(
            one, other, found[:, 2].astype(np.float32), found[:, 3].astype(np.int8)
        )
