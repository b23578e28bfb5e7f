"""The embeddings of one checkpoint as a vector index wants them, read from the catalog."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sigseek.progress import Stop
from sigseek.storage.records import CheckpointRecord

if TYPE_CHECKING:
    from sigseek.storage.catalog import CatalogReader
    from sigseek.storage.index.contract import Float16s, Ids


class CheckpointEmbeddings:
    """The embeddings of the checkpoint in the catalog; see `sigseek.storage.index.contract`.

    Once `stop` is set, reading the next chunk raises StoppedError.
    """

    def __init__(
        self, catalog: CatalogReader, checkpoint: CheckpointRecord, stop: Stop | None = None
    ) -> None:
        self._catalog = catalog
        self._checkpoint = checkpoint
        self._stop = stop or Stop()

    @property
    def token(self) -> str:
        """The checkpoint's name in an index store."""
        return self._checkpoint.token

    @property
    def dimension(self) -> int:
        """The length of an embedding."""
        return self._checkpoint.dimension

    @property
    def generation(self) -> int:
        """The checkpoint's generation when its record was read."""
        return self._checkpoint.generation

    @property
    def count(self) -> int:
        """How many embeddings there were in that generation."""
        return self._checkpoint.embeddings

    def ids(self, up_to_generation: int | None = None) -> Ids:
        """See `Embeddings.ids`."""
        return self._catalog.embedded_ids(self._checkpoint.id, up_to_generation)

    def removed_after(self, generation: int) -> Ids:
        """See `Embeddings.removed_after`."""
        return self._catalog.removed_embeddings(self._checkpoint.id, generation)

    def count_after(self, generation: int, most: int) -> int:
        """See `Embeddings.count_after`."""
        return self._catalog.count_embeddings_after(self._checkpoint.id, generation, most)

    def chunks(self, ids: Ids | None = None) -> Iterator[tuple[Ids, Float16s]]:
        """See `Embeddings.chunks`."""
        return self._until_stopped(self._catalog.embedding_chunks(self._checkpoint.id, ids))

    def chunks_after(self, generation: int) -> Iterator[tuple[Ids, Float16s]]:
        """See `Embeddings.chunks_after`."""
        return self._until_stopped(
            self._catalog.embedding_chunks(self._checkpoint.id, after_generation=generation)
        )

    def without_stop(self) -> CheckpointEmbeddings:
        """See `Embeddings.without_stop`."""
        return CheckpointEmbeddings(self._catalog, self._checkpoint)

    def check_stop(self) -> None:
        """See `Embeddings.check_stop`."""
        self._stop.check()

    def _until_stopped(
        self, chunks: Iterable[tuple[Ids, Float16s]]
    ) -> Iterator[tuple[Ids, Float16s]]:
        for chunk in chunks:
            self.check_stop()
            yield chunk
