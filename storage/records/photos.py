"""Photos and what their files say about them, as the catalog takes and gives them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


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


class PhotoVersions(NamedTuple):
    """A photo of the library, and which versions of the program made what is kept of it."""

    id: int
    facts_version: int
    """The version of the reader of its metadata; 0 if they have to be read again."""
    hash_version: int
    """The version of its perceptual hash; 0 if it has none."""


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


@dataclass(frozen=True, order=True)
class PhotoTag:
    """A tag of a photo."""

    name: str
    by_hand: bool
    """Whether a person gave the tag. Otherwise a checkpoint judged that it fits."""


@dataclass(frozen=True)
class PhotoRecord(PhotoMetadata):
    """A photo and its files. Keywords, people and tags are in alphabetical order."""

    id: int
    paths: tuple[str, ...]
    """The absolute paths in alphabetical order, missing files last."""
    width: int
    height: int
    damaged: bool = False
    """Whether a part of the picture could not be decoded."""
    tags: tuple[PhotoTag, ...] = ()


@dataclass(frozen=True)
class PictureRecord:
    """The picture of a photo."""

    digest: bytes
    """The digest of what decides its pixels."""
    width: int
    """In pixels, as shown."""
    height: int
    format: str
    """The format of the file, "JPEG" for example."""
    color: int | None
    """The mean colour, 0xRRGGBB; None for photos that were indexed before colours were kept."""


@dataclass(frozen=True)
class DamagedFile:
    """A file of which only a part of the picture could be decoded."""

    path: str
    """The absolute path."""
    id: int
    """The photo's id."""
