"""Thumbnails of photos, made in worker processes so that no file can take the program down."""

from pathlib import Path

from sigseek.indexer.decoding.decode import decode_thumbnail
from sigseek.indexer.decoding.guarded import set_up_pillow
from sigseek.indexer.decoding.limits import decoding_limits, default_max_pixels
from sigseek.indexer.decoding.worker_pool import WorkerPool


class Thumbnailer(WorkerPool):
    """Worker processes that make thumbnails of at most `width` x `height` pixels.

    Use it as a context manager, or `close` it when done.
    """

    def __init__(self, width: int, height: int) -> None:
        super().__init__()
        self._size = (width, height)

    def jpeg(self, path: Path) -> bytes:
        """Return the photo in the file, upright and in sRGB, as a JPEG. Raises as
        `GuardedDecoder.decode` does.
        """
        most = default_max_pixels()
        return self.call(decoding_limits(most), _in_worker, path, self._size, most)


def _in_worker(path: Path, size: tuple[int, int], max_pixels: int) -> bytes:
    set_up_pillow()
    return decode_thumbnail(path, size, max_pixels)
