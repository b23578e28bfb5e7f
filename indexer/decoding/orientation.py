"""Pictures turned upright as EXIF's orientation says."""

from PIL import Image

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turned_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return the image turned, or as it is where the orientation is 1 or none of EXIF's."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
