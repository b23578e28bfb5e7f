"""The metadata of a photo's file and of its sidecars, without the pixels."""

from pathlib import Path
from typing import BinaryIO

from sigseek.indexer.decoding.formats import RAW
from sigseek.indexer.decoding.limits import PixelLimit
from sigseek.indexer.decoding.metadata import Metadata, read_metadata
from sigseek.indexer.decoding.opening import open_picture
from sigseek.indexer.decoding.sidecars import with_sidecars
from sigseek.indexer.errors import DecodeError

_JPEG = b"\xff\xd8\xff"
_ANY_SIZE = PixelLimit(1 << 60)


def read_file_metadata(path: Path, sidecars: tuple[str, ...] = ()) -> Metadata:
    """Return what the file says of the photo, and the files of these names beside it.

    Hardly any format has to be decoded for it. Raises OSError when the file cannot be read,
    DecodeError when it is not a picture.
    """
    with path.open("rb") as file:
        try:
            metadata = _read(file, path.suffix.lower())
        except (DecodeError, MemoryError):
            raise
        except OSError as error:
            if error.errno is not None:
                raise
            raise DecodeError("not a picture, or its header is damaged") from error
        except Exception as error:  # damaged files make Pillow's plugins raise nearly anything
            raise DecodeError("not a picture, or its header is damaged") from error
    return with_sidecars(metadata, path, sidecars)


def _read(file: BinaryIO, suffix: str) -> Metadata:
    head = file.read(len(_JPEG))
    file.seek(0)
    if suffix == ".jxl":
        from sigseek.indexer.decoding.jxl import read_jxl_metadata

        return read_jxl_metadata(file)
    if suffix in RAW and head != _JPEG:
        from sigseek.indexer.decoding.raw import read_raw_metadata

        return read_raw_metadata(file)
    picture = open_picture(file, suffix, _ANY_SIZE)
    return picture.metadata or read_metadata(picture.image)
