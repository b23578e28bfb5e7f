"""Photo files that are embedded without being kept, such as the photos of queries.

The processes that decode them are started when the first photo has to be embedded, and what this
needs is imported then.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sigseek import disk
from sigseek.errors import Call, ErrorKind, Remedy
from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.formats import PICTURES
from sigseek.indexer.errors import SilentDiskError
from sigseek.operations.checkpoint import LibraryCheckpoint
from sigseek.operations.given_paths import given_path
from sigseek.operations.lazy import Lazy
from sigseek.operations.location import LibraryLocation
from sigseek.operations.model import ModelInUse
from sigseek.operations.originals import no_photo, original_file
from sigseek.operations.photo_ids import id_or_path
from sigseek.paths import spellings, typed_path
from sigseek.progress import Listener, Phase, Problem, Progress, Stop
from sigseek.search.errors import QueryError
from sigseek.search.known_photo import KnownPhoto

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.indexer.decoding.digest import FileDigest
    from sigseek.indexer.decoding.guarded import GuardedDecoder

    Floats: TypeAlias = npt.NDArray[np.float32]

_FEW = 4
"""Photo files that are decoded by the processes that are kept for queries."""
_MOST_DECODING = max(2, os.cpu_count() or 2)
"""Threads that may use these processes at the same time; it bounds how many there are."""


class PhotoFiles:
    """Embeds photo files with the model of a library. Several threads may use it."""

    def __init__(
        self, directory: LibraryLocation, model: ModelInUse, checkpoint: LibraryCheckpoint
    ) -> None:
        self._directory = directory
        self._model = model
        self._checkpoint = checkpoint
        self._decoder: Lazy[GuardedDecoder] = Lazy()
        self._decoding = threading.BoundedSemaphore(_MOST_DECODING)

    def close(self) -> None:
        """End the processes that decode photos of queries."""
        for decoder in self._decoder.clear():
            decoder.close()

    def embed(
        self,
        paths: Sequence[Path],
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> Generator[tuple[Path, Floats | DecodeError]]:
        """Give the unit-norm embedding float32 (dim,) of each photo file, or why it has none.

        The results come in the order of the files, and the listener is told of each problem. Files
        are decoded in several processes ahead of the tower, in bounded memory. Close the generator,
        or exhaust it, to end the processes.
        """
        from sigseek.indexer.decoding.guarded import GuardedDecoder

        self._model.prepare(listener, stop)
        if len(paths) <= _FEW:
            with (stop or Stop()).holding(self._decoding):
                yield from self._embed(paths, self._kept_decoder(), listener, stop)
        else:  # processes of its own, which end with it: so many are rarely needed
            preprocessing = self._model.checkpoint.preprocessing
            with GuardedDecoder(preprocessing, self._directory.max_pixels()) as decoder:
                yield from self._embed(paths, decoder, listener, stop)

    def _embed(
        self,
        paths: Sequence[Path],
        decoder: GuardedDecoder,
        listener: Listener | None,
        stop: Stop | None,
    ) -> Iterator[tuple[Path, Floats | DecodeError]]:
        from sigseek.indexer.embed_files import embed_files

        told, until = listener or self._model.listener, stop or Stop()
        told.advanced(Progress(Phase.EMBEDDING, 0, len(paths)))
        embedded = embed_files(paths, decoder, lambda: self._model.images(told, until), until)
        for done, (path, found) in enumerate(embedded, 1):
            if isinstance(found, DecodeError):
                told.met(Problem(str(path), str(found)))
            told.advanced(Progress(Phase.EMBEDDING, done, len(paths)))
            yield path, found

    def gather(
        self,
        paths: Sequence[Path],
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> tuple[dict[Path, Floats], dict[Path, str]]:
        """Return the embedding of each file that has one, and for the others the reason why not.

        The keys are the paths as they were given.
        """
        embeddings: dict[Path, Floats] = {}
        unusable: dict[Path, str] = {}
        embedded = self.embed(list(map(typed_path, paths)), listener, stop)
        for path, (_, found) in zip(paths, embedded, strict=True):
            if isinstance(found, DecodeError):
                unusable[path] = str(found)
            else:
                embeddings[path] = found
        return embeddings, unusable

    def find(
        self,
        photo: Path,
        *,
        include_self: bool,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> tuple[Floats, KnownPhoto | None]:
        """Return the unit-norm embedding (dim,) of a photo that a query names, and the photo itself
        if the library knows it.

        The file may be missing, as on an unplugged drive, when the library has its embedding.
        Raises QueryError when there is no such file, DecodeError when it gives no picture.
        """
        import numpy as np

        path = typed_path(given_path("photo", photo, QueryError)).absolute()
        id_ = self._known_id(path)
        if id_ is None:
            return self._embed_photo(existing_photo(path), listener, stop), None
        catalog, record = self._directory.catalog(), self._checkpoint.state_to_query().record
        named = frozenset(map(str, possible_paths(path)))
        photo_record = catalog.photos([id_]).get(id_)
        files = set(photo_record.paths) if photo_record else set()
        known = KnownPhoto(id_, named, has_copies=bool(files - named), include_self=include_self)
        stored = catalog.embeddings(record.id, [id_])[1]
        if len(stored):
            return stored[0].astype(np.float32), known
        return self._embed_photo(existing_photo(path), listener, stop), known

    def find_by_id(
        self,
        id_: int,
        *,
        include_self: bool,
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> tuple[Floats, KnownPhoto]:
        """Return the unit-norm embedding (dim,) of a photo of the library, and that photo.

        Raises QueryError for an unknown photo, and DecodeError for one that has no embedding yet
        and no file that can be read.
        """
        import numpy as np

        catalog, record = self._directory.catalog(), self._checkpoint.state_to_query().record
        photo = catalog.photos([id_]).get(id_)
        if photo is None:
            raise no_photo(id_)
        named = frozenset(photo.paths)
        known = KnownPhoto(id_, named, has_copies=False, include_self=include_self)
        stored = catalog.embeddings(record.id, [id_])[1]
        if len(stored):
            return stored[0].astype(np.float32), known
        return self._embed_photo(original_file(catalog, id_), listener, stop), known

    def check(self, photo: Path) -> None:
        """Raise QueryError for a file that does not exist, unless a library may know it."""
        if not self._directory.exists():
            existing_photo(photo)

    def known_ids(self, ids: Sequence[int]) -> set[int]:
        """Return those of the ids that photos of the library have."""
        return set(self._directory.catalog().pictures(ids)) if ids else set()

    def known_id(self, path: Path) -> int | None:
        """Return the id of the photo that the library knows in the file, which may be away, or else
        of the same picture in another file. None when the library does not know the photo.

        Raises QueryError or DecodeError for a file that cannot be read, or that is not there and
        that the library does not know.
        """
        known = self._id_at(path)
        return self._known_id(existing_photo(path)) if known is None else known

    def _known_id(self, path: Path) -> int | None:
        """Return the id of the photo in the file, or of the one that was there if the file is
        missing or cannot be read.

        None when the library does not know the photo. Raises QueryError or DecodeError for a file
        that cannot be read and that the library does not know.
        """
        if not disk.ask(path.parent, lambda: os.path.exists(path), False):
            return self._id_at(path)
        try:
            read = file_digests(existing_photo(path))
            return self._directory.catalog().find_photo(read.picture, read.digest)
        except (OSError, SilentDiskError) as error:
            id_ = self._id_at(path)
            if id_ is None:
                raise _unreadable(path, error) from error
            return id_
        except DecodeError as error:
            raise cannot_be_used(path, error) from error

    def _id_at(self, path: Path) -> int | None:
        """Return the id of the photo that the file at the path held when it was last seen."""
        known = map(self._directory.catalog().find_photo_of_file, possible_paths(path))
        return next((photo for photo in known if photo is not None), None)

    def _embed_photo(self, path: Path, listener: Listener | None, stop: Stop | None) -> Floats:
        """Return the embedding (dim,) of one photo file. Raises DecodeError when it gives no
        picture.
        """
        ((_, found),) = self.embed([path], listener, stop)
        if isinstance(found, DecodeError):
            raise cannot_be_used(path, found) from found
        return found

    def embed_views(
        self,
        photos: Sequence[tuple[Path, int]],
        listener: Listener | None = None,
        stop: Stop | None = None,
    ) -> Iterator[Floats | None]:
        """Give unit-norm embeddings (views, dim) of parts of each photo, in order.

        A photo is its path and the number of its pixels. None stands for a file that cannot be used
        now.
        """
        from sigseek.indexer.embed_files import embed_views

        told, until = listener or self._model.listener, stop or Stop()
        with until.holding(self._decoding):
            tower = partial(self._model.images, told, until)
            yield from embed_views(photos, self._kept_decoder(), tower, until)

    def _kept_decoder(self) -> GuardedDecoder:
        """Return the decoder whose processes are kept for the next query.

        A query photo may come from anybody, so it is decoded in another process. To start one takes
        a tenth of a second, during which the tower is loaded; the next query finds it running.
        """
        decoder = self._decoder.get(self._start_decoder)
        decoder.limit(self._directory.max_pixels())  # an indexing run may have changed it meanwhile
        return decoder

    def _start_decoder(self) -> GuardedDecoder:
        from sigseek.indexer.decoding.guarded import GuardedDecoder

        decoder = GuardedDecoder(self._model.checkpoint.preprocessing)
        weakref.finalize(self, decoder.close)  # for callers that forget to close the library
        return decoder


def known_photos(files: PhotoFiles, photos: Sequence[str | os.PathLike[str] | int]) -> list[int]:
    """Return the ids of the library's photos in these files, which may be away. A number is an id
    itself.

    Raises QueryError when the library does not know one of them.
    """
    named = [
        one if isinstance(one, int) else typed_path(one).absolute()
        for one in map(id_or_path, photos)
    ]
    ids = files.known_ids([one for one in named if isinstance(one, int)])
    found: dict[Path | int, int | None] = {}
    for one in dict.fromkeys(named):
        if isinstance(one, int):
            found[one] = one if one in ids else None
        else:
            found[one] = files.known_id(one)
    unknown = [one for one, id_ in found.items() if id_ is None]
    if unknown:
        raise _unknown_photo(unknown[0], len(unknown), len(found))
    return [id_ for id_ in found.values() if id_ is not None]


def _unknown_photo(photo: Path | int, unknown: int, named: int) -> QueryError:
    """Return the error about a photo that the library does not know, one of several `unknown`."""
    if isinstance(photo, int):
        return no_photo(photo)
    others = f" ({unknown:,} of {named:,} files are not)" if named > 1 else ""
    if photo.suffix.lower() not in PICTURES:  # indexing its folder would not add it
        return QueryError(
            f"{photo} is no picture of the library{others}, so nothing was changed",
            "name photos that are in it",
            ErrorKind.NOT_FOUND,
        )
    return QueryError(
        f"{photo} is not in the library{others}, so nothing was changed",
        Remedy("add it first with: {}", (Call("index", (str(photo.parent),)),)),
        ErrorKind.NOT_FOUND,
    )


def possible_paths(path: Path) -> dict[Path, None]:
    """Return the paths by which the library may know the file, which need not be there.

    The library keeps paths without links, and with their letters as the file system spells them.
    """
    without_links = disk.ask(path.parent, lambda: Path(os.path.realpath(path)), path)
    return dict.fromkeys((*spellings(path), *spellings(without_links)))


def file_digests(path: Path) -> FileDigest:
    """Return the digests of the file. Raises OSError or DecodeError when it cannot be read, the
    latter as SilentDiskError when the disk gives nothing of it for a while.
    """
    from sigseek.indexer.decoding.digest import digest_file
    from sigseek.indexer.watched_pool import WatchedPool

    pool = WatchedPool(1, disk.PATIENCE)
    try:
        read = partial(digest_file, on_part=pool.give_sign_of_life)
        return pool.submit(read, path).result()
    finally:
        pool.close()


def existing_photo(photo: Path) -> Path:
    """Return the photo's absolute path; raises QueryError unless there is a file."""
    path = typed_path(photo).absolute()
    # unlike Path's methods, these raise nothing
    found = disk.ask(path.parent, lambda: (os.path.isdir(path), os.path.isfile(path)), None)
    if found is None:
        raise QueryError(
            f"the disk of {path} does not answer",
            "check the drive or the network",
            ErrorKind.UNAVAILABLE,
        )
    is_folder, is_file = found
    if is_folder:
        raise QueryError(f"{path} is a folder", "name one photo")
    if not is_file:
        raise QueryError(f"no file {path}", "check the name", ErrorKind.NOT_FOUND)
    return path


def cannot_be_used(path: Path, error: DecodeError) -> DecodeError:
    """Return the error with the name of the photo file in it."""
    return DecodeError(f"{path} cannot be used ({error})", "choose another photo", error.kind)


def _unreadable(path: Path, error: OSError | SilentDiskError) -> QueryError:
    if isinstance(error, SilentDiskError):
        return QueryError(
            f"{path} cannot be read (the disk gives nothing of it)",
            "check the drive or the network",
            ErrorKind.UNAVAILABLE,
        )
    return QueryError(
        f"{path} cannot be read ({error.strerror})", "check its permissions", ErrorKind.UNAVAILABLE
    )
