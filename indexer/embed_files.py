"""Photo files that are embedded without being kept, such as the photos of queries.

Each file is decoded in a worker process, because a photo that somebody sends may be made to crash
or flood whatever decodes it.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.errors import ErrorKind
from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.errors import DecodeError
from sigseek.indexer.ingest import THREADS
from sigseek.indexer.map_ahead import map_ahead
from sigseek.progress import Stop
from sigseek.siglip import ImageTower

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

_AHEAD = 32
"""Files that are decoded while the image tower is still being loaded."""


def embed_files(
    paths: Sequence[Path],
    decoder: GuardedDecoder,
    tower: Callable[[], ImageTower],
    stop: Stop | None = None,
) -> Iterator[tuple[Path, Floats | DecodeError]]:
    """Give each file's unit-norm embedding float32 (dim,), or why there is none, in order.

    Several files are decoded ahead of the tower, and no more than a few batches are in memory.
    `tower` is called while the first files are decoded. Raises StoppedError soon after `stop` is
    set.
    """
    with ExitStack() as ending:
        pool, loading = _workplace(ending, tower, len(paths))
        waiting: list[tuple[Path, Pixels | DecodeError]] = []
        decoded = map_ahead(
            pool, lambda path: decoder.decode(path).pixels, paths, lambda: _window(loading), stop
        )
        for path, found in decoded:
            waiting.append((path, _decode_error(found) if isinstance(found, Exception) else found))
            if len(waiting) == loading.result().batch:
                yield from _embedded(waiting, loading.result())
                waiting = []
        if stop:
            stop.check()
        yield from _embedded(waiting, loading.result())


def embed_views(
    photos: Sequence[tuple[Path, int]],
    decoder: GuardedDecoder,
    tower: Callable[[], ImageTower],
    stop: Stop | None = None,
) -> Iterator[Floats | None]:
    """Give unit-norm embeddings float32 (views, dim) of parts of each photo, in order.

    A photo is its path and the number of its pixels. That number may exceed the decoder's limit,
    when the photo was indexed with a higher one. None stands for a file that cannot be used now.
    Raises StoppedError soon after `stop` is set.
    """
    with ExitStack() as ending:
        pool, loading = _workplace(ending, tower, len(photos))
        decoded = map_ahead(
            pool, lambda photo: decoder.decode_views(*photo), photos, lambda: 2 * THREADS, stop
        )
        for _, views in decoded:
            yield None if isinstance(views, Exception) else loading.result().embed(views)
        if stop:
            stop.check()


def _workplace(
    ending: ExitStack, tower: Callable[[], ImageTower], files: int
) -> tuple[ThreadPoolExecutor, "Future[ImageTower]"]:
    """Threads that decode, and the tower, which one more thread is loading.

    `ending` ends them. After an interruption nobody waits for what is still queued.
    """
    pool = ThreadPoolExecutor(min(THREADS, max(files, 1)))
    aside = ThreadPoolExecutor(1)
    for one in (pool, aside):
        ending.callback(one.shutdown, wait=False, cancel_futures=True)
    return pool, aside.submit(tower)


def _window(loading: "Future[ImageTower]") -> int:
    ready = loading.done() and not loading.exception()
    return 2 * loading.result().batch if ready else _AHEAD


def _embedded(
    batch: Sequence[tuple[Path, Pixels | DecodeError]], tower: ImageTower
) -> Iterator[tuple[Path, Floats | DecodeError]]:
    pixels = [found for _, found in batch if not isinstance(found, DecodeError)]
    vectors = iter(tower.embed(np.stack(pixels)) if pixels else ())
    for path, found in batch:
        yield path, found if isinstance(found, DecodeError) else next(vectors)


def _decode_error(error: Exception) -> DecodeError:
    """Return the error as a reason why the file gives no picture."""
    if isinstance(error, DecodeError):
        return error
    kind = ErrorKind.NOT_FOUND if isinstance(error, FileNotFoundError) else ErrorKind.UNAVAILABLE
    reason = DecodeError(f"cannot be read: {getattr(error, 'strerror', None) or error}", None, kind)
    reason.__cause__ = error
    return reason
