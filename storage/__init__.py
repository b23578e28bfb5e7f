"""What is kept: the SQLite catalog, which is the truth, and the FAISS index, which is derived from it.

The index is imported from `storage.vector_index` itself: faiss comes with it, which indexing an unchanged folder can do
without.
"""

from storage.catalog import Catalog
from storage.errors import LibraryError
from storage.lock import writer_lock
from storage.records import (
    CheckpointRecord,
    EmbeddingRecord,
    FailureRecord,
    FileRecord,
    FileRow,
    FolderRecord,
    PhotoFacts,
    PhotoRecord,
    ReferenceRecord,
)

__all__ = [
    "Catalog",
    "CheckpointRecord",
    "EmbeddingRecord",
    "FailureRecord",
    "FileRecord",
    "FileRow",
    "FolderRecord",
    "LibraryError",
    "PhotoFacts",
    "PhotoRecord",
    "ReferenceRecord",
    "writer_lock",
]
