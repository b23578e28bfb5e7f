"""Photos decoded in worker processes, so that no file can take the run down."""

import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from PIL import AvifImagePlugin, Image

from sigseek.indexer.decoding.decode import DecodedPhoto, decode_photo, decode_views
from sigseek.indexer.decoding.limits import decoding_limits, default_max_pixels
from sigseek.indexer.decoding.worker_pool import WorkerPool
from sigseek.indexer.errors import LargePhotoError
from sigseek.siglip import Preprocessing

_LARGE_PIXELS = 24_000_000


class GuardedDecoder:
    """Decodes photos for a checkpoint, each in one of as many processes as there are threads that
    call.

    Large pictures one at a time, so that memory does not grow with the number of processes. A
    context manager, or `close` when done.
    """

    def __init__(self, preprocessing: Preprocessing, max_pixels: int | None = None) -> None:
        self._preprocessing = preprocessing
        self._max_pixels = max_pixels or default_max_pixels()
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

    def close(self) -> None:
        """End the processes; whoever waits for a photo gets an error."""
        self._workers.close()

    def decode(self, path: Path) -> DecodedPhoto:
        """The photo in the file. Raises as `decode_photo` does, and DecodeError for what takes too
        much or kills a process.
        """
        try:
            return self._decode(path, min(_LARGE_PIXELS, self._max_pixels))
        except LargePhotoError:
            with self._large:
                return self._decode(path, self._max_pixels)

    def decode_views(self, path: Path) -> npt.NDArray[np.uint8]:
        """What `sigseek.indexer.decoding.decode.decode_views` gives. Raises as `decode` does."""
        with self._large:
            return self._workers.call(
                decoding_limits(self._max_pixels), _views_in_worker, path, self._preprocessing
            )

    def _decode(self, path: Path, held: int) -> DecodedPhoto:
        return self._workers.call(
            decoding_limits(held), _in_worker, path, self._preprocessing, self._max_pixels, held
        )


def _in_worker(
    path: Path, preprocessing: Preprocessing, max_pixels: int, max_held: int
) -> DecodedPhoto:
    """What runs there: `decode_photo`."""
    set_up_pillow()
    return decode_photo(path, preprocessing, max_pixels, max_held)


def _views_in_worker(path: Path, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    set_up_pillow()
    return decode_views(path, preprocessing)


def set_up_pillow() -> None:
    """As only a process of our own may have it."""
    Image.MAX_IMAGE_PIXELS = None  # `max_pixels` is the limit, be it above or below Pillow's own
    AvifImagePlugin.DEFAULT_MAX_THREADS = (
        1  # there are other workers, and each thread takes address space
    )
