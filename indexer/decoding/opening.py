"""The opening of a picture by what its file holds, whatever the file's name.

Readers of rare formats are imported when such a file comes, so a folder of JPEGs does without.
"""

import re
from dataclasses import dataclass, replace
from io import BytesIO
from typing import IO, BinaryIO

from PIL import ExifTags, Image, ImageFile

from sigseek.indexer.decoding.bare_jpeg import open_bare_jpeg
from sigseek.indexer.decoding.bmp import BMP, open_odd_bmp
from sigseek.indexer.decoding.brands import AVIF, CANON_RAW, HEIF, brands
from sigseek.indexer.decoding.damage import decodable_part
from sigseek.indexer.decoding.formats import DECODED, JPEG_EXTENSIONS, RAW
from sigseek.indexer.decoding.heif_layout import completed_avif, missing_bytes
from sigseek.indexer.decoding.jpeg import bits_per_sample
from sigseek.indexer.decoding.limits import PixelLimit
from sigseek.indexer.decoding.metadata import Metadata, merged, read_metadata
from sigseek.indexer.decoding.metadata_blocks import find_blocks
from sigseek.indexer.decoding.png import PNG, repaired_png
from sigseek.indexer.decoding.tiff import (
    BIG_ENDIAN_BIGTIFF,
    find_largest,
    find_photo,
    open_below,
    smaller_bigtiff,
)
from sigseek.indexer.decoding.webp import WEBP, completed_webp
from sigseek.indexer.errors import DecodeError, UnsupportedError

