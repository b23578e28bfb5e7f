"""What the catalog takes and gives: plain values, apart from sessions and tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids: TypeAlias = npt.NDArray[np.int64]
    Floats: TypeAlias = npt.NDArray[np.float32]
    Float16s: TypeAlias = npt.NDArray[np.float16]


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
    """The number of its embeddings when this was read."""


@dataclass(frozen=True)
class CheckpointState:
    """A checkpoint, and what its hits are judged by. A search is current while this is equal."""

    record: CheckpointRecord
    measured: Measured | None
    """What the checkpoint was measured against; None before it was measured."""
    calibration: str | None
    """The library's own calibration of the checkpoint, as JSON."""


@dataclass(frozen=True)
class FolderRecord:
    """A folder of the library; `path` is absolute."""

    id: int
    path: str
    indexed_at: datetime | None
    excluded: tuple[str, ...] = ()
    """The patterns of files that the user wants left out, in gitignore's syntax."""


class OtherFile(NamedTuple):
    """A file without a picture's extension, or a link to a directory, in a folder."""

    path: str
    """The path relative to the folder."""
    size: int
    mtime_ns: int
    holds: str | None
    """The format of the picture in it, or "directory" for a link to one; None for a file that holds
    no picture.
    """


@dataclass(frozen=True)
class SkippedFile:
    """A file that seems to hold photos and that indexing passes over."""

    path: str
    """The absolute path."""
    reason: str


class FileRecord(NamedTuple):
    """A file of a folder, `path` relative to it.

    A tuple, because there may be a million of them and hardly one is looked at twice. The two
    booleans may be 0 and 1, as a database has them.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int | None
    embedded: bool
    """Whether the checkpoint that was asked about has embedded its photo."""
    missing: bool
    photo_id: int
    sidecars: str | None = None
    """The XMP and JSON files beside it, as `sigseek.indexer.sidecars` describes them."""


class ReadFile(NamedTuple):
    """A file of a folder that was read, as the catalog is to keep it."""

    path: str
    """The path relative to the folder."""
    photo_id: int
    size: int
    mtime_ns: int
    ctime_ns: int | None = None
    digest: bytes | None = None
    """The SHA-256 of all bytes."""
    gave_facts: bool = False
    """Whether the photo's metadata were read from this very file just now."""


class FileDigestRecord(NamedTuple):
    """What the catalog knows of a file's contents."""

    path: str
    """The path relative to the folder."""
    digest: bytes
    """The SHA-256 of all bytes."""
    size: int
    mtime_ns: int
    ctime_ns: int | None


class FileLocation(NamedTuple):
    """Where a file of a photo is."""

    folder_id: int
    folder: str
    """The folder's absolute path."""
    path: str
    """The path relative to the folder."""


class PhotoFile(NamedTuple):
    """A file of a photo that was there at the last run."""

    path: str
    """The absolute path."""
    size: int
    mtime_ns: int
    sidecars: str | None
    """The sidecars, as in `FileRecord`."""


class FileCounts(NamedTuple):
    """How many files of a folder are there, and how many are missing."""

    present: int
    missing: int


class DateSource(StrEnum):
    """Where the date of a photo comes from, in the order in which sources are asked.

    The values are kept in catalogs and told in JSON; a new or renamed one needs a migration.
    """

    SIDECAR = "sidecar"
    """The XMP file beside the photo."""
    EXIF_ORIGINAL = "exif original"
    EXIF_DIGITIZED = "exif digitized"
    XMP = "xmp"
    IPTC = "iptc"
    EXIF_MODIFIED = "exif modified"
    FILE_NAME = "file name"
    TAKEOUT = "takeout"
    """The JSON file that Google Takeout puts beside a photo."""


class PlaceSource(StrEnum):
    """Who named the city, the region and the country of a photo.

    The values are kept in catalogs and told in JSON; a new or renamed one needs a migration.
    """

    SIDECAR = "sidecar"
    XMP = "xmp"
    IPTC = "iptc"
    COORDINATES = "coordinates"
    """At least one name was looked up by latitude and longitude."""


@dataclass(frozen=True, kw_only=True)
class PhotoMetadata:
    """What a photo's files say about it, apart from its pixels; None where they say nothing."""

    taken_at: str | None = None
    """The camera's local time in ISO 8601, as precise as the source, with the UTC offset where that
    is known.
    """
    date_source: str | None = None
    """The DateSource."""
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    city: str | None = None
    region: str | None = None
    country: str | None = None
    place_source: str | None = None
    """The PlaceSource."""
    lens: str | None = None
    rating: int | None = None
    title: str | None = None
    description: str | None = None
    keywords: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    facts_version: int = 0
    """The version of the reader that read this. 0 means that it has to be read again."""


@dataclass(frozen=True)
class PhotoFacts(PhotoMetadata):
    """A photo, and what its files say about it."""

    digest: bytes
    """The digest of what decides its pixels."""
    width: int
    height: int
    format: str
    damaged: bool = False
    """Whether a part of the picture could not be decoded."""
    digest_version: int = 0
    """The version of the reader that made the digest."""


@dataclass(frozen=True)
class EmbeddingRecord:
    """An embedding to be kept, and what made it. `vector` is float32 (dim,) of norm 1."""

    vector: npt.NDArray[np.float32]
    precision: str
    preprocessing_version: int


@dataclass(frozen=True)
class PhotoRecord(PhotoMetadata):
    """A photo and its files. Keywords and people are in alphabetical order."""

    id: int
    paths: tuple[str, ...]
    """The absolute paths in alphabetical order, missing files last."""
    width: int
    height: int
    damaged: bool = False
    """Whether a part of the picture could not be decoded."""


@dataclass(frozen=True)
class DamagedFile:
    """A file of which only a part of the picture could be decoded."""

    path: str
    """The absolute path."""
    id: int
    """The photo's id."""


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
    """The size in bytes when it failed; None for directories, and where not even that could be
    found out.
    """
    mtime_ns: int | None
    """The time of change when it failed; None as `size` is."""
    kind: FailureKind = FailureKind.NO_PICTURE
    pixels: int | None = None
    """How many pixels a picture has that was too large; None where something else is the matter."""
    tried_at: datetime | None = None
    """When it was tried, in UTC without a time zone. The catalog takes None for now; it gives None
    for failures of earlier versions, which noted no time.
    """
    decoder_version: int = 0
    """The version of the decoder that could not use the file. 0 stands for those of before there
    were versions.
    """


@dataclass(frozen=True)
class LibraryFailure:
    """A file or directory of a library that could not be used."""

    path: str
    """The absolute path."""
    reason: str
    kind: FailureKind
    pixels: int | None
    tried_at: datetime | None
    """When it was tried, in UTC without a time zone; None for failures of versions that noted no
    time.
    """


class Measured(NamedTuple):
    """What a checkpoint was measured against for the judgement of hits, and when."""

    version: int
    """The version of the yardstick's texts and pictures."""
    generation: int
    """Embeddings up to this generation of the checkpoint were measured."""
    embeddings: int
    """The number of embeddings then."""


@dataclass(frozen=True)
class YardstickRecord:
    """What hits of a checkpoint are judged by; `catalog.models.YardstickRow` tells more."""

    version: int
    generation: int
    embeddings: int
    pictures: npt.NDArray[np.float32]
    """The embeddings (n, dim) of pictures that show nothing, unit norm."""
    absent_evidence: npt.NDArray[np.float32]
    """The highest evidence (m,) that any photo gave for each absent text."""
