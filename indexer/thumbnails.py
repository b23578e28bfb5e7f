"""Small pictures of photos for people, made in a worker process, so that no file can take the program down."""

from pathlib import Path
from types import TracebackType
from typing import Self

from indexer.decode import decode_thumbnail
from indexer.decoders import set_up_pillow
from indexer.limits import decoding_limits, default_max_pixels
from indexer.workers import Workers


class Thumbnails:
    """Makes thumbnails of at most `width` x `height`. A context manager, or `close` when done."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._workers = Workers()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        self._workers.close()

    def jpeg(self, path: Path) -> bytes:
        """The photo in the file, upright and in sRGB, as a JPEG. Raises as `Decoders.decode` does."""
        most = default_max_pixels()
        return self._workers.call(decoding_limits(most), _in_worker, path, self._size, most)


def _in_worker(path: Path, size: tuple[int, int], max_pixels: int) -> bytes:
    set_up_pillow()
    return decode_thumbnail(path, size, max_pixels)
