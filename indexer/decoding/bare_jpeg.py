"""A JPEG without its metadata, for files whose metadata Pillow refuses."""

from io import BytesIO
from typing import BinaryIO

from PIL import Image, ImageFile

EXIF_SEGMENT = b"Exif\0\0"
XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
"""How segments with EXIF and with XMP begin."""
_METADATA_MARKERS = (*range(0xE0, 0xF0), 0xFE)
_ADOBE, _ADOBE_SIZE = 0xEE, 12
_SCAN = b"\xda"


def open_bare_jpeg(file: BinaryIO) -> ImageFile.ImageFile:
    """Open a JPEG without its metadata, of which Pillow refuses some that are damaged. What can be
    read of them is put where Pillow would put it.

    It raises what Pillow does for a file that is no JPEG, or a damaged one.
    """
    file.seek(0)
    content = file.read()
    bare, segments, at = bytearray(content[:2]), [], 2
    while content[at : at + 1] == b"\xff" and content[at + 1 : at + 2] != _SCAN:
        marker = content[at + 1]
        end = at + 2 + int.from_bytes(content[at + 2 : at + 4])
        segment = content[at + 4 : end]
        if marker in _METADATA_MARKERS:
            segments.append((f"APP{marker & 15}", segment))
        # The colours depend on Adobe's segment.
        if marker not in _METADATA_MARKERS or (marker == _ADOBE and len(segment) >= _ADOBE_SIZE):
            bare += content[at:end]
        at = max(end, at + 2)
    image = Image.open(BytesIO(bytes(bare) + content[at:]), formats=["JPEG"])
    exif = [part for name, part in segments if name == "APP1" and part.startswith(EXIF_SEGMENT)]
    if exif:
        image.info["exif"] = exif[0]
    for _, part in segments:
        if part.startswith(XMP_SEGMENT):
            image.info["xmp"] = part[len(XMP_SEGMENT) :]
    image.applist = segments  # type: ignore[attr-defined]
    return image
