"""The store of indexes in files, which are FAISS's. It is imported when an index is opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek.storage.index import index_files
from sigseek.storage.index.contract import Embeddings, IndexCheck

if TYPE_CHECKING:
    from sigseek.storage.index.faiss import FaissIndex


class FileStore:
    """The indexes of a library as FAISS's files in `directory`, which need not exist."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self, embeddings: Embeddings) -> FaissIndex:
        """See `IndexStore.open`."""
        from sigseek.storage.index.faiss import open_index

        return open_index(self._directory, embeddings)

    def is_current(self, embeddings: Embeddings) -> bool:
        """See `IndexStore.is_current`. It looks at the newest file's footer."""
        token = embeddings.token
        generation = index_files.newest_generation(self._directory, token, embeddings.generation)
        if generation is None:
            return False
        rows = index_files.read_rows(index_files.path_of(self._directory, token, generation))
        if rows is None:
            return False
        if generation == embeddings.generation:
            return True
        later = embeddings.count_after(generation, index_files.most_stale(rows) + 1)
        return index_files.may_serve(rows, later, embeddings.count)

    def catch_up(self, embeddings: Embeddings) -> None:
        """See `IndexStore.catch_up`."""
        if not self.is_current(embeddings):
            self.open(embeddings)

    def remove(self, token: str) -> None:
        """See `IndexStore.remove`."""
        index_files.remove_all(self._directory, token)

    def tidy(self, generations: Mapping[str, int]) -> None:
        """See `IndexStore.tidy`."""
        index_files.tidy(self._directory, generations)

    def bytes(self) -> int:
        """See `IndexStore.bytes`."""
        return index_files.total_bytes(self._directory)

    def check(self, embeddings: Embeddings) -> IndexCheck:
        """See `IndexStore.check`."""
        damaged = tuple(index_files.damaged_names(self._directory, embeddings.token))
        if damaged:
            return IndexCheck(damaged, ())
        from sigseek.storage.index.faiss import lacking_ids

        lacking = lacking_ids(self._directory, embeddings)
        return IndexCheck((), tuple(lacking.tolist()))
