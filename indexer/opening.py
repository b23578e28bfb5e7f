"""The picture in a file, opened by what the file holds, whatever its name.

What few libraries need is imported when such a file comes: a library of JPEGs does without.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from indexer.errors import DecodeError
from indexer.formats import DECODED, RAW
from indexer.metadata import Metadata

_HEAD = 64
_HEIF = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF = {b"avif", b"avis"}
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_RAW_HEADS = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb")  # Fujifilm, Panasonic, Olympus, Sigma
_SUBFILE_TYPE, _REDUCED = 254, 1  # of TIFF: the page is a smaller copy of another picture in the file
_DNG_VERSION = 50706


@dataclass(frozen=True)
class OpenedPicture:
    """A picture that is opened, mostly not decoded yet."""

    image: Image.Image
    format: str
    metadata: Metadata | None = None
    """Where the file says it elsewhere than Pillow looks."""
    size: tuple[int, int] | None = None
    """Width and height of the photo as shown, where `image` is but its preview."""


def open_picture(file: BinaryIO, suffix: str, max_pixels: int) -> OpenedPicture:
    """Open the picture in the file; `suffix` is its name's, in lower case with the dot.

    DecodeError for camera RAW that is not understood, and for more than `max_pixels`; whatever the libraries raise for
    what they do not take.
    """
    head = file.read(_HEAD)
    file.seek(0)
    brands = _brands(head)
    if head.startswith(_RAW_HEADS) or head[8:10] == b"CR" or b"crx " in brands:
        return _open_raw(file, max_pixels)
    if brands & _HEIF and not brands & _AVIF:  # read here, for the plugin takes the disk's errors for the file's
        from pillow_heif import HeifImageFile

        return _checked(HeifImageFile(BytesIO(file.read())), max_pixels)  # type: ignore[no-untyped-call]
    if head.startswith(_JXL):
        from indexer.jxl import open_jxl, read_size

        check_size(*read_size(file), max_pixels)
        return OpenedPicture(*open_jxl(file))
    return _open_with_pillow(file, suffix, max_pixels)


def check_size(width: int, height: int, max_pixels: int) -> None:
    """DecodeError for a picture of more pixels than that."""
    if width * height > max_pixels:
        raise DecodeError(f"too large: {width} x {height} pixels; {limit_text(max_pixels)}")


def limit_text(max_pixels: int) -> str:
    """The limit as a reason names it."""
    return f"the limit is {max_pixels / 1e6:.0f} megapixels"


def _checked(image: Image.Image, max_pixels: int) -> OpenedPicture:
    check_size(image.width, image.height, max_pixels)
    return OpenedPicture(image, image.format or "")


def _open_with_pillow(file: BinaryIO, suffix: str, max_pixels: int) -> OpenedPicture:
    try:
        image = Image.open(file, formats=DECODED)
    except Exception:  # mostly UnidentifiedImageError, but what looks like a TIFF makes Pillow raise others too
        if suffix in RAW and file.seek(0, 2):  # not that of an empty file
            return _open_raw(file, max_pixels)
        raise
    if image.format == "TIFF" and (suffix in RAW or _holds_raw(image)):  # what it shows is a thumbnail
        try:
            return _open_raw(file, max_pixels)
        except DecodeError:
            if suffix in RAW:
                raise
    return _checked(image, max_pixels)


def _open_raw(file: BinaryIO, max_pixels: int) -> OpenedPicture:
    from indexer.raw import open_raw

    image, metadata, size = open_raw(file, max_pixels)
    check_size(image.width, image.height, max_pixels)
    return OpenedPicture(image, "RAW", metadata, size)


def _holds_raw(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return tags.get(_SUBFILE_TYPE) == _REDUCED or _DNG_VERSION in tags


def _brands(head: bytes) -> set[bytes]:
    """What an ISO media file, as HEIF is one, calls itself."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4]), len(head))
    return {head[8:12]} | {head[at : at + 4] for at in range(16, end - 3, 4)}
