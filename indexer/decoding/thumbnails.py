"""Photos as JPEG, made in worker processes so that no file can take the program down."""

from pathlib import Path

from sigseek.indexer.decoding.decode import decode_jpeg
from sigseek.indexer.decoding.guarded import GuardedPictures, set_up_pillow


class Thumbnailer(GuardedPictures):
    """Makes thumbnails, and JPEG copies of photos, in worker processes."""

    def jpeg(self, path: Path, longest: int | None, pixels: int = 0) -> bytes:
        """Return what `sigseek.indexer.decoding.decode.decode_jpeg` gives.

        A picture of `pixels` is taken even above the limit: it was indexed with a higher one.
        Raises as `GuardedDecoder.decode` does.
        """
        return self._call(_in_worker, path, longest, pixels)


def _in_worker(path: Path, longest: int | None, max_pixels: int, max_held: int) -> bytes:
    set_up_pillow()
    return decode_jpeg(path, longest, max_pixels, max_held)
