"""A sample of a user's photos, as an int8 conversion learns from."""

import random
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from sigseek.indexer.decoding.guarded import GuardedDecoder
from sigseek.indexer.errors import DecodeError
from sigseek.indexer.scan import scan_folder
from sigseek.siglip import Preprocessing


def sample_photos(
    folders: Sequence[Path], preprocessing: Preprocessing, count: int
) -> npt.NDArray[np.uint8]:
    """Pixels uint8 (n, height, width, 3) of up to `count` photos below the folders, picked evenly,
    the same at every call.

    What cannot be decoded is passed over.
    """
    paths = [folder / path for folder in folders for path in scan_folder(folder, PurePath()).files]
    pixels: list[npt.NDArray[np.uint8]] = []
    with GuardedDecoder(preprocessing) as decoders:
        for path in random.Random(0).sample(paths, len(paths)):
            if len(pixels) == count:
                break
            try:
                pixels.append(decoders.decode(path).pixels)
            except (DecodeError, OSError):
                continue
    return np.array(pixels, np.uint8).reshape(-1, preprocessing.height, preprocessing.width, 3)
