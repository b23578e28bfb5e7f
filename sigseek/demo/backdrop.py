"""Draws what is behind and in front of the objects: sky, light, place and weather."""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from sigseek.demo.pen import RGB, Point, blend, shade
from sigseek.demo.scene import Scene

HORIZON = 0.56


@dataclass(frozen=True)
class Light:
    """A time of day: the sky's colours from the top to the horizon, and the factors by channel with
    which its light dims the ground and the objects.
    """

    top: RGB
    bottom: RGB
    ground: tuple[float, float, float]
    objects: tuple[float, float, float]


LIGHTS = {
    "at dawn": Light((150, 150, 215), (255, 205, 205), (0.82, 0.74, 0.86), (0.95, 0.9, 0.97)),
    "at noon": Light((70, 150, 235), (190, 225, 250), (1.0, 1.0, 1.0), (1.0, 1.0, 1.0)),
    "at sunset": Light((120, 50, 110), (255, 130, 40), (0.85, 0.6, 0.5), (1.0, 0.88, 0.8)),
    "at night": Light((5, 8, 30), (25, 32, 75), (0.3, 0.32, 0.48), (0.72, 0.72, 0.82)),
}
GROUNDS: dict[str, RGB] = {
    "by the sea": (45, 120, 175),
    "in the mountains": (125, 130, 110),
    "in a forest": (50, 95, 50),
    "in a city": (115, 115, 120),
    "in the desert": (225, 185, 115),
    "in a meadow": (125, 190, 75),
}
GREY_SKY: RGB = (165, 170, 178)
FOG: RGB = (205, 208, 212)


def draw_backdrop(size: tuple[int, int], scene: Scene, rng: random.Random) -> Image.Image:
    """Draw the scene without its objects, as an RGB image of `size` (width, height)."""
    light = LIGHTS[scene.time]
    image = _sky(size, scene, light)
    draw = ImageDraw.Draw(image)
    _celestial(draw, size, scene, rng)
    if scene.weather != "in clear weather":
        _clouds(draw, size, scene, light, rng)
    ground = _lit(GROUNDS[scene.place], light.ground)
    if scene.weather == "in the snow" and scene.place != "by the sea":
        ground = blend(ground, _lit((240, 244, 250), light.ground), 0.65)
    width, height = size
    draw.rectangle((0, HORIZON * height, width, height), ground)
    PLACES[scene.place](draw, size, light, rng)
    if scene.weather == "in the fog":
        fog = Image.new("RGB", size, _lit(FOG, light.objects))
        image = Image.blend(image, fog, 0.52)
    return image


def draw_weather(image: Image.Image, scene: Scene, rng: random.Random) -> Image.Image:
    """Draw rain, snow or fog in front of everything."""
    width, height = image.size
    draw = ImageDraw.Draw(image)
    light = LIGHTS[scene.time]
    if scene.weather == "in the rain":
        slant = rng.uniform(-0.03, 0.03)
        for _ in range(110):
            x, y = rng.uniform(0, width), rng.uniform(-0.1, 1) * height
            length = rng.uniform(0.06, 0.11) * height
            color = _lit((205, 218, 235), light.objects)
            draw.line((x, y, x + slant * width, y + length), color, max(1, round(0.0045 * width)))
    elif scene.weather == "in the snow":
        for _ in range(130):
            x, y, radius = (
                rng.uniform(0, width),
                rng.uniform(0, height),
                rng.uniform(0.005, 0.011) * width,
            )
            draw.ellipse(
                (x - radius, y - radius, x + radius, y + radius),
                _lit((252, 253, 255), light.objects),
            )
    elif scene.weather == "in the fog":
        return Image.blend(image, Image.new("RGB", image.size, _lit(FOG, light.objects)), 0.22)
    return image


def _lit(color: RGB, light: tuple[float, float, float]) -> RGB:
    red, green, blue = (
        round(channel * factor) for channel, factor in zip(color, light, strict=True)
    )
    return red, green, blue


