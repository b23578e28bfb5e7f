"""The files of a photo, as they are when somebody wants to have one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sigseek import disk
from sigseek.errors import Call, ErrorKind, Remedy
from sigseek.indexer.errors import DecodeError
from sigseek.search.errors import QueryError
from sigseek.storage import Catalog
from sigseek.storage.records import PhotoFile


@dataclass(frozen=True)
class FileOfPhoto:
    """A file that holds a photo, or held it when it was last seen."""

    path: str
    """The absolute path."""
    size: int | None
    """The size in bytes; None for a file that is missing."""
    modified: datetime | None
    """When it was last changed, in UTC; None for a file that is missing."""
    present: bool
    """Whether it was there at the last run."""


def files_of_photo(catalog: Catalog, photo_id: int) -> tuple[FileOfPhoto, ...]:
    """Return the files as `Library.files_of_photo` describes."""
    record = catalog.photos([photo_id]).get(photo_id)
    if record is None:
        raise no_photo(photo_id)
    present = {file.path: file for file in catalog.present_files([photo_id]).get(photo_id, [])}
    return tuple(_file(path, present.get(path)) for path in record.paths)


def _file(path: str, file: PhotoFile | None) -> FileOfPhoto:
    if file is None:
        return FileOfPhoto(path, None, None, present=False)
    modified = datetime.fromtimestamp(file.mtime_ns / 1e9, UTC)
    return FileOfPhoto(path, file.size, modified, present=True)


def original_file(catalog: Catalog, photo_id: int) -> Path:
    """Return the path as `Library.original_file` describes."""
    if catalog.picture(photo_id) is None:
        raise no_photo(photo_id)
    files = sorted(catalog.present_files([photo_id]).get(photo_id, []))
    there = [(file, status) for file in files if (status := _status(file.path)) is not None]
    for file, status in there:
        if (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
            return Path(file.path)
    for file, _ in there:  # a drive that was plugged into another machine tells other times
        if _photo_in(catalog, file.path) == photo_id:
            return Path(file.path)
    raise DecodeError(
        f"none of the files of photo {photo_id} is there",
        Remedy("plug in its drive, or bring the library up to date: {}", (Call("index"),)),
        ErrorKind.UNAVAILABLE,
    )


def no_photo(photo_id: int) -> QueryError:
    """Return the error about an id that no photo of the library has."""
    return QueryError(
        f"the library has no photo {photo_id}",
        "search again: it may have been forgotten meanwhile",
        ErrorKind.NOT_FOUND,
    )


def _status(path: str) -> os.stat_result | None:
    """Return the file's size and times; None where it is not there, or its disk is silent."""

    def ask() -> os.stat_result | None:
        try:
            return Path(path).stat()
        except OSError:
            return None

    return disk.ask(Path(path).parent, ask, None)


def _photo_in(catalog: Catalog, path: str) -> int | None:
    from sigseek.operations.photo_files import file_digests  # which imports this module

    try:
        read = file_digests(Path(path))
    except (OSError, DecodeError):
        return None
    return catalog.find_photo(read.picture, read.digest)
