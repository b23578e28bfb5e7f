"""Photo files that are embedded without being kept: decoded ahead of the image tower, what cannot be used left out."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.errors import DecodeError
from sigseek.indexer.ingest import THREADS
from sigseek.indexer.map_ahead import map_ahead
from sigseek.siglip import ImageTower, Preprocessing

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


def embed_files(
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    tower: ImageTower,
    on_done: Callable[[int], None] = lambda done: None,
) -> tuple[dict[Path, Floats], dict[Path, str]]:
    """The unit-norm embedding float32 (dim,) of each file that can be used, and why the others
    cannot.

    `on_done` is told how many files are done.
    """
    embeddings: dict[Path, Floats] = {}
    unusable: dict[Path, str] = {}
    batch: dict[Path, Pixels] = {}

    def embed() -> None:
        embeddings.update(zip(batch, tower.embed(np.stack(list(batch.values()))), strict=True))
        batch.clear()

    with (
        ThreadPoolExecutor(THREADS) as pool,
        GuardedDecoder(preprocessing) as decoders,
        ExitStack() as ending,
    ):
        ending.callback(
            pool.shutdown, wait=False, cancel_futures=True
        )  # interrupted, what waits in it is wanted no more
        decoded = map_ahead(
            pool, lambda path: decoders.decode(path).pixels, paths, lambda: 2 * tower.batch
        )
        for done, (path, pixels) in enumerate(decoded, 1):
            if isinstance(pixels, Exception):
                unusable[path] = (
                    str(pixels) if isinstance(pixels, DecodeError) else f"cannot be read: {pixels}"
                )
            else:
                batch[path] = pixels
                if len(batch) == tower.batch:
                    embed()
            on_done(done)
        if batch:
            embed()
    return embeddings, unusable
