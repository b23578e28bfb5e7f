"""BMP files whose bit fields are laid out in a way that Pillow does not read."""

import struct

import numpy as np
import numpy.typing as npt
from PIL import Image

from sigseek.indexer.decoding.limits import PixelLimit

BMP = b"BM"
_LEAST_HEADER = 40
_WITH_ALPHA_MASK = 56
_BIT_FIELDS, _ALPHA_BIT_FIELDS = 3, 6
_MASKS = 54


def open_odd_bmp(content: bytes, most: PixelLimit) -> Image.Image | None:
    """Return the picture of the BMP; None where it has no bit fields. Raises what `most` raises,
    and ValueError or struct.error for a file that was cut.
    """
    place, header, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", content, 10)
    if header < _LEAST_HEADER:
        return None
    if compression not in (_BIT_FIELDS, _ALPHA_BIT_FIELDS) or bits not in (16, 32):
        return None
    most.check(width, abs(height))
    has_alpha = compression == _ALPHA_BIT_FIELDS or header >= _WITH_ALPHA_MASK
    masks = struct.unpack_from(f"<{3 + has_alpha}I", content, _MASKS)
    return _picture_of_fields(content[place:], (width, height), bits, masks)


def _picture_of_fields(
    rows: bytes, size: tuple[int, int], bits: int, masks: tuple[int, ...]
) -> Image.Image:
    width, height = size
    per_row = (bits * width + 31) // 32 * 32 // bits
    words = np.frombuffer(rows, f"<u{bits // 8}", per_row * abs(height))
    words = words.reshape(abs(height), per_row)[:, :width]
    channels = [_channel(words, mask) for mask in masks]
    if len(channels) == 4 and not channels[3].any():  # nothing would be seen
        channels.pop()
    levels = np.stack(channels, axis=-1)
    return Image.fromarray(levels if height < 0 else levels[::-1])


def _channel(words: npt.NDArray[np.unsignedinteger], mask: int) -> npt.NDArray[np.uint8]:
    """Return the levels of a channel, scaled to 8 bits."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    highest = mask >> shift
    values = (words.astype(np.uint32) & np.uint32(mask)) >> np.uint32(shift)
    levels: npt.NDArray[np.uint8] = np.rint(values * (255 / highest)).astype(np.uint8)
    return levels
