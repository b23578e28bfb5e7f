"""Decoding: from a photo's file to the pixels that an image tower takes."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from sigseek.indexer.decoding.damage import is_disk_error, load
from sigseek.indexer.decoding.formats import REFUSED_FORMATS
from sigseek.indexer.decoding.hash import picture_hash
from sigseek.indexer.decoding.jpeg_copy import jpeg_of
from sigseek.indexer.decoding.limits import PixelLimit, default_max_pixels
from sigseek.indexer.decoding.metadata import (
    SIDES_SWAPPED,
    Metadata,
    dated_by_name,
    read_metadata,
)
from sigseek.indexer.decoding.opening import OpenedPicture, open_picture
from sigseek.indexer.decoding.orientation import turned_upright
from sigseek.indexer.decoding.views import cut_views
from sigseek.indexer.errors import (
    DecodeError,
    LargePhotoError,
    TooLargeError,
    UnsupportedError,
)
from sigseek.siglip import Preprocessing
from sigseek.storage.records.hashes import HashRecord

_Out = TypeVar("_Out")

_HEADROOM = 2
"""How many times the wanted size is decoded at least. A JPEG decoder can leave out the finest
detail and be several times faster, but with less headroom the resizing filter misses what it would
have seen (41 dB at 1, 55 dB at 2).
"""

_HASHED = (512, 512)
"""The size from which a picture is hashed when nothing else is wanted of it."""
_WIDE_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")


@dataclass(frozen=True)
class DecodedPhoto:
    """A photo ready for the image tower."""

    pixels: npt.NDArray[np.uint8]
    """Pixels (height, width, 3) of the checkpoint's input size."""
    width: int
    """The width of the photo itself, as shown."""
    height: int
    format: str
    metadata: Metadata
    hash: HashRecord
    """What is kept of the picture to find it again in another form."""
    damaged: bool = False
    """Whether a part of the picture could not be decoded."""
    thumbnail: bytes | None = None
    """The photo as a small JPEG, if it was asked for and enough was decoded."""


def decode_photo(
    path: Path,
    preprocessing: Preprocessing,
    max_pixels: int | None = None,
    max_held: int | None = None,
    thumbnail: int | None = None,
) -> DecodedPhoto:
    """Return the photo in the file, upright, in RGB, resized for the checkpoint.

    Of several frames it is the first, and transparency becomes white. A JPEG is decoded at a
    fraction of its size where that leaves enough; docs/speed.md tells what it costs. With
    `thumbnail`, it is also returned as a JPEG whose longer side has at most so many pixels, unless
    what the checkpoint needs was decoded smaller than that.

    Raises TooLargeError for a picture of more than `max_pixels`, by default what fits into half
    of the memory, LargePhotoError when the decoder would hold more than `max_held` pixels at once,
    DecodeError for whatever is wrong with the content, and OSError when the file cannot be read.
    """
    least = (_HEADROOM * preprocessing.width, _HEADROOM * preprocessing.height)
    most = PixelLimit(max_pixels or default_max_pixels(), max_held)

    def decoded(picture: OpenedPicture) -> DecodedPhoto:
        image = picture.image
        full = image.size
        image.draft(None, least)
        reduced = image.size != full
        # A progressive JPEG is held whole, however reduced.
        most.check_held(*(full if image.info.get("progressive") else image.size))
        rgb, metadata, damaged = _upright_rgb(picture, least)
        pixels = preprocessing.resize(rgb)
        # The embedding must not depend on whether a thumbnail is wanted: no more is decoded for it.
        enough = thumbnail and max(rgb.size) >= min(thumbnail, max(full))
        if not reduced:
            full = image.size  # once more: Pillow turns a TIFF when it loads it
        width, height = picture.size or (
            full[::-1] if metadata.orientation in SIDES_SWAPPED else full
        )
        return DecodedPhoto(
            pixels,
            width,
            height,
            picture.format,
            dated_by_name(metadata, path),
            picture_hash(rgb, several_pictures=picture.several_pictures),
            damaged,
            jpeg_of(rgb, thumbnail) if enough else None,
        )

    return _read(path, decoded, most)


def decode_views(
    path: Path,
    preprocessing: Preprocessing,
    max_pixels: int | None = None,
    max_held: int | None = None,
) -> npt.NDArray[np.uint8]:
    """Return pixels uint8 (views, height, width, 3) of the parts that `cut_views` makes.

    Raises as `decode_photo` does.
    """
    least = (_HEADROOM * preprocessing.width, _HEADROOM * preprocessing.height)
    most = PixelLimit(max_pixels or default_max_pixels(), max_held)

    def cut(picture: OpenedPicture) -> npt.NDArray[np.uint8]:
        image = picture.image
        full = image.size
        image.draft(None, least)
        most.check_held(*(full if image.info.get("progressive") else image.size))
        return cut_views(_upright_rgb(picture, least)[0], preprocessing)

    return _read(path, cut, most)


