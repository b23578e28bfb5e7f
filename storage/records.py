"""What the catalog takes and gives: plain values, apart from sessions and tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint of the library."""

    id: int
    name: str
    fingerprint: str
    preprocessing: str
    dimension: int
    logit_scale: float
    logit_bias: float
    generation: int
    token: str
    embeddings: int
    """How many the catalog held when this was read."""


@dataclass(frozen=True)
class FolderRecord:
    """A folder of the library, its path absolute."""

    id: int
    path: str
    indexed_at: datetime | None


class FileRecord(NamedTuple):
    """A file of a folder, `path` relative to it, and whether the checkpoint asked about has
    embedded its photo.
    """

    path: str
    size: int
    mtime_ns: int
    embedded: bool
    missing: bool
    photo_id: int


FileRow = tuple[str, int, int, bool, bool, int]
"""A FileRecord's values, for where there are a hundred thousand of them and hardly one is looked
at.
"""


@dataclass(frozen=True)
class PhotoFacts:
    """What a photo's own bytes say of it; None where they say nothing."""

    digest: bytes
    width: int
    height: int
    format: str
    taken_at: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    lens: str | None = None
    rating: int | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class EmbeddingRecord:
    """An embedding to be kept: unit-norm float32 (dim,), and what made it."""

    vector: npt.NDArray[np.float32]
    precision: str
    preprocessing_version: int


@dataclass(frozen=True)
class PhotoRecord:
    """A photo with its files' absolute paths: those last seen on disk first, in alphabetical
    order.
    """

    id: int
    paths: tuple[str, ...]
    width: int
    height: int
    taken_at: str | None
    camera: str | None
    latitude: float | None
    longitude: float | None
    lens: str | None = None
    rating: int | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    """In alphabetical order."""


class FailureKind(StrEnum):
    """Why a file or directory could not be used, as far as a program has to know it.

    The values are kept in catalogs; a new or renamed one needs a migration.
    """

    TOO_LARGE = "too large"
    """The picture or the file is larger than a limit; `pixels` tells the picture's size where the
    limit is one of pixels.
    """
    SLOW = "slow"
    """Decoding was ended because it took too long. The disk or the network may be to blame."""
    UNREADABLE = "unreadable"
    """The system would not let the file or directory be read, for lack of permission for example.
    It says nothing about the contents.
    """
    NO_PICTURE = "no picture"
    """The file was read, and holds no picture or a damaged one."""
    CHANGED = "changed while read"
    """The file was written to while it was read."""
    UNSUPPORTED = "unsupported"
    """The file is of a format that this version does not read."""
    INTERRUPTED = "interrupted"
    """Decoding could not start, or was ended from outside: by the user, or by a system that was
    short of memory. It says nothing about the file.
    """


@dataclass(frozen=True)
class FailureRecord:
    """A file or directory of a folder that could not be used; `path` is relative to the folder."""

    path: str
    reason: str
    """What went wrong, in words for people."""
    size: int | None
    """In bytes, when it failed; None for directories, and where not even that could be found
    out.
    """
    mtime_ns: int | None
    """The time of change, when it failed; None as `size` is."""
    kind: FailureKind = FailureKind.NO_PICTURE
    pixels: int | None = None
    """How many pixels a picture has that was too large; None where something else is the matter."""
    tried_at: datetime | None = None
    """UTC, without a time zone. The catalog takes None for now; it gives None for failures of
    earlier versions, which noted no time.
    """


@dataclass(frozen=True)
class YardstickRecord:
    """What hits of a checkpoint are judged by; see `sigseek.storage.catalog.models.Reference`."""

    version: int
    generation: int
    embeddings: int
    pictures: npt.NDArray[np.float32]
    """Unit norm, (n, dim)."""
    absent_evidence: npt.NDArray[np.float32]
    """(m,)"""
