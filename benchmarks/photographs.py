"""Pictures with the statistics of photographs, and what people do to photographs."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SIZE = (640, 480)
_VISIBLE = 15.0
"""How many levels a place must differ by, on average, for a change of it to show."""
_TRIES = 20
"""Places that are tried for a change that shows."""


def photograph(seed: int, size: tuple[int, int] = SIZE, moved: int = 0) -> Image.Image:
    """Return a picture with the spectrum of a photograph and things in it, another for each seed.

    With `moved`, the things have moved by so many pixels, each in its own direction, as in the next
    shot of a burst, and the ground a little.
    """
    rng = np.random.default_rng(seed)
    ground = _ground(rng, (size[0] + 64, size[1] + 64))
    left, top = 32 + moved // 8, 32 + moved // 12
    image = ground.crop((left, top, left + size[0], top + size[1]))
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        width, height = rng.uniform(20, 150, 2)
        angle = rng.uniform(0, 2 * np.pi)
        x, y = x + moved * np.cos(angle), y + moved * np.sin(angle)
        color = tuple(int(level) for level in rng.integers(0, 256, 3))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x - width / 2, y - height / 2, x + width / 2, y + height / 2), fill=color)
    return image.filter(ImageFilter.GaussianBlur(1))


def _ground(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Return noise in which a frequency is the weaker the higher it is."""
    width, height = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    shared = rng.standard_normal((height, width))
    planes = []
    for _ in range(3):
        noise = 0.8 * shared + 0.2 * rng.standard_normal((height, width))
        plane = np.fft.irfft2(np.fft.rfft2(noise) / frequency**1.2, (height, width))
        planes.append((plane - plane.mean()) / plane.std())
    levels = 120 + 50 * np.stack(planes, axis=2)
    return Image.fromarray(levels.clip(0, 255).astype(np.uint8))


