"""Photo files made for a test."""

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageDraw


def picture(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """A smooth picture with no symmetry, another for each seed."""
    rough = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)


def save(path: Path, seed: int = 0, **options: object) -> Path:
    """The picture of that seed at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed).save(path, **options)  # type: ignore[arg-type]
    return path


def exif(**tags: object) -> Image.Exif:
    """EXIF with these tags of the base, Exif and GPS directories, by name."""
    made = Image.Exif()
    for name, value in tags.items():
        if hasattr(ExifTags.GPS, name):
            made.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS[name]] = value
        elif name.startswith(("DateTimeOriginal", "OffsetTime")):
            made.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base[name]] = value
        else:
            made[ExifTags.Base[name]] = value
    return made


def letter_f(size: int = 60) -> Image.Image:
    """An F: whatever way it is turned or mirrored, it looks different."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    unit = size // 6
    draw.rectangle((unit, unit, 2 * unit, 5 * unit), "black")
    draw.rectangle((unit, unit, 5 * unit, 2 * unit), "red")
    draw.rectangle((unit, 3 * unit, 4 * unit, 3.5 * unit), "blue")
    return image