def _sky(size: tuple[int, int], scene: Scene, light: Light) -> Image.Image:
    grey = {
        "in clear weather": 0.0,
        "in cloudy weather": 0.4,
        "in the rain": 0.55,
        "in the snow": 0.45,
        "in the fog": 0.3,
    }
    share = grey[scene.weather]
    overcast = _lit(GREY_SKY, light.ground)
    top, bottom = blend(light.top, overcast, share), blend(light.bottom, overcast, share)
    width, height = size
    down = np.linspace(0, 1 / HORIZON, height)[:, None].clip(0, 1)
    column = np.asarray(top) + (np.asarray(bottom) - np.asarray(top)) * down
    return Image.fromarray(column.round().astype(np.uint8)[:, None, :]).resize((width, height))


def _celestial(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], scene: Scene, rng: random.Random
) -> None:
    if scene.weather != "in clear weather":
        return
    width, height = size
    x, radius = rng.uniform(0.1, 0.9) * width, 0.05 * width
    y = {"at dawn": 0.5, "at noon": 0.12, "at sunset": 0.48, "at night": 0.13}[scene.time] * height
    disc = {
        "at dawn": (255, 235, 200),
        "at noon": (255, 245, 150),
        "at sunset": (255, 225, 90),
        "at night": (240, 240, 225),
    }
    if scene.time == "at night":
        for _ in range(45):
            a, b, r = (
                rng.uniform(0, width),
                rng.uniform(0, HORIZON * height),
                rng.uniform(0.002, 0.004) * width,
            )
            draw.ellipse((a - r, b - r, a + r, b + r), (235, 235, 220))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), disc[scene.time])


def _clouds(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], scene: Scene, light: Light, rng: random.Random
) -> None:
    width, height = size
    dark = scene.weather == "in the rain"
    color = _lit(
        (140, 143, 152) if dark else (232, 234, 238),
        light.objects if scene.time != "at night" else light.ground,
    )
    for _ in range(7 if dark else 5):
        x, y = rng.uniform(-0.05, 0.95) * width, rng.uniform(0.0, 0.24) * height
        for _ in range(4):
            a, b = x + rng.uniform(-0.09, 0.09) * width, y + rng.uniform(-0.02, 0.03) * height
            r = rng.uniform(0.04, 0.075) * width
            draw.ellipse((a - 1.5 * r, b - 0.6 * r, a + 1.5 * r, b + 0.6 * r), color)


def _sea(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], light: Light, rng: random.Random
) -> None:
    width, height = size
    foam = _lit((150, 200, 225), light.ground)
    for _ in range(26):
        x, y, length = (
            rng.uniform(-0.1, 1) * width,
            rng.uniform(HORIZON + 0.02, 0.86) * height,
            rng.uniform(0.06, 0.16) * width,
        )
        draw.line((x, y, x + length, y), foam, max(1, round(0.006 * height)))
    sand = _lit((232, 208, 150), light.ground)
    draw.polygon(
        [
            (0, 0.88 * height),
            (width, rng.uniform(0.84, 0.92) * height),
            (width, height),
            (0, height),
        ],
        sand,
    )


def _mountains(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], light: Light, rng: random.Random
) -> None:
    width, height = size
    rock, snow = _lit((105, 105, 125), light.ground), _lit((240, 243, 250), light.ground)
    for step in range(4):
        x, y = (step / 3 + rng.uniform(-0.1, 0.1)) * width, rng.uniform(0.16, 0.3) * height
        half, foot = rng.uniform(0.2, 0.28) * width, HORIZON * height
        draw.polygon(
            [(x - half, foot), (x, y), (x + half, foot)], shade(rock, rng.uniform(0.85, 1.15))
        )
        cap = 0.3
        draw.polygon(
            [
                (x - half * cap, y + (foot - y) * cap),
                (x, y),
                (x + half * cap, y + (foot - y) * cap),
            ],
            snow,
        )


