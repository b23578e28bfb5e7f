"""What the catalog takes and gives: plain values, apart from sessions and tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True)
class FailureRecord:
    """Something under a folder that could not be used; `path` is relative to the folder."""

    path: str
    reason: str
    size: int | None
    mtime_ns: int | None


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
