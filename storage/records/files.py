"""Folders and files, as the catalog takes and gives them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias


@dataclass(frozen=True)
class FolderRecord:
    """A folder of the library; `path` is absolute."""

    id: int
    path: str
    indexed_at: datetime | None
    excluded: tuple[str, ...] = ()
    """The patterns of files that the user wants left out, in gitignore's syntax."""


FileTuple: TypeAlias = tuple[Any, ...]
"""The values of a `FileRecord` as a database driver gives them: a path that is not UTF-8 is bytes,
and booleans are 0 and 1. There may be a million, and records are made of few.
"""


class FileRecord(NamedTuple):
    """A file of a folder, `path` relative to it. The two booleans may be 0 and 1."""

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

    @classmethod
    def of(cls, row: FileTuple) -> FileRecord:
        """Return the record that these values make."""
        if not isinstance(row[0], bytes):
            return cls._make(row)
        # The sidecars' names begin as the file's does.
        sidecars = os.fsdecode(row[7]) if row[7] else None
        return cls._make((os.fsdecode(row[0]), *row[1:7], sidecars))


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
