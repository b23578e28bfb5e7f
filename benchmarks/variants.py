"""Damaged variants of picture files: bits flipped, ends cut off, headers of other files. They are
the same at every run.
"""

import io
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

_MODES = ("RGB", "RGBA", "L", "P", "1", "I;16", "F", "CMYK")
_NOT_FILES = {"PDF", "EPS", "HDF5", "GRIB", "BUFR", "WMF", "FITS", "PALM"}
"""Formats that are not pictures, need another program or plugin, or are skipped by a scan."""


def small_pictures() -> dict[str, bytes]:
    """Return, by name with extension, a small picture in every format that Pillow writes, in every
    mode that the format takes.
    """
    Image.init()
    rough = Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)).resize(
        (60, 44)
    )
    extensions: dict[str, str] = {}
    for extension, name in Image.EXTENSION.items():
        extensions.setdefault(name, extension)
    found: dict[str, bytes] = {}
    for format_ in sorted(Image.SAVE.keys() & extensions.keys() - _NOT_FILES):
        for mode in _MODES:
            file = io.BytesIO()
            with suppress(Exception):  # what the format does not take
                _converted(rough, mode).save(file, format_)
                found[f"{mode.replace(';', '')}{extensions[format_]}"] = file.getvalue()
    return found


def _converted(image: Image.Image, mode: str) -> Image.Image:
    return (
        Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        if mode == "I;16"
        else image.convert(mode)
    )


def damaged(files: dict[str, bytes], count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Return `count` names and contents of damaged variants, with every way of damaging and every
    file in turn.
    """
    chance = random.Random(seed)
    names = sorted(files)
    for number in range(count):
        name = names[number % len(names)]
        whole, other = files[name], files[chance.choice(names)]
        damage = (_flip, _cut, _splice, _blot)[number // len(names) % 4]
        yield f"{number:05}-{damage.__name__[1:]}-{Path(name).name}", damage(whole, other, chance)


def _flip(whole: bytes, other: bytes, chance: random.Random) -> bytes:
    """Flip up to 16 bits, half of the time near the beginning, where headers are."""
    changed = bytearray(whole)
    within = len(changed) if chance.random() < 0.5 else min(len(changed), 200)
    for _ in range(chance.randint(1, 16)):
        changed[chance.randrange(within)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(whole: bytes, other: bytes, chance: random.Random) -> bytes:
    return whole[: chance.randrange(len(whole))]


def _splice(whole: bytes, other: bytes, chance: random.Random) -> bytes:
    """Put the beginning of another file before the rest of this one."""
    at = chance.randint(4, max(5, min(len(other), len(whole), 400)))
    return other[:at] + whole[at:]


def _blot(whole: bytes, other: bytes, chance: random.Random) -> bytes:
    """Overwrite a run of up to 64 bytes with noise, or with 0 or 255, as lost sectors are."""
    at, length = chance.randrange(len(whole)), chance.randint(1, 64)
    blot = chance.choice([b"\0" * length, b"\xff" * length, chance.randbytes(length)])
    return whole[:at] + blot + whole[at + length :]


def write_damaged(
    folder: Path, files: dict[str, bytes], count: int, seed: int = 0
) -> Sequence[Path]:
    """Write `count` variants into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in damaged(files, count, seed):
        (folder / name).write_bytes(content)
        paths.append(folder / name)
    return paths
