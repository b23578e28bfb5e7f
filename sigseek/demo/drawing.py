"""Draws a scene as a picture of any size. The same scene and seed give the same picture."""

import random

from PIL import Image, ImageDraw

from sigseek.demo.backdrop import LIGHTS, draw_backdrop, draw_weather
from sigseek.demo.pen import RGB, Pen, shade
from sigseek.demo.scene import Scene
from sigseek.demo.shapes import SHAPES

PAINT: dict[str, RGB] = {
    "red": (208, 32, 38),
    "orange": (242, 130, 22),
    "yellow": (248, 218, 40),
    "green": (40, 155, 62),
    "blue": (32, 82, 208),
    "purple": (128, 48, 168),
    "pink": (248, 140, 190),
    "brown": (118, 72, 36),
    "black": (26, 26, 30),
    "white": (246, 246, 243),
}
_JITTER = 14
_SIDES = {
    1: 0.74,
    2: 0.58,
    3: 0.43,
    4: 0.33,
}  # of an object's box, in picture heights, by the number of objects


def draw_scene(scene: Scene, size: tuple[int, int], seed: int) -> Image.Image:
    """Draw the scene as an RGB image of `size` (width, height) pixels. `seed` decides everything
    that the facts leave open.
    """
    rng = random.Random(seed)
    image = draw_backdrop(size, scene, rng)
    draw = ImageDraw.Draw(image)
    for pen, name in _pens(draw, size, scene, rng):
        SHAPES[name](pen)
    return draw_weather(image, scene, rng)


def _pens(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], scene: Scene, rng: random.Random
) -> list[tuple[Pen, str]]:
    """Return a pen for each object. The objects stand side by side in random order, each in its own
    column.
    """
    width, height = size
    objects = [
        (group, _paint(group.color, scene, rng))
        for group in scene.objects
        for _ in range(group.count)
    ]
    rng.shuffle(objects)
    column = width / len(objects)
    light = LIGHTS[scene.time].objects
    pens = []
    for place, (group, color) in enumerate(objects):
        side = min(_SIDES[len(objects)] * height, column) * rng.uniform(0.85, 1.0)
        left = place * column + rng.uniform(0, column - side)
        top = height * rng.uniform(0.95, 0.99) - side - rng.uniform(0.0, 0.16) * height
        outline = (165, 165, 170) if group.color == "black" else shade(color, 0.35)
        pens.append(
            (Pen(draw, left, top, side, color, outline, light, rng.random() < 0.5), group.name)
        )
    return pens


def _paint(color: str, scene: Scene, rng: random.Random) -> RGB:
    light = LIGHTS[scene.time].objects
    jitter = 5 if color in ("black", "white") else _JITTER
    red, green, blue = (
        max(0, min(255, round((channel + rng.uniform(-jitter, jitter)) * factor)))
        for channel, factor in zip(PAINT[color], light, strict=True)
    )
    return red, green, blue
