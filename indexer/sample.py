"""A sample of a user's photos, which an int8 conversion learns from."""

import itertools
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.ingest import THREADS
from sigseek.indexer.map_ahead import map_ahead
from sigseek.indexer.scan import scan_folder
from sigseek.progress import Stop
from sigseek.siglip import Preprocessing


def sample_photos(
    folders: Sequence[Path], preprocessing: Preprocessing, count: int, stop: Stop | None = None
) -> npt.NDArray[np.uint8]:
    """Return pixels uint8 (n, height, width, 3) of at most `count` photos below the folders.

    They are picked evenly, the same ones at every call. Files that cannot be decoded are skipped.
    Raises StoppedError soon after `stop` is set.
    """
    until = stop or Stop()
    paths = [
        folder / path for folder in folders for path in scan_folder(folder, PurePath(), until).files
    ]
    shuffled = random.Random(0).sample(paths, len(paths))
    with GuardedDecoder(preprocessing) as decoder, ExitStack() as ending:
        pool = ThreadPoolExecutor(THREADS)
        # Nobody waits for photos beyond the sample, nor after Ctrl-C: the decoder ends their work.
        ending.callback(pool.shutdown, wait=False, cancel_futures=True)
        decoded = map_ahead(pool, decoder.decode, shuffled, lambda: 2 * THREADS, until)
        usable = (photo.pixels for _, photo in decoded if not isinstance(photo, Exception))
        pixels = list(itertools.islice(usable, count))
    until.check()
    return np.array(pixels, np.uint8).reshape(-1, preprocessing.height, preprocessing.width, 3)
