"""Files that could not be used, as the catalog takes and gives them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


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
    CRASH = "crash"
    """Several processes ended while they indexed the file together with others."""


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
    """When it was tried, in UTC. The catalog takes None for now, and gives None for failures of
    earlier versions, which noted no time.
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
    """When it was tried, in UTC; None for failures of versions that noted no time."""
