"""What is kept: the catalog, which is the truth, and the vector index, which is derived from it.

Indexes are opened by a store, such as `sigseek.storage.index.file_store`, which imports faiss only
when it has to.
"""

from typing import TYPE_CHECKING, Any

from sigseek.deferred import load_from
from sigseek.storage.errors import LibraryError
from sigseek.storage.records import (
    CheckpointRecord,
    CheckpointState,
    DateSource,
    EmbeddingRecord,
    FailureKind,
    FailureRecord,
    FileCounts,
    FileDigestRecord,
    FileLocation,
    FileRecord,
    FileTuple,
    FolderRecord,
    LibraryFailure,
    Measured,
    PhotoFacts,
    PhotoFile,
    PhotoMetadata,
    PhotoRecord,
    PhotoVersions,
    PlaceSource,
    ReadFile,
    YardstickRecord,
)

if TYPE_CHECKING:
    from sigseek.storage.catalog import Catalog, CatalogReader
    from sigseek.storage.lock import LibraryLock, WriterLock, writer_lock

__all__ = [
    "Catalog",
    "CatalogReader",
    "CheckpointRecord",
    "CheckpointState",
    "DateSource",
    "EmbeddingRecord",
    "FailureKind",
    "FailureRecord",
    "FileCounts",
    "FileDigestRecord",
    "FileLocation",
    "FileRecord",
    "FileTuple",
    "FolderRecord",
    "LibraryError",
    "LibraryFailure",
    "LibraryLock",
    "Measured",
    "PhotoFacts",
    "PhotoFile",
    "PhotoMetadata",
    "PhotoRecord",
    "PhotoVersions",
    "PlaceSource",
    "ReadFile",
    "WriterLock",
    "YardstickRecord",
    "writer_lock",
]

# Loaded when first asked for: processes that decode take the kinds of failures from this package,
# and should not load SQLAlchemy.
_HOMES = {
    "Catalog": "sigseek.storage.catalog",
    "CatalogReader": "sigseek.storage.catalog",
    "LibraryLock": "sigseek.storage.lock",
    "WriterLock": "sigseek.storage.lock",
    "writer_lock": "sigseek.storage.lock",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sigseek.storage' has no attribute '{name}'")
    return load_from(_HOMES[name], name)
