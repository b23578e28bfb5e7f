"""What the catalog takes and gives: plain values, apart from sessions and tables."""

from sigseek.storage.records.checkpoints import (
    CheckpointRecord,
    CheckpointState,
    EmbeddingRecord,
    Measured,
    YardstickRecord,
)
from sigseek.storage.records.failures import (
    FailureKind,
    FailureRecord,
    LibraryFailure,
)
from sigseek.storage.records.files import (
    FileCounts,
    FileDigestRecord,
    FileLocation,
    FileRecord,
    FileTuple,
    FolderRecord,
    OtherFile,
    PhotoFile,
    ReadFile,
    SkippedFile,
)
from sigseek.storage.records.photos import (
    DamagedFile,
    DateSource,
    PhotoFacts,
    PhotoMetadata,
    PhotoRecord,
    PhotoTag,
    PhotoVersions,
    PictureRecord,
    PlaceSource,
)

__all__ = [
    "CheckpointRecord",
    "CheckpointState",
    "DamagedFile",
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
    "LibraryFailure",
    "Measured",
    "OtherFile",
    "PhotoFacts",
    "PhotoFile",
    "PhotoMetadata",
    "PhotoRecord",
    "PhotoTag",
    "PhotoVersions",
    "PictureRecord",
    "PlaceSource",
    "ReadFile",
    "SkippedFile",
    "YardstickRecord",
]