def coded(image: Image.Image, kind: str, **options: object) -> Image.Image:
    """Return the picture as it comes back from a file."""
    content = BytesIO()
    image.save(content, kind, **options)
    return Image.open(content).convert("RGB")


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Return the picture without this share of it at each side."""
    across, down = round(share * image.width), round(share * image.height)
    return image.crop((across, down, image.width - across, image.height - down))


def framed(image: Image.Image, share: float, color: str = "white") -> Image.Image:
    """Return the picture with a border of this share of its width at each side."""
    return ImageOps.expand(image, round(share * image.width), color)


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """Return the picture turned, with black corners."""
    return image.rotate(degrees, Image.Resampling.BICUBIC)


def marked(image: Image.Image) -> Image.Image:
    """Return the picture with a watermark across it."""
    layer = Image.new("RGBA", image.size)
    ImageDraw.Draw(layer).text(
        (image.width / 2, image.height / 2), "SAMPLE", (255, 255, 255, 110),
        font_size=image.width / 6, anchor="mm",
    )  # fmt: skip
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def captioned(image: Image.Image) -> Image.Image:
    """Return the picture with words over its lower part."""
    copy = image.copy()
    draw = ImageDraw.Draw(copy)
    for number, words in enumerate(("SUMMER HOLIDAYS", "at the lake")):
        draw.text(
            (image.width / 2, image.height * (0.75 + 0.14 * number)), words, "white",
            font_size=image.width / 12, anchor="mm", stroke_width=3, stroke_fill="black",
        )  # fmt: skip
    return copy


def screenshot(image: Image.Image) -> Image.Image:
    """Return a telephone's screen that shows the picture between bars with letters."""
    width = 540
    shown = image.resize((width, round(width * image.height / image.width)))
    screen = Image.new("RGB", (width, max(960, shown.height + 240)), (24, 24, 28))
    screen.paste(shown, (0, (screen.height - shown.height) // 2))
    draw = ImageDraw.Draw(screen)
    draw.text((20, 12), "12:30", "white", font_size=24)
    draw.text((width - 20, 12), "87%", "white", font_size=24, anchor="ra")
    draw.text((width / 2, 70), "Photos", "white", font_size=30, anchor="ma")
    for place in (0.2, 0.5, 0.8):
        x, y = place * width, screen.height - 50
        draw.ellipse((x - 16, y - 16, x + 16, y + 16), outline="white", width=3)
    return screen


def noisy(image: Image.Image) -> Image.Image:
    """Return the picture with the noise of a dark scene."""
    noise = np.random.default_rng(5).normal(0, 15, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def brightened(image: Image.Image) -> Image.Image:
    """Return the picture with a gamma of 1.6."""
    levels = (255 * (np.arange(256) / 255) ** (1 / 1.6)).astype(np.uint8).tolist()
    return image.point(levels * 3)


def smaller(image: Image.Image, factor: float) -> Image.Image:
    """Return the picture resized by the factor."""
    return image.resize((round(image.width * factor), round(image.height * factor)))


def first_shot(scene: Image.Image) -> Image.Image:
    """Return the photograph of a scene, which goes on a little beyond its edges."""
    return cropped(scene, 0.08)


def second_shot(image: Image.Image, seed: int) -> Image.Image:
    """Return what the next shot of the scene from the hand would show: the frame moved and turned a
    little, and a part of the scene moved.
    """
    rng = np.random.default_rng(seed)
    scene = image.copy()
    width, height = image.width // 4, image.height // 4
    x, y = (int(rng.uniform(0.1, 0.6) * side) for side in image.size)
    thing = image.crop((x, y, x + width, y + height))
    across, down = (int(rng.choice([-1, 1]) * rng.uniform(0.04, 0.08) * s) for s in image.size)
    scene.paste(thing, (x + across, y + down))
    scene = scene.rotate(rng.uniform(-1.5, 1.5), Image.Resampling.BICUBIC)
    left, top = (round(0.08 * side) for side in image.size)
    x, y = (round(rng.choice([-1, 1]) * rng.uniform(0.03, 0.06) * side) for side in image.size)
    scene = scene.crop((left + x, top + y, image.width - left + x, image.height - top + y))
    return noisy(ImageEnhance.Brightness(scene).enhance(rng.uniform(0.9, 1.1)))


def moved_thing(scene: Image.Image, side: float, rng: np.random.Generator) -> Image.Image:
    """Return the scene in which a thing has moved whose width and height are this share of the
    scene's.
    """

    def once() -> Image.Image:
        box = _somewhere(scene.size, side, rng)
        thing = scene.crop(box)
        across, down = (rng.choice([-1, 1]) * rng.uniform(0.04, 0.08) * s for s in scene.size)
        return _with_thing(scene, thing, round(box[0] + across), round(box[1] + down))

    return _visibly(scene, side, once)


def come_in(
    scene: Image.Image, another: Image.Image, side: float, rng: np.random.Generator
) -> Image.Image:
    """Return the scene into which a thing of another photograph has come, whose width and height
    are this share of the scene's.
    """
    width, height = another.size
    middle = another.crop((width // 4, height // 4, 3 * width // 4, 3 * height // 4))

    def once() -> Image.Image:
        left, top, right, bottom = _somewhere(scene.size, side, rng)
        thing = middle.resize((right - left, bottom - top))
        return _with_thing(scene, thing, left, top)

    return _visibly(scene, side, once)


def other_light(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the scene with the shadow of a cloud over a part of it."""
    x, y = (np.linspace(-1, 1, side) for side in scene.size)
    across, down = rng.uniform(-0.6, 0.6, 2)
    shade = np.exp(-((x - across) ** 2 + (y[:, None] - down) ** 2) / 0.25)
    levels = np.asarray(scene) * (1 - 0.25 * shade)[:, :, None]
    return Image.fromarray(levels.astype(np.uint8))


def tripod_shot(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return another exposure of what a camera on a tripod sees: with noise of its own, a little
    brighter or darker, and saved again.
    """
    brighter = ImageEnhance.Brightness(scene).enhance(rng.uniform(0.95, 1.05))
    noise = rng.normal(0, 4, (scene.height, scene.width, 3))
    levels = (np.asarray(brighter) + noise).clip(0, 255).astype(np.uint8)
    return coded(Image.fromarray(levels), "JPEG", quality=90)


def _somewhere(
    size: tuple[int, int], side: float, rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Return a box within a picture, and this share of its width and height."""
    width, height = (round(side * whole) for whole in size)
    left, top = (round(rng.uniform(0.17, 0.83 - side) * whole) for whole in size)
    return left, top, left + width, top + height


def _with_thing(scene: Image.Image, thing: Image.Image, left: int, top: int) -> Image.Image:
    """Return the scene with a thing at this place, whose edges are soft."""
    mask = Image.new("L", thing.size)
    margin = max(1, min(thing.size) // 12)
    box = (margin, margin, thing.width - margin - 1, thing.height - margin - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, 3 * margin, 255)
    shown = scene.copy()
    shown.paste(thing, (left, top), mask.filter(ImageFilter.GaussianBlur(margin / 2)))
    return shown


def _visibly(scene: Image.Image, side: float, once: Callable[[], Image.Image]) -> Image.Image:
    """Return the first of some changed scenes in which the change of such a thing shows, or else
    the one in which it shows the most. A wall that moves before a wall does not show.
    """
    found, most = scene, 0.0
    for _ in range(_TRIES):
        changed = once()
        left = ImageChops.difference(scene, changed).convert("L").resize((64, 64))
        shown = float(np.asarray(left, np.float64).mean()) / side**2
        if shown > most:
            found, most = changed, shown
        if most >= _VISIBLE:
            break
    return found


ATTACKS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 95": lambda image: coded(image, "JPEG", quality=95),
    "JPEG 50": lambda image: coded(image, "JPEG", quality=50),
    "JPEG 20": lambda image: coded(image, "JPEG", quality=20),
    "half size": lambda image: smaller(image, 0.5),
    "tenth size": lambda image: smaller(image, 0.1),
    "crop 5%": lambda image: cropped(image, 0.05),
    "crop 15%": lambda image: cropped(image, 0.15),
    "border 5%": lambda image: framed(image, 0.05),
    "border 20%": lambda image: framed(image, 0.2),
    "turned 2 degrees": lambda image: turned(image, 2),
    "turned 4 degrees": lambda image: turned(image, 4),
    "turned 90 degrees": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "mirrored": ImageOps.mirror,
    "grey": lambda image: image.convert("L").convert("RGB"),
    "gamma": brightened,
    "blur": lambda image: image.filter(ImageFilter.GaussianBlur(image.width / 200)),
    "noise": noisy,
    "watermark": marked,
    "text": captioned,
    "screenshot": screenshot,
    "WebP 20": lambda image: coded(image, "WEBP", quality=20),
    "AVIF 20": lambda image: coded(image, "AVIF", quality=20),
    "crop 5%, JPEG 50": lambda image: coded(cropped(image, 0.05), "JPEG", quality=50),
    "half size, mirrored": lambda image: ImageOps.mirror(smaller(image, 0.5)),
    "border 5%, brighter": lambda image: ImageEnhance.Brightness(framed(image, 0.05)).enhance(1.2),
}
"""What becomes of photographs, by name."""

Tripod = Callable[[Image.Image, Image.Image, np.random.Generator], Image.Image]
"""A function of a scene, of another photograph and of chance."""
TRIPOD: dict[str, Tripod] = {
    "a sixteenth moved": lambda scene, _, rng: moved_thing(scene, 1 / 4, rng),
    "a 64th moved": lambda scene, _, rng: moved_thing(scene, 1 / 8, rng),
    "a sixteenth came in": lambda scene, another, rng: come_in(scene, another, 1 / 4, rng),
    "a 64th came in": lambda scene, another, rng: come_in(scene, another, 1 / 8, rng),
    "a 256th came in": lambda scene, another, rng: come_in(scene, another, 1 / 16, rng),
    "other light": lambda scene, _, rng: other_light(scene, rng),
}
"""What changes in a scene between two shots from a tripod, by name."""