def _forest(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], light: Light, rng: random.Random
) -> None:
    width, height = size
    trunk = _lit((80, 55, 35), light.ground)
    for step in range(11):
        x = (step / 10 + rng.uniform(-0.03, 0.03)) * width
        foot, half = (HORIZON + rng.uniform(0.0, 0.05)) * height, rng.uniform(0.055, 0.08) * width
        top = rng.uniform(0.12, 0.26) * height
        green = _lit(shade((30, 85, 45), rng.uniform(0.8, 1.25)), light.ground)
        draw.rectangle(
            (x - 0.01 * width, foot - 0.05 * height, x + 0.01 * width, foot + 0.03 * height), trunk
        )
        for level in range(3):
            low = foot - level * (foot - top) * 0.28
            high, wide = low - (foot - top) * 0.45, half * (1 - 0.22 * level)
            draw.polygon([(x - wide, low), (x, high), (x + wide, low)], green)


def _city(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], light: Light, rng: random.Random
) -> None:
    width, height = size
    window = (255, 225, 120) if light is LIGHTS["at night"] else _lit((175, 195, 215), light.ground)
    x = -0.02
    while x < 1:
        wide, top = rng.uniform(0.09, 0.16), rng.uniform(0.1, 0.36)
        wall = _lit(shade((135, 135, 145), rng.uniform(0.7, 1.15)), light.ground)
        draw.rectangle(
            (x * width, top * height, (x + wide) * width, (HORIZON + 0.02) * height), wall
        )
        for row in range(int((HORIZON - top) / 0.07)):
            for column in range(3):
                a, b = (
                    (x + wide * (0.16 + 0.27 * column)) * width,
                    (top + 0.025 + row * 0.07) * height,
                )
                if rng.random() < 0.8:
                    draw.rectangle((a, b, a + wide * 0.15 * width, b + 0.035 * height), window)
        x += wide
    stripe = _lit((235, 235, 235), light.ground)
    for step in range(6):
        draw.rectangle(
            ((step / 6 + 0.03) * width, 0.9 * height, (step / 6 + 0.11) * width, 0.92 * height),
            stripe,
        )


def _desert(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], light: Light, rng: random.Random
) -> None:
    width, height = size
    for y, tone in ((HORIZON - 0.06, 0.9), (HORIZON + 0.1, 1.08), (HORIZON + 0.24, 0.95)):
        x, half = rng.uniform(0, 1) * width, rng.uniform(0.5, 0.8) * width
        sand = _lit(shade(GROUNDS["in the desert"], tone), light.ground)
        draw.ellipse((x - half, y * height, x + half, (y + 0.5) * height), sand)
    draw.rectangle((0, 0.86 * height, width, height), _lit(GROUNDS["in the desert"], light.ground))
    cactus = _lit((70, 120, 70), light.ground)
    for _ in range(2):
        x, foot = rng.uniform(0.04, 0.96) * width, (HORIZON + 0.06) * height
        thick = max(2, round(0.022 * width))
        draw.line((x, foot, x, foot - 0.24 * height), cactus, thick)
        elbow, hand = foot - 0.1 * height, foot - 0.18 * height
        arm: list[Point] = [(x, elbow), (x + 0.05 * width, elbow), (x + 0.05 * width, hand)]
        draw.line(arm, cactus, thick)


def _meadow(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], light: Light, rng: random.Random
) -> None:
    width, height = size
    for tone in (0.85, 1.1):
        x, half = rng.uniform(0.1, 0.9) * width, rng.uniform(0.4, 0.6) * width
        hill = _lit(shade(GROUNDS["in a meadow"], tone), light.ground)
        draw.ellipse(
            (x - half, (HORIZON - 0.09) * height, x + half, (HORIZON + 0.3) * height), hill
        )
    tuft = _lit((80, 150, 50), light.ground)
    for _ in range(28):
        x, y = rng.uniform(0, width), rng.uniform(HORIZON + 0.06, 0.98) * height
        for lean in (-0.008, 0.0, 0.008):
            draw.line(
                (x, y, x + lean * width, y - 0.035 * height), tuft, max(1, round(0.003 * width))
            )


PLACES = {
    "by the sea": _sea,
    "in the mountains": _mountains,
    "in a forest": _forest,
    "in a city": _city,
    "in the desert": _desert,
    "in a meadow": _meadow,
}
