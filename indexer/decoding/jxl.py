"""JPEG XL, through a plugin of Pillow's that decodes a file as soon as it is opened."""

from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from sigseek.indexer.decoding.metadata import Metadata, read_metadata
from sigseek.indexer.decoding.xmp import MAX_BYTES
from sigseek.indexer.errors import DecodeError

_CODESTREAM = b"\xff\x0a"
_TIFF = (b"II", b"MM")
_HEADER = 16
_SIDE_BITS = (9, 13, 18, 30)
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def open_jxl(file: BinaryIO) -> tuple[Image.Image, str, Metadata | None]:
    """Return the decoded picture, the format's name, and its metadata where Pillow would get the
    orientation wrong.

    Raises DecodeError when the file is damaged.
    """
    from pillow_jxl.JpegXLImagePlugin import JXLImageFile

    content = BytesIO(
        file.read()
    )  # not below, where the disk's errors would be taken for the file's
    try:
        image = JXLImageFile(content)
    except MemoryError:
        raise
    except BaseException as error:  # a panic of the plugin's is not even an Exception
        if not isinstance(error, Exception) and type(error).__module__ != "pyo3_runtime":
            raise
        raise DecodeError("damaged, or an unsupported kind of JPEG XL") from error
    if image.jpeg:  # a repacked JPEG, unpacked as it was
        return image, "JXL", None
    if packet := _xmp(content):  # the plugin drops it
        image.info["xmp"] = packet
    # The codestream notes the orientation, and the decoder has applied it: EXIF's must not count.
    return image, "JXL", replace(read_metadata(image), orientation=1)


def read_jxl_metadata(file: BinaryIO) -> Metadata:
    """Return the metadata of the file. It is decoded only where metadata is compressed or that of a
    repacked JPEG. Raises DecodeError when the file is damaged.
    """
    found: dict[bytes, bytes] = {}
    bare = file.read(len(_CODESTREAM)) == _CODESTREAM
    for kind, size in () if bare else _boxes(file):
        if kind in (b"jbrd", b"brob"):
            file.seek(0)
            image, _, metadata = open_jxl(file)
            return metadata or read_metadata(image)
        if kind in (b"Exif", b"xml ") and size <= MAX_BYTES:
            found[kind] = file.read(size)
    image = Image.new("L", (1, 1))
    image.info = {"xmp": found.get(b"xml ", b"")}
    exif = found.get(b"Exif", b"")
    if not exif.startswith(_TIFF):  # the place where it begins comes first, though not always
        exif = exif[4 + int.from_bytes(exif[:4]) :]
    if exif:
        image.info["exif"] = b"Exif\0\0" + exif
    return replace(read_metadata(image), orientation=1)


def read_size(file: BinaryIO) -> tuple[int, int]:
    """Return the width and height in the codestream's header; the file is left at its start. Raises
    DecodeError if it has none.
    """
    header = _codestream_header(file)
    file.seek(0)
    if not header.startswith(_CODESTREAM) or len(header) < _HEADER:
        raise DecodeError("not a picture, or its header is damaged")
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
    """Return the first bytes of the codestream, which may lie bare or in a box."""
    file.seek(0)
    header = file.read(_HEADER)
    if header.startswith(_CODESTREAM):
        return header
    for kind, _ in _boxes(file):
        if kind == b"jxlp":
            file.seek(4, 1)  # its number
        if kind in (b"jxlc", b"jxlp"):
            return file.read(_HEADER)
    return b""


def _xmp(file: BinaryIO) -> bytes | None:
    """Return the XMP packet beside the codestream, unless it is compressed."""
    return next(
        (file.read(size) for kind, size in _boxes(file) if kind == b"xml " and size <= MAX_BYTES),
        None,
    )


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the kind of each box of the container and its content's size in bytes; the file is left
    where the content begins.
    """
    end = file.seek(0, 2)
    start = 0
    while start < end and len(box := _read_at(file, start, 8)) == 8:
        length, kind, used = int.from_bytes(box[:4]), box[4:], 8
        if length == 1:
            length, used = int.from_bytes(file.read(8)), 16
        length = min(length or end, end - start)  # 0 for the last one, whatever its length
        if length < used:
            return
        yield kind, length - used
        start += length


def _read_at(file: BinaryIO, place: int, size: int) -> bytes:
    file.seek(place)
    return file.read(size)
