"""Colours of other profiles turned into sRGB, which is what image towers were trained on."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_MODES = ("RGB", "RGBA", "L", "CMYK")
_UNSEEN = 2
"""Levels of 256: a profile that moves no colour further than that is sRGB, whoever wrote it."""


def to_srgb(image: Image.Image, profile: bytes, least: tuple[int, int] | None) -> Image.Image:
    """The image as RGB or RGBA in sRGB; itself where its profile is sRGB's, broken, or another
    mode's, or its mode has none.

    With `least`, what is converted may be reduced first, to not less than that width and height.
    """
    if image.has_transparency_data:
        image = image.convert("RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    if image.mode not in _MODES:
        return image
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    transform = _transform(profile, "RGB" if alpha else image.mode)
    if transform is None:
        return image
    factor = min(image.width // least[0], image.height // least[1]) if least and not alpha else 1
    if factor > 1:
        image = image.reduce(factor)
    converted = ImageCms.applyTransform(image.convert("RGB") if alpha else image, transform)
    if converted is None:
        return image
    if alpha:
        converted.putalpha(alpha)
    return converted


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From the profile to sRGB; None where there is nothing to be done or nothing that can be
    done.
    """
    try:
        transform = ImageCms.buildTransform(
            BytesIO(profile), ImageCms.createProfile("sRGB"), mode, "RGB"
        )
        if mode not in ("RGB", "L"):
            return transform
        probe = _probe(mode)
        moved = np.asarray(ImageCms.applyTransform(probe, transform), np.int16) - np.asarray(
            probe.convert("RGB"), np.int16
        )
    except Exception:  # profiles come from anywhere, and a broken one costs its colours only
        return None
    return transform if np.abs(moved).max() > _UNSEEN else None


def _probe(mode: str) -> Image.Image:
    """Colours from all over the cube, or all greys."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    return Image.fromarray(
        np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    )
