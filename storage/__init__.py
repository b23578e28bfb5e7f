"""What is kept: the SQLite catalog, which is the truth, and the FAISS index, which is derived from it."""

from storage.catalog import Catalog
from storage.errors import LibraryError
from storage.lock import writer_lock
from storage.records import (
    CheckpointRecord,
    EmbeddingRecord,
    FailureRecord,
    FileRecord,
    FolderRecord,
    PhotoFacts,
    PhotoRecord,
)
from storage.vector_index import VectorIndex

__all__ = [
    "Catalog",
    "CheckpointRecord",
    "EmbeddingRecord",
    "FailureRecord",
    "FileRecord",
    "FolderRecord",
    "LibraryError",
    "PhotoFacts",
    "PhotoRecord",
    "VectorIndex",
    "writer_lock",
]
