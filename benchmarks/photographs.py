"""Pictures with the statistics of photographs, and what people do to photographs."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

SIZE = (640, 480)


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
