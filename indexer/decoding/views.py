"""The parts of a photo that a closer look embeds one by one."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from sigseek.siglip import Preprocessing

_SIZE = 0.8
"""The width and height of a part, as a share of the photo's."""
_PLACES = (0.0, 0.5, 1.0)
"""Where parts are, across and down: at one side, in the middle, and at the other side."""


def cut_views(photo: Image.Image, preprocessing: Preprocessing) -> npt.NDArray[np.uint8]:
    """Return pixels uint8 (9, height, width, 3) of overlapping parts of an upright RGB photo."""
    width, height = (max(1, round(_SIZE * side)) for side in photo.size)
    corners = [
        (round((photo.width - width) * across), round((photo.height - height) * down))
        for across in _PLACES
        for down in _PLACES
    ]
    return np.stack(
        [preprocessing.resize(photo.crop((x, y, x + width, y + height))) for x, y in corners]
    )
