"""Photos decoded in worker processes, so that no file can take the run down."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import AvifImagePlugin, Image, PngImagePlugin

from sigseek.indexer.decoding.decode import (
    DecodedPhoto,
    decode_hash,
    decode_photo,
    decode_views,
)
from sigseek.indexer.decoding.file_metadata import read_file_metadata
from sigseek.indexer.decoding.limits import decoding_limits, default_max_pixels
from sigseek.indexer.decoding.metadata import Metadata
from sigseek.indexer.decoding.worker_pool import WorkerPool
from sigseek.indexer.errors import LargePhotoError
from sigseek.siglip import Preprocessing
from sigseek.storage.records.hashes import HashRecord

_Out = TypeVar("_Out")
_How = TypeVar("_How")

_LARGE_PIXELS = 24_000_000
_LARGEST_TEXT = 16_000_000
"""Bytes of one text in a PNG. Pillow refuses a picture if its texts have more than 64 MB
together.
"""


class GuardedPictures:
    """Worker processes that decode pictures, as many as there are threads that call.

    Large pictures are decoded one at a time, so memory does not grow with the number of processes.
    Use it as a context manager, or `close` it when done.
    """

    def __init__(self, max_pixels: int | None = None) -> None:
        self.limit(max_pixels)
        self._workers = WorkerPool()
        self._large = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def limit(self, max_pixels: int | None) -> None:
        """Take pictures of up to `max_pixels` from now on; None means the default limit."""
        self._max_pixels = max_pixels or default_max_pixels()

    def close(self) -> None:
        """End the processes; whoever waits for a photo gets an error."""
        self._workers.close()

    def _call(
        self,
        function: Callable[[Path, _How, int, int], _Out],
        path: Path,
        how: _How,
        pixels: int = 0,
    ) -> _Out:
        """Return `function(path, how, most, held)`, called in a worker process.

        It takes a picture of at most `most` pixels, or raises TooLargeError, and holds at most
        `held` of them, or raises LargePhotoError. A picture of `pixels` is taken even above the
        limit.
        """
        most = max(self._max_pixels, pixels)
        held = min(_LARGE_PIXELS, most)
        try:
            return self._workers.call(decoding_limits(held), function, path, how, most, held)
        except LargePhotoError:
            with self._large:
                return self._workers.call(decoding_limits(most), function, path, how, most, most)


class GuardedDecoder(GuardedPictures):
    """Decodes photos for a checkpoint, in worker processes."""

    def __init__(self, preprocessing: Preprocessing, max_pixels: int | None = None) -> None:
        super().__init__(max_pixels)
        self._preprocessing = preprocessing

    def decode(self, path: Path, thumbnail: int | None = None) -> DecodedPhoto:
        """Return what `sigseek.indexer.decoding.decode.decode_photo` gives.

        Raises as that does, and DecodeError for a file that takes too much or kills a process.
        """
        return self._call(_decode_in_worker, path, (self._preprocessing, thumbnail))

    def decode_views(self, path: Path, pixels: int = 0) -> npt.NDArray[np.uint8]:
        """Return what `sigseek.indexer.decoding.decode.decode_views` gives.

        A picture of `pixels` is taken even above the limit: it was indexed with a higher one.
        Raises as `decode` does.
        """
        return self._call(_views_in_worker, path, self._preprocessing, pixels)

    def decode_hash(self, path: Path) -> HashRecord:
        """Return what `sigseek.indexer.decoding.decode.decode_hash` gives. Raises as `decode`
        does.
        """
        return self._call(_hash_in_worker, path, self._preprocessing)

    def read_metadata(self, path: Path, sidecars: tuple[str, ...]) -> Metadata:
        """Return what `sigseek.indexer.decoding.file_metadata.read_file_metadata` gives.

        Raises as that does, and DecodeError for a file that takes too much or kills a process.
        """
        limits = decoding_limits(min(_LARGE_PIXELS, self._max_pixels))
        return self._workers.call(limits, _metadata_in_worker, path, sidecars)


def _decode_in_worker(
    path: Path, how: tuple[Preprocessing, int | None], max_pixels: int, max_held: int
) -> DecodedPhoto:
    """Run `decode_photo` in the worker process."""
    set_up_pillow()
    preprocessing, thumbnail = how
    return decode_photo(path, preprocessing, max_pixels, max_held, thumbnail)


def _views_in_worker(
    path: Path, preprocessing: Preprocessing, max_pixels: int, max_held: int
) -> npt.NDArray[np.uint8]:
    """Run `decode_views` in the worker process."""
    set_up_pillow()
    return decode_views(path, preprocessing, max_pixels, max_held)


def _hash_in_worker(
    path: Path, preprocessing: Preprocessing, max_pixels: int, max_held: int
) -> HashRecord:
    """Run `decode_hash` in the worker process."""
    set_up_pillow()
    return decode_hash(path, max_pixels, max_held)


def _metadata_in_worker(path: Path, sidecars: tuple[str, ...]) -> Metadata:
    """Run `read_file_metadata` in the worker process."""
    set_up_pillow()
    return read_file_metadata(path, sidecars)


def set_up_pillow() -> None:
    """Set Pillow up as only a process of our own may have it."""
    Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is the limit, be it above or below Pillow's own
    PngImagePlugin.MAX_TEXT_CHUNK = _LARGEST_TEXT  # else XMP with a long history costs the photo
    AvifImagePlugin.DEFAULT_MAX_THREADS = (
        1  # there are other workers, and each thread takes address space
    )
