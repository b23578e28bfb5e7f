"""What is kept: the SQLite catalog, which is the truth, and the FAISS index, which is derived from it.

The index is imported from `sigseek.storage.index.faiss` itself: faiss comes with it, which indexing an unchanged folder can do
without.
"""

from sigseek.storage.catalog import Catalog
from sigseek.storage.errors import LibraryError
from sigseek.storage.lock import writer_lock
from sigseek.storage.records import (
    CheckpointRecord,
    EmbeddingRecord,
    FailureKind,
    FailureRecord,
    FileRecord,
    FileRow,
    FolderRecord,
    PhotoFacts,
    PhotoRecord,
    YardstickRecord,
)

__all__ = [
    "Catalog",
    "CheckpointRecord",
    "EmbeddingRecord",
    "FailureKind",
    "FailureRecord",
    "FileRecord",
    "FileRow",
    "FolderRecord",
    "LibraryError",
    "PhotoFacts",
    "PhotoRecord",
    "YardstickRecord",
    "writer_lock",
]
