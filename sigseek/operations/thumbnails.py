"""Small pictures of a library's photos, and JPEG copies of photos that browsers cannot show."""

from __future__ import annotations

import os
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sigseek import disk
from sigseek.errors import Call, ErrorKind, Option, Remedy, SigseekError
from sigseek.indexer.errors import ChangedError, DecodeError, SilentDiskError
from sigseek.operations.lazy import Lazy
from sigseek.operations.location import LibraryLocation
from sigseek.operations.originals import no_photo
from sigseek.operations.photo_files import PhotoFiles, cannot_be_used, file_digests
from sigseek.paths import typed_path
from sigseek.search.errors import QueryError
from sigseek.storage.records import PhotoFile, PictureRecord
from sigseek.storage.thumbnails import THUMBNAIL_SIZES, ThumbnailStore

if TYPE_CHECKING:
    from sigseek.indexer.decoding.thumbnails import Thumbnailer

_MOST_DECODING = max(2, os.cpu_count() or 2)
"""Threads that may have pictures decoded at once, each by a process of its own."""


@dataclass(frozen=True)
class Thumbnail:
    """A photo as a picture that every browser shows: upright, in sRGB."""

    data: bytes
    media_type: str
    """The kind of the data, "image/jpeg"."""
    size: int | None
    """What the longer side has at most, in pixels; None for the photo's own size. A photo that is
    smaller is not enlarged.
    """
    digest: str
    """The digest of the photo's picture, in hexadecimal digits. Thumbnails of the same digest and
    size show the same, always.
    """


class Thumbnails:
    """Gives the thumbnails of a library's photos: kept ones, and others made when they are asked
    for. Several threads may use it.
    """

    def __init__(self, directory: LibraryLocation, files: PhotoFiles) -> None:
        self._directory = directory
        self._photo_files = files
        self._store: Lazy[ThumbnailStore] = Lazy()
        self._thumbnailer: Lazy[Thumbnailer] = Lazy()
        self._decoding = threading.BoundedSemaphore(_MOST_DECODING)

    @property
    def store(self) -> ThumbnailStore:
        """Return where thumbnails are kept: in the user's cache, for all libraries."""
        return self._store.get(open_store)

    @property
    def store_if_any(self) -> ThumbnailStore | None:
        """Return where thumbnails are kept; None if the user wants none kept."""
        return self.store if self.store.max_bytes else None

    def close(self) -> None:
        """End the processes that decode photos."""
        for thumbnailer in self._thumbnailer.clear():
            thumbnailer.close()

    def get(self, photo: int | Path, size: int) -> Thumbnail:
        """Return the thumbnail of a photo, as `Library.thumbnail` describes."""
        if size not in THUMBNAIL_SIZES:
            raise QueryError(
                f"there are no thumbnails of {size} pixels",
                f"ask for {' or '.join(map(str, THUMBNAIL_SIZES))}",
            )
        if isinstance(photo, int):
            return self._of_photo(photo, size)
        path = typed_path(photo).absolute()
        self._photo_files.check(path)
        known = self._photo_files.known_id(path) if self._directory.exists() else None
        return self._of_file(path, size) if known is None else self._of_photo(known, size)

    def _of_file(self, path: Path, size: int) -> Thumbnail:
        """Return the thumbnail of a file that is not in the library."""
        try:
            digest = file_digests(path).picture
            with self._decoding:
                made = self._kept_thumbnailer().jpeg(path, size)
        except DecodeError as error:
            raise cannot_be_used(path, error) from error
        except OSError as error:
            raise _unreadable(path, error) from error
        return Thumbnail(made, "image/jpeg", size, digest.hex())

    def _of_photo(self, photo_id: int, size: int) -> Thumbnail:
        picture = self._picture(photo_id)
        kept = self.store.read(picture.digest, size)
        if kept:
            return _thumbnail(kept, size, picture)
        try:
            made = self._made(photo_id, picture, size)
        except DecodeError:
            for other in THUMBNAIL_SIZES:
                kept = self.store.read(picture.digest, other)
                if kept:  # better than none
                    return _thumbnail(kept, other, picture)
            raise
        self.store.write(picture.digest, size, made)
        return _thumbnail(made, size, picture)

    def full_size(self, photo_id: int) -> Thumbnail:
        """Return a photo in its own size, as `Library.jpeg` describes."""
        picture = self._picture(photo_id)
        return _thumbnail(self._made(photo_id, picture, None), None, picture)

    def of_file(self, path: Path, longest: int) -> bytes:
        """Return a JPEG of a photo file, as `Library.thumbnail_of_file` describes."""
        if longest < 1:
            raise QueryError(
                f"a picture of {longest} pixels cannot be made", "ask for one pixel or more"
            )
        try:
            with self._decoding:
                return self._kept_thumbnailer().jpeg(typed_path(path), longest)
        except OSError as error:
            raise _unreadable(path, error) from error

    def _picture(self, photo_id: int) -> PictureRecord:
        picture = self._directory.catalog().picture(photo_id)
        if picture is None:
            raise no_photo(photo_id)
        return picture

    def _made(self, photo_id: int, picture: PictureRecord, longest: int | None) -> bytes:
        """Return the JPEG that the first of the photo's files gives which can be used now.

        Raises DecodeError where there is none.
        """
        files = self._directory.catalog().present_files([photo_id]).get(photo_id, [])
        found, kind = "none of its files is there", ErrorKind.UNAVAILABLE
        for file in sorted(files):
            try:
                return self._jpeg_of_file(file, photo_id, picture, longest)
            except FileNotFoundError:
                continue
            except DecodeError as error:
                found, kind = str(error), error.kind
            except OSError as error:
                found, kind = f"cannot be read: {error.strerror or error}", ErrorKind.UNAVAILABLE
        raise DecodeError(
            f"photo {photo_id} cannot be shown ({found})",
            Remedy("plug in its drive, or bring the library up to date: {}", (Call("index"),)),
            kind,
        )

    def _jpeg_of_file(
        self, file: PhotoFile, photo_id: int, picture: PictureRecord, longest: int | None
    ) -> bytes:
        """Return a JPEG of the photo in the file.

        Raises ChangedError when the file holds another photo by now, and as `Thumbnailer.jpeg`
        does.
        """
        path = Path(file.path)
        before = _stamp(path)
        # Other times may be those of a drive that was plugged into another machine.
        if before != (file.size, file.mtime_ns) and self._photo_in(path) != photo_id:
            raise ChangedError("it changed since it was indexed")
        with self._decoding:
            pixels = picture.width * picture.height
            jpeg = self._kept_thumbnailer().jpeg(path, longest, pixels)
        if _stamp(path) != before:
            raise ChangedError("it changed while it was read")
        return jpeg

    def _photo_in(self, path: Path) -> int | None:
        read = file_digests(path)
        return self._directory.catalog().find_photo(read.picture, read.digest)

    def _kept_thumbnailer(self) -> Thumbnailer:
        """Return the thumbnailer whose processes are kept for the next thumbnail."""
        thumbnailer = self._thumbnailer.get(self._start)
        thumbnailer.limit(self._directory.max_pixels())  # an indexing run may have changed it
        return thumbnailer

    def _start(self) -> Thumbnailer:
        from sigseek.indexer.decoding.thumbnails import Thumbnailer

        thumbnailer = Thumbnailer()
        weakref.finalize(self, thumbnailer.close)  # for callers that forget to close the library
        return thumbnailer


