"""Camera RAW: the preview that the camera put into the file, or the photo developed coarsely."""

from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import rawpy
from PIL import ExifTags, Image

from sigseek.indexer.decoding.brands import CANON_RAW, brands
from sigseek.indexer.decoding.cr3 import read_cr3
from sigseek.indexer.decoding.limits import LEAST_PREVIEW, PixelLimit
from sigseek.indexer.decoding.metadata import (
    SIDES_SWAPPED,
    Metadata,
    merged,
    metadata_of,
    read_metadata,
)
from sigseek.indexer.decoding.metadata_blocks import tiff_blocks
from sigseek.indexer.decoding.orientation import turned_upright
from sigseek.indexer.errors import DecodeError

_HEAD = 64
_DNG_VERSION = 50706
_COARSE = 16
"""The side, in pixels, of the pictures by which the preview is compared with the sensor."""
_LEAST_AGREEMENT = 0.8
"""The least rank correlation of a preview with the sensor. Of 20 drawings and photos, none had less
than 0.85 after edits of light and colour, and none more than 0.75 when turned by 180 degrees.
"""
_LEAST_CONTRAST = 0.02
_SRGB_GAMMA = (2.4, 12.92)
_ORIENTATION = {0: 1, 3: 3, 5: 8, 6: 6}  # EXIF's, by LibRaw's


def open_raw(file: BinaryIO, most: PixelLimit) -> tuple[Image.Image, Metadata, tuple[int, int]]:
    """Return the preview, the photo's metadata, and the photo's own width and height as shown.

    The preview is not decoded yet, and the orientation in the metadata is the one that it still has
    to be given. Raises DecodeError when the file is damaged or of a kind that LibRaw does not know,
    and what `most` raises when the photo has to be developed.
    """
    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            flip = raw.sizes.flip
            width, height = raw.sizes.width, raw.sizes.height
            size = (height, width) if _ORIENTATION.get(flip) in SIDES_SWAPPED else (width, height)
            image = _preview(raw)
            if image is not None and min(image.size) >= LEAST_PREVIEW:
                metadata = _metadata(file, image, flip, size)
                if not _is_dng(file) or _shows_the_shot(raw, metadata.orientation):
                    return image, metadata, size
            most.check(width, height)
            most.check_held(width, height)
            image = _developed(raw)
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        said = (
            error.args[0].decode("utf-8", "replace")
            if error.args and isinstance(error.args[0], bytes)
            else str(error)
        )
        raise DecodeError(
            f"damaged, or an unsupported kind of camera RAW ({said}); export it as JPEG"
        ) from error
    return image, _metadata(file, image, 0, size), size  # LibRaw turns it upright


def _is_dng(file: BinaryIO) -> bool:
    """Return whether the file is a DNG. Many programs write these, and some write a wrong
    preview.
    """
    file.seek(0)
    exif = Image.Exif()
    try:
        exif.load_from_fp(file)
        return _DNG_VERSION in exif
    except Exception:  # as in `_metadata`
        return False


def _shows_the_shot(raw: rawpy.RawPy, orientation: int) -> bool:
    """Return whether the preview, turned by its orientation, shows what the sensor saw. True where
    that cannot be told, as of an evenly grey picture.
    """
    sensor = _coarse_sensor_levels(raw)
    if sensor is None:
        return True
    try:
        preview = _preview(raw)
        if preview is None:
            return False
        preview.draft("L", (4 * _COARSE, 4 * _COARSE))
        levels = np.asarray(preview.convert("L").resize((_COARSE, _COARSE), Image.Resampling.BOX))
    except Exception:  # whatever damaged JPEGs make Pillow raise
        return False
    shown = np.asarray(turned_upright(Image.fromarray(levels), orientation))
    first, second = (np.argsort(np.argsort(levels, axis=None)) for levels in (sensor, shown))
    return float(np.corrcoef(first, second)[0, 1]) >= _LEAST_AGREEMENT


