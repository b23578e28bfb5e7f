"""Colours of other profiles converted to sRGB, which image towers were trained on."""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_MODES = ("RGB", "RGBA", "L", "CMYK")
_UNSEEN = 2
"""A profile that moves no colour by more than these levels, of 256, counts as sRGB."""


def to_srgb(image: Image.Image, profile: bytes, least: tuple[int, int] | None) -> Image.Image:
    """Return the image as RGB or RGBA in sRGB. It is returned as it is when its profile is sRGB's,
    broken, or of another mode.

    With `least`, the image may be reduced first, to not less than that width and height.
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
    """Return the transform from the profile to sRGB; None when it is not needed or not possible."""
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
    """Return a small image with colours from all over the RGB cube, or with all greys."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    return Image.fromarray(
        np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    )