def open_store() -> ThumbnailStore:
    """Return the store of thumbnails in the user's cache."""
    from sigseek.siglip.cache import cache_directory  # imports platformdirs, which few need

    return ThumbnailStore(cache_directory() / "thumbnails")


def limit_thumbnails(store: ThumbnailStore, max_bytes: int) -> None:
    """Bound the thumbnails, as `Library.limit_thumbnails` describes."""
    if max_bytes < 0:
        raise QueryError(
            f"thumbnails cannot take {max_bytes} bytes",
            Remedy("give {} 0, or more", (Option("max_bytes"),)),
        )
    try:
        store.limit(max_bytes)
    except OSError as error:
        raise SigseekError(
            f"{store.directory} cannot be written ({error.strerror or error})",
            "check the disk and its permissions",
            ErrorKind.UNAVAILABLE,
        ) from error


def _unreadable(path: Path, error: OSError) -> DecodeError:
    """Return the error of a file that the system does not read."""
    kind = ErrorKind.UNAVAILABLE
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        kind = ErrorKind.NOT_FOUND
    return cannot_be_used(
        path, DecodeError(f"cannot be read: {error.strerror or error}", None, kind)
    )


def _thumbnail(data: bytes, size: int | None, picture: PictureRecord) -> Thumbnail:
    return Thumbnail(data, "image/jpeg", size, picture.digest.hex())


def _stamp(path: Path) -> tuple[int, int]:
    """Return the file's size and time of change. Raises OSError where there is no such file, and
    SilentDiskError when its disk does not answer.
    """
    from sigseek.indexer.decoding.digest import mtime_ns

    status = disk.ask(path.parent, path.stat, None)
    if status is None:
        raise SilentDiskError("its disk does not answer")
    return status.st_size, mtime_ns(status)