def decode_hash(path: Path, max_pixels: int, max_held: int | None = None) -> HashRecord:
    """Return what is kept of the photo in the file to find it again in another form.

    Raises as `decode_photo` does.
    """
    most = PixelLimit(max_pixels, max_held)

    def hashed(picture: OpenedPicture) -> HashRecord:
        image = picture.image
        full = image.size
        image.draft(None, _HASHED)
        most.check_held(*(full if image.info.get("progressive") else image.size))
        rgb = _upright_rgb(picture, _HASHED)[0]
        return picture_hash(rgb, several_pictures=picture.several_pictures)

    return _read(path, hashed, most)


def decode_jpeg(
    path: Path, longest: int | None, max_pixels: int, max_held: int | None = None
) -> bytes:
    """Return a JPEG of the photo in the file, upright and in sRGB. Its longer side has at most
    `longest` pixels; None stands for the photo's own size.

    Raises as `decode_photo` does.
    """
    most = PixelLimit(max_pixels, max_held)
    # upright it may be wider than high, or the other way round
    least = (_HEADROOM * longest, _HEADROOM * longest) if longest else None

    def encoded(picture: OpenedPicture) -> bytes:
        image = picture.image
        full = image.size
        if least:
            image.draft(None, least)
        most.check_held(*(full if image.info.get("progressive") else image.size))
        return jpeg_of(_upright_rgb(picture, least)[0], longest)

    return _read(path, encoded, most)


def _read(path: Path, use: Callable[[OpenedPicture], _Out], most: PixelLimit | None = None) -> _Out:
    """Return what `use` makes of the picture in the file. Every error of the decoders becomes a
    DecodeError.
    """
    most = most or PixelLimit(default_max_pixels())
    why_not = REFUSED_FORMATS.get(path.suffix.lower())
    with path.open("rb") as file:
        try:
            return use(open_picture(file, path.suffix.lower(), most))
        except (DecodeError, LargePhotoError):
            raise
        except UnidentifiedImageError as error:
            if os.fstat(file.fileno()).st_size == 0:
                raise DecodeError("the file is empty") from error
            if why_not:
                raise UnsupportedError(why_not) from error
            raise DecodeError("not a picture, or its header is damaged") from error
        except Image.DecompressionBombError as error:
            raise TooLargeError(f"too large: {most.limit}") from error
        except MemoryError as error:
            raise TooLargeError("too large for this machine's memory") from error
        except OSError as error:
            if is_disk_error(error):  # the file itself may be fine
                raise
            raise _undecodable(path, error) from error
        except Exception as error:  # damaged files make Pillow's plugins raise nearly anything
            raise _undecodable(path, error) from error


def _undecodable(path: Path, error: Exception) -> DecodeError:
    """Return the error to raise when a decoder failed on the file. It quotes the decoder where that
    was meant for people.
    """
    why_not = REFUSED_FORMATS.get(path.suffix.lower())
    if why_not:
        return UnsupportedError(why_not)
    said = f" ({_said(error)})" if isinstance(error, (OSError, SyntaxError, ValueError)) else ""
    return DecodeError(f"damaged, or an unsupported kind of {path.suffix[1:].upper()}{said}")


def _upright_rgb(
    picture: OpenedPicture, least: tuple[int, int] | None = None
) -> tuple[Image.Image, Metadata, bool]:
    """Return the picture as it is meant to be seen, in sRGB, its metadata, and whether it is
    damaged. With `least`, it may be reduced to not less than that size.
    """
    part, damaged = load(picture, least)
    # After loading: Pillow turns TIFFs upright by itself and then clears the tag.
    metadata = picture.metadata or read_metadata(picture.image)
    upright = _eight_bit(turned_upright(part, metadata.orientation))
    profile = part.info.get("icc_profile")
    if profile:
        from sigseek.indexer.decoding.color_profiles import (
            to_srgb,  # a library of its own, which most photos do without
        )

        upright = to_srgb(upright, profile, least)
    return _over_white(upright), metadata, damaged


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return the image with 16-bit grey scaled to 8 bits, which `convert` would clip. Grey in
    floats counts as 0 to 1, or as 0 to 255.
    """
    if image.mode in _WIDE_GREY:
        levels = np.asarray(image).clip(0, 65535)
        return Image.fromarray(
            (levels >> 8 if levels.max(initial=0) > 255 else levels).astype(np.uint8)
        )
    if image.mode == "F":
        levels = np.nan_to_num(np.asarray(image))
        return Image.fromarray(
            (levels * (255 if levels.max(initial=0) <= 1 else 1)).clip(0, 255).astype(np.uint8)
        )
    return image


def _over_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    colored = image.convert("RGBA")
    white = Image.new("RGB", colored.size, "white")
    white.paste(colored, mask=colored.getchannel("A"))
    return white


def _said(error: Exception) -> str:
    """Return the first line of what the decoder said."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
