"""The grey levels of sketches as a few hundred bytes each, and back.

A WebP of this quality takes a quarter of the bytes of the levels, and half a level of four is lost.
Fewer bits to a pixel take more bytes and lose more.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
from PIL import Image

from sigseek.storage.perceptual_hash import SIDE, Sketches

_QUALITY = 80
_EFFORT = 2
"""WebP's method: more takes longer and saves few bytes."""
_TOGETHER = 256
"""Files that one thread decodes. Half of the time goes into Pillow's C code, where threads do not
wait for each other.
"""


def coded(levels: Sketches) -> bytes:
    """Return the levels (64, 64) as a file."""
    file = BytesIO()
    Image.fromarray(levels).save(file, "WEBP", quality=_QUALITY, method=_EFFORT)
    return file.getvalue()


def decoded(files: Sequence[bytes]) -> Sketches:
    """Return the levels (n, 64, 64) in the files. Damaged files give plain grey, which is like no
    picture.
    """
    parts = [files[first : first + _TOGETHER] for first in range(0, len(files), _TOGETHER)]
    if len(parts) < 2:
        return _decoded(files)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return np.concatenate(list(threads.map(_decoded, parts)))


def _decoded(files: Sequence[bytes]) -> Sketches:
    found = np.full((len(files), SIDE, SIDE), 128, np.uint8)
    for place, file in enumerate(files):
        try:
            with Image.open(BytesIO(file), formats=["WEBP"]) as image:
                # Grey is the same in all three channels. To mix them would take a third longer.
                found[place] = np.asarray(image.getchannel("G"))
        except (OSError, ValueError):
            continue
    return found