_HEAD = 64
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
# Fujifilm, Panasonic, Olympus (three), Sigma
_RAW_HEADS = (b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb")
_JPEG = b"\xff\xd8\xff"
_OTHER_BITS = (12, 16)
"""The bits per colour of good JPEGs that Pillow does not read."""
_MOST_BEFORE_JPEG = 4096
"""Old Macintosh programs put a header of their own before a JPEG, and some downloads begin with the
server's answer.
"""
_CR2 = re.compile(rb"II\*\0.{4}CR", re.DOTALL)
"""The head of Canon's CR2, which is a TIFF with two more letters."""
_SUBFILE_TYPE, _REDUCED = 254, 1
"""The tag of TIFF, and its value, for a page that is a smaller copy of another one in the file."""
_MP_ENTRIES = 0xB002
"""The tag of an MPO that lists its pictures."""
_MULTI_FRAME = "Multi-Frame Image"
"""How Pillow's name begins for a picture of an MPO that shows something else than the first one,
such as what the other eye sees. Previews have other names.
"""
_DNG_VERSION = 50706
"""The tag that every DNG has."""


@dataclass(frozen=True)
class OpenedPicture:
    """A picture that is opened and, in most formats, not decoded yet."""

    image: Image.Image
    format: str
    metadata: Metadata | None = None
    """The metadata, where the file has it in other places than Pillow looks."""
    size: tuple[int, int] | None = None
    """The width and height of the photo as shown, where `image` is only its preview, or a part."""
    source: IO[bytes] | None = None
    """Where Pillow reads the picture, if it can be opened there once more."""
    frame: int = 0
    """The frame of the picture in `source`."""
    damaged: bool = False
    """Whether it is known without decoding that a part is missing."""

    @property
    def several_pictures(self) -> bool:
        """Whether the file holds more pictures of its own, such as an animation or pages. Previews
        do not count. It is also True where nobody can tell, such as for a damaged animation.
        """
        if self.format == "RAW":
            return False
        if self.format == "MPO":
            return _is_multi_frame(self.image)
        if self.damaged:
            return self.format != "JPEG"
        try:
            return bool(getattr(self.image, "is_animated", False))
        except Exception:  # a GIF is read on to tell
            return True


def open_picture(file: BinaryIO, suffix: str, most: PixelLimit) -> OpenedPicture:
    """Open the picture in the file; `suffix` is the extension of its name, in lower case and with
    the dot.

    Raises DecodeError for camera RAW that is not understood, and whatever the libraries raise for
    files that they do not take. `most` raises TooLargeError, and LargePhotoError where opening a
    picture decodes it.
    """
    head = file.read(_HEAD)
    file.seek(0)
    named = brands(head)
    if head.startswith(_RAW_HEADS) or _CR2.match(head) or CANON_RAW in named:
        return _open_raw(file, most)
    if named & HEIF and not named & AVIF:
        # the file is read here, because the plugin takes errors of the disk for errors of the file
        return _open_heif(file.read(), most)
    if head.startswith(_JXL):
        from sigseek.indexer.decoding.jxl import open_jxl, read_size

        size = read_size(file)
        most.check(*size)
        most.check_held(*size)  # the plugin decodes on opening
        return OpenedPicture(*open_jxl(file))
    return _open_with_pillow(file, suffix, most)


def _open_heif(content: bytes, most: PixelLimit) -> OpenedPicture:
    from pillow_heif import HeifImageFile

    from sigseek.indexer.decoding.cut_heif import part_of_heif

    missing = missing_bytes(content)
    if not missing:
        return _checked(HeifImageFile(BytesIO(content)), most)  # type: ignore[no-untyped-call]
    # libheif opens some of these by itself, and leaves black what is missing.
    whole = HeifImageFile(BytesIO(content + bytes(missing)))  # type: ignore[no-untyped-call]
    opened = _checked(whole, most)
    most.check_held(*whole.size)
    metadata = read_metadata(whole)
    return replace(
        opened, image=part_of_heif(content), metadata=metadata, size=whole.size, damaged=True
    )


def _checked(image: Image.Image, most: PixelLimit) -> OpenedPicture:
    most.check(image.width, image.height)
    return OpenedPicture(image, image.format or "")


def _open_with_pillow(file: BinaryIO, suffix: str, most: PixelLimit) -> OpenedPicture:
    try:
        image = _pillow_image(file)
    except Exception as error:  # Pillow may raise any for what looks like a TIFF
        if suffix in RAW and file.seek(0, 2):  # for an empty file the error says enough
            return _open_raw(file, most)
        other = None if isinstance(error, MemoryError) else _open_otherwise(file, suffix, most)
        if other is None:
            raise
        return other
    if image.format == "TIFF" and (suffix in RAW or _holds_raw(image)):
        try:  # because the picture that Pillow shows is a thumbnail
            return _open_raw(file, most)
        except DecodeError:
            if suffix in RAW:
                raise
    find_blocks(file, image)
    page, below = 0, None
    if image.format == "TIFF":
        page = find_photo(image)
        below = None if page else open_below(image, file)
        page = page if page or below else find_largest(image)
    if page or below:
        return _open_page(image, page, below, most)
    return replace(_checked(image, most), source=image.fp)


def _open_page(
    image: ImageFile.ImageFile, page: int, below: ImageFile.ImageFile | None, most: PixelLimit
) -> OpenedPicture:
    """Return a page of a TIFF that is not its first, or the picture below the first page. What it
    does not say of the photo, the first page may.
    """
    first = read_metadata(image)
    if below:
        image = below
    image.seek(page)
    own = read_metadata(image)
    turns = ExifTags.Base.Orientation in getattr(image, "tag_v2", ())
    # Pillow turns the page by the page's own tag.
    said = replace(merged(own, first), orientation=1 if turns else first.orientation)
    return replace(_checked(image, most), metadata=said, source=image.fp, frame=page)


def _open_otherwise(file: BinaryIO, suffix: str, most: PixelLimit) -> OpenedPicture | None:
    """Return the picture in a damaged or odd file that Pillow does not open; None if there is
    none.
    """
    file.seek(0)
    head = file.read(_HEAD)
    if head.startswith(_JPEG):
        bits = bits_per_sample(head + file.read())
        if bits in _OTHER_BITS:
            reason = f"a JPEG of {bits} bits per colour is not supported; export it as PNG"
            raise UnsupportedError(reason)
    if head.startswith(BMP):
        image = open_odd_bmp(head + file.read(), most)
        return OpenedPicture(image, "BMP") if image else None
    if suffix in JPEG_EXTENSIONS:
        file.seek(0)
        begin = file.read(_MOST_BEFORE_JPEG).find(_JPEG)
        if begin > 0:
            file.seek(begin)
            jpeg = _pillow_image(BytesIO(file.read()))
            return replace(_checked(jpeg, most), source=jpeg.fp)
    if head.startswith(PNG):
        repaired = BytesIO(repaired_png(head + file.read()))
        opened = _checked(Image.open(repaired, formats=["PNG"]), most)
        find_blocks(file, opened.image)
        return replace(opened, source=repaired, damaged=True)
    if brands(head) & AVIF:
        return _open_cut_avif(head + file.read(), most)
    if not WEBP.match(head):
        return None
    completed = BytesIO(completed_webp(head + file.read(), b"\0"))
    whole = _checked(Image.open(completed, formats=["WEBP"]), most)
    part = decodable_part(file)
    return replace(whole, image=part, damaged=True, size=whole.image.size) if part else None


def _open_cut_avif(content: bytes, most: PixelLimit) -> OpenedPicture | None:
    completed = next(completed_avif(content), None)
    if completed is None:
        return None
    whole = _checked(Image.open(BytesIO(completed), formats=["AVIF"]), most)
    part = decodable_part(BytesIO(content))
    if part is None:
        raise DecodeError("damaged: nothing of the picture can be decoded")
    metadata = read_metadata(whole.image)
    return replace(whole, image=part, metadata=metadata, damaged=True, size=whole.image.size)


def _pillow_image(file: BinaryIO) -> ImageFile.ImageFile:
    try:
        return Image.open(file, formats=DECODED)
    except Exception:
        file.seek(0)
        head = file.read(4)
        if head == BIG_ENDIAN_BIGTIFF:
            return Image.open(BytesIO(smaller_bigtiff(head + file.read())), formats=["TIFF"])
        if not head.startswith(_JPEG):
            raise
        return open_bare_jpeg(file)


def _open_raw(file: BinaryIO, most: PixelLimit) -> OpenedPicture:
    from sigseek.indexer.decoding.raw import open_raw

    image, metadata, size = open_raw(file, most)
    most.check(image.width, image.height)
    return OpenedPicture(image, "RAW", metadata, size, getattr(image, "fp", None))


def _is_multi_frame(image: Image.Image) -> bool:
    entries = getattr(image, "mpinfo", {}).get(_MP_ENTRIES, ())
    return any(entry["Attribute"]["MPType"].startswith(_MULTI_FRAME) for entry in entries)


def _holds_raw(image: Image.Image) -> bool:
    tags = getattr(image, "tag_v2", {})
    return tags.get(_SUBFILE_TYPE) == _REDUCED or _DNG_VERSION in tags
