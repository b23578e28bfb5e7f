"""Draws the pictures that mini is trained on. Nothing here imports torch, because several processes
draw, and each imports this.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
from PIL import Image

from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import numbered_scene

PIXELS = 96
DRAWN_SIZE = (640, 480)
"""Smaller drawings are made faster, but they are embedded less like the photos of the demo."""
CHUNK = 500
"""The number of pictures that a process draws at once. This process draws so few itself."""


def draw_all(seed: int, numbers: Sequence[int]) -> npt.NDArray[np.uint8]:
    """Return the pictures with these numbers of the series `seed`, uint8 (n, 96, 96, 3)."""
    pictures = np.empty((len(numbers), PIXELS, PIXELS, 3), np.uint8)
    draw = partial(_draw, seed)
    if len(numbers) <= CHUNK:
        return _filled(pictures, map(draw, numbers))
    # A fork would copy the state of torch's threads without the threads, and could wait for them.
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return _filled(pictures, pool.map(draw, numbers, chunksize=CHUNK))


def _filled(
    pictures: npt.NDArray[np.uint8], drawn: Iterable[npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8]:
    for number, picture in enumerate(drawn):
        pictures[number] = picture
    return pictures


def _draw(seed: int, number: int) -> npt.NDArray[np.uint8]:
    image = draw_scene(numbered_scene(seed, number), DRAWN_SIZE, number)
    return np.asarray(image.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC))
