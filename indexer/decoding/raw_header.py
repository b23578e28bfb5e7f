"""What the header of a camera RAW file says of its capture, read without a RAW library."""

from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from sigseek.indexer.decoding.brands import CANON_RAW, brands
from sigseek.indexer.decoding.cr3 import read_cr3
from sigseek.indexer.decoding.metadata import Metadata, metadata_of, read_metadata
from sigseek.indexer.decoding.metadata_blocks import tiff_blocks

_HEAD = 1 << 18
_LIKE_TIFF = (b"IIRO", b"IIRS", b"IIU\0")
"""Olympus and Panasonic write TIFF with another mark."""
_FUJIFILM = b"FUJIFILMCCD-RAW"
_FUJIFILM_JPEG = 84
"""The place in Fujifilm's files that tells where their JPEG is."""


def read_capture(path: Path) -> Metadata:
    """Return the metadata in the header; empty where nothing can be read of it, whatever the
    reason.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except Exception:  # Pillow raises many kinds
        return Metadata()


def _read(file: BinaryIO) -> Metadata:
    head = file.read(_HEAD)
    if head.startswith(_FUJIFILM):
        file.seek(int.from_bytes(head[_FUJIFILM_JPEG : _FUJIFILM_JPEG + 4]))
        with Image.open(BytesIO(file.read(_HEAD)), formats=["JPEG"]) as preview:
            return read_metadata(preview)
    if CANON_RAW in brands(head):
        return metadata_of(read_cr3(file))
    if head.startswith(_LIKE_TIFF):
        exif = _directory(BytesIO(b"II*\0" + head[4:]))
    else:
        file.seek(0)
        exif = _directory(file)
    return metadata_of(tiff_blocks(exif))


def _directory(file: BinaryIO) -> Image.Exif:
    """Return the first directory of a file that is laid out as TIFF."""
    exif = Image.Exif()
    exif.load_from_fp(file)
    return exif
