"""Pictures that show nothing: plain colours, gradients, noise, blurs and loose shapes.

They are the same every time. A text's score on them tells how high it scores on anything, because
words without meaning fit all pictures a little.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from sigseek.siglip.yardstick.steps import WHOLE

COUNT = WHOLE.pictures

Pixels = npt.NDArray[np.uint8]
_SIDE = 256
_MOST_SHAPES = 12


def yardstick_pictures(height: int, width: int) -> Pixels:
    """Draw the pictures as pixels uint8 (32, height, width, 3), in a fixed order.

    Whoever changes one has to raise `VERSION` in `__init__.py`.
    """
    rng = np.random.default_rng(1)
    makers = (_plain, _graded, _noise, _blurred, _shapes, _shapes, _horizon)
    pictures = [
        makers[number % len(makers)](rng).resize((width, height), Image.Resampling.BICUBIC)
        for number in range(COUNT)
    ]
    return np.stack([np.asarray(picture) for picture in pictures])


def _color(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _plain(rng: np.random.Generator) -> Image.Image:
    return Image.new("RGB", (_SIDE, _SIDE), _color(rng))


def _graded(rng: np.random.Generator) -> Image.Image:
    mask = Image.linear_gradient("L").rotate(int(rng.integers(4)) * 90)
    return Image.composite(_plain(rng), _plain(rng), mask)


def _noise(rng: np.random.Generator) -> Image.Image:
    values = rng.normal(rng.integers(60, 200, 3), rng.integers(10, 80), (_SIDE, _SIDE, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _blurred(rng: np.random.Generator) -> Image.Image:
    side = int(rng.integers(2, 13))
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).resize(
        (_SIDE, _SIDE), Image.Resampling.BICUBIC
    )


def _shapes(rng: np.random.Generator) -> Image.Image:
    picture = _plain(rng)
    draw = ImageDraw.Draw(picture)
    for _ in range(int(rng.integers(1, _MOST_SHAPES))):
        left, top, width, height = rng.integers(0, _SIDE, 4).tolist()
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((left, top, left + width, top + height), fill=_color(rng))
    return picture


def _horizon(rng: np.random.Generator) -> Image.Image:
    """Draw one surface above another, as in an empty landscape, a little out of focus."""
    above, below = _graded(rng), _noise(rng)
    line = int(rng.integers(_SIDE // 3, _SIDE))
    above.paste(below.crop((0, 0, _SIDE, _SIDE - line)), (0, line))
    return above.filter(ImageFilter.GaussianBlur(3))
