"""JPEG XL, through a plugin of Pillow's that decodes a file as soon as it is opened."""

from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from indexer.errors import DecodeError
from indexer.metadata import Metadata, read_metadata

_CODESTREAM = b"\xff\x0a"
_HEADER = 16
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def open_jxl(file: BinaryIO) -> tuple[Image.Image, str, Metadata | None]:
    """The decoded picture, the format's name, and its metadata where Pillow would get the orientation wrong.

    DecodeError when the file is damaged.
    """
    from pillow_jxl.JpegXLImagePlugin import JXLImageFile

    content = BytesIO(file.read())  # not below, where the disk's errors would be taken for the file's
    try:
        image = JXLImageFile(content)
    except MemoryError:
        raise
    except BaseException as error:  # a panic of the plugin's is not even an Exception
        if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
            raise
        raise DecodeError("damaged, or of a kind of JPEG XL that is not read") from error
    if image.jpeg:  # a repacked JPEG, unpacked as it was
        return image, "JXL", None
    # The codestream notes the orientation, and the decoder has applied it: EXIF's must not count.
    return image, "JXL", replace(read_metadata(image), orientation=1)


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Width and height as the codestream's header gives them; the file is left at its start. DecodeError if it has none."""
    header = _codestream_header(file)
    file.seek(0)
    if not header.startswith(_CODESTREAM) or len(header) < _HEADER:
        raise DecodeError("damaged at its very start")
    bits = int.from_bytes(header[2:], "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    def side(small: int) -> int:
        return 8 * (take(5) + 1) if small else take(_SIDE_BITS[take(2)]) + 1

    small = take(1)
    height = side(small)
    ratio = _RATIOS.get(take(3))
    return (height * ratio[0] // ratio[1] if ratio else side(small)), height


def _codestream_header(file: BinaryIO) -> bytes:
    """The first bytes of the codestream, which may lie bare or in a box."""
    file.seek(0)
    header = file.read(_HEADER)
    if header.startswith(_CODESTREAM):
        return header
    file.seek(0)
    while len(box := file.read(8)) == 8:
        length, kind = int.from_bytes(box[:4]), box[4:]
        used = 8
        if length == 1:
            length, used = int.from_bytes(file.read(8)), 16
        if kind == b"jxlc":
            return file.read(_HEADER)
        if kind == b"jxlp":
            file.seek(4, 1)  # its number
            return file.read(_HEADER)
        if length < used:
            break
        file.seek(length - used, 1)
    return b""