def _coarse_sensor_levels(raw: rawpy.RawPy) -> npt.NDArray[np.float32] | None:
    """Return the levels of the sensor, upright, as (_COARSE, _COARSE); None where they tell
    nothing.
    """
    try:
        levels = raw.raw_image_visible
    except (rawpy.LibRawError, rawpy.NotSupportedError):
        return None
    if levels is None or levels.ndim != 2 or min(levels.shape) < 2 * _COARSE:
        return None
    # Even steps, so that every part has as many pixels of each colour.
    down, across = (2 * (side // (2 * _COARSE)) for side in levels.shape)
    parts = levels[: down * _COARSE, : across * _COARSE]
    coarse = parts.reshape(_COARSE, down, _COARSE, across).mean(axis=(1, 3), dtype=np.float32)
    if coarse.std() <= _LEAST_CONTRAST * coarse.mean():
        return None
    orientation = _ORIENTATION.get(raw.sizes.flip, 1)
    return np.asarray(turned_upright(Image.fromarray(coarse), orientation))


def read_raw_metadata(file: BinaryIO) -> Metadata:
    """Return the photo's metadata alone, for which nothing is developed. Raises DecodeError as
    `open_raw`.
    """
    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            preview = _preview(raw) or Image.new("L", (1, 1))
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        raise DecodeError("damaged, or an unsupported kind of camera RAW") from error
    return _metadata(file, preview, 0, (1, 1))


def _developed(raw: rawpy.RawPy) -> Image.Image:
    """Return the photo at half its size, in sRGB; in grey where the sensor sees no colours."""
    developed = raw.postprocess(half_size=True, use_camera_wb=True, gamma=_SRGB_GAMMA)
    return Image.fromarray(developed[..., 0] if developed.shape[-1] == 1 else developed)


def _preview(raw: rawpy.RawPy) -> Image.Image | None:
    """Return the largest picture in the file that can be used, or None."""
    try:
        thumb = raw.extract_thumb()
        if isinstance(thumb.data, bytes):
            return Image.open(BytesIO(thumb.data), formats=["JPEG"])
        return Image.fromarray(thumb.data)
    except (rawpy.LibRawError, rawpy.NotSupportedError, OSError, TypeError, ValueError):
        return None


def _metadata(file: BinaryIO, preview: Image.Image, flip: int, size: tuple[int, int]) -> Metadata:
    """Return the metadata of the file itself, where it is laid out as TIFF or is Canon's CR3.

    What is missing there is taken from the preview, and the orientation from LibRaw.
    """
    file.seek(0)
    canon = CANON_RAW in brands(file.read(_HEAD))
    file.seek(0)
    exif = Image.Exif()
    try:
        if canon:
            own = metadata_of(read_cr3(file))
        else:
            exif.load_from_fp(file)
            own = metadata_of(tiff_blocks(exif))
    except Exception:  # Pillow raises many kinds for what is no TIFF
        own = Metadata()
    other = read_metadata(preview)
    turned = _ORIENTATION.get(flip, 1)
    noted = other.orientation if _notes_orientation(preview) else turned
    orientation = _orientation(preview.size, (noted, turned), size)
    return replace(merged(own, other), orientation=orientation)


def _notes_orientation(preview: Image.Image) -> bool:
    try:
        return ExifTags.Base.Orientation in preview.getexif()
    except Exception:  # as in read_metadata
        return False


def _orientation(
    preview: tuple[int, int], candidates: tuple[int, int], size: tuple[int, int]
) -> int:
    """Return the orientation that the preview has to be given: its own, or the photo's, or none if
    it was stored upright.

    Not every program keeps these in step. The first is taken that puts the longer side where the
    photo has it.
    """
    is_wide = size[0] >= size[1]
    for orientation in candidates:
        width, height = preview[::-1] if orientation in SIDES_SWAPPED else preview
        if (width >= height) == is_wide:
            return orientation
    return 1
