"""Photo files made for a test."""

import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageDraw

from benchmarks import photographs
from sigseek.indexer.decoding.decode import _read, _upright_rgb


def picture(seed: int = 0, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Return a smooth picture with no symmetry, another for each seed."""
    rough = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), np.uint8)
    return Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)


def photograph(seed: int, size: tuple[int, int] = photographs.SIZE, moved: int = 0) -> Image.Image:
    """Return the picture of `benchmarks.photographs.photograph`. Drawing one takes a tenth of a
    second, so each is drawn once.
    """
    return _drawn_photograph(seed, size, moved).copy()


@cache
def _drawn_photograph(seed: int, size: tuple[int, int], moved: int) -> Image.Image:
    return photographs.photograph(seed, size, moved)


def open_upright(path: Path) -> Image.Image:
    """Return the photo in the file as it is meant to be seen, in sRGB and full size. Raises as
    `decode_photo` does.
    """
    return _read(path, lambda picture: _upright_rgb(picture)[0])


def difference(one: Image.Image | np.ndarray, other: Image.Image | np.ndarray) -> float:
    """Return the mean difference of two pictures of one size in levels of 0 to 255."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    assert one.shape == other.shape
    return float(np.abs(one - other).mean())


def save(path: Path, seed: int = 0, size: tuple[int, int] | None = None, **options: object) -> Path:
    """Save the picture of that seed at `path`, in another size if one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = picture(seed)
    if size:
        made = made.resize(size)
    made.save(path, **options)  # type: ignore[arg-type]
    return path


def exif(**tags: object) -> Image.Exif:
    """Return EXIF with these tags of the base, Exif and GPS directories, by name."""
    made = Image.Exif()
    for name, value in tags.items():
        if hasattr(ExifTags.GPS, name):
            made.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS[name]] = value
        elif name.startswith(("DateTimeOriginal", "OffsetTime", "LensModel")):
            made.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base[name]] = value
        else:
            made[ExifTags.Base[name]] = value
    return made


def xmp(elements: str, attributes: str = "") -> bytes:
    """Return an XMP packet with these properties, their usual prefixes defined."""
    prefixes = {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "exifEX": "http://cipa.jp/exif/1.0/",
        "aux": "http://ns.adobe.com/exif/1.0/aux/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "digiKam": "http://www.digikam.org/ns/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "mwg-kw": "http://www.metadataworkinggroup.com/schemas/keywords/",
        "xmpNote": "http://ns.adobe.com/xmp/note/",
        "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
        "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
        "MP": "http://ns.microsoft.com/photo/1.2/",
        "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
        "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
        "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
        "tiff": "http://ns.adobe.com/tiff/1.0/",
    }
    defined = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in prefixes.items())
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF {defined}>'
        f"<rdf:Description {attributes}>{elements}</rdf:Description>"
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


def with_segment(jpeg: bytes, marker: int, contents: bytes) -> bytes:
    """Return the JPEG with one more segment at its start."""
    return jpeg[:2] + bytes([0xFF, marker]) + (len(contents) + 2).to_bytes(2) + contents + jpeg[2:]


def iptc(*fields: tuple[int, bytes]) -> bytes:
    """Return what an APP13 segment holds with these datasets of IPTC's second record."""
    records = b"".join(
        b"\x1c\x02" + bytes([dataset]) + len(value).to_bytes(2) + value for dataset, value in fields
    )
    padded = records + b"\0" * (len(records) % 2)
    return b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + len(records).to_bytes(4) + padded


def letter_f(size: int = 60) -> Image.Image:
    """Draw an F: whatever way it is turned or mirrored, it looks different."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    unit = size // 6
    draw.rectangle((unit, unit, 2 * unit, 5 * unit), "black")
    draw.rectangle((unit, unit, 5 * unit, 2 * unit), "red")
    draw.rectangle((unit, 3 * unit, 4 * unit, 3.5 * unit), "blue")
    return image


def write_png(path: Path, levels: npt.NDArray[np.uint16]) -> None:
    """Write a PNG of 16 bits a channel, which Pillow does not write, of (height, width, 3 or 4)."""
    height, width, channels = levels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(chunk)) + kind + chunk + struct.pack(">I", zlib.crc32(kind + chunk))
        for kind, chunk in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def write_tiff(path: Path, levels: npt.NDArray[np.uint16]) -> None:
    """Write a TIFF of 16 bits a channel, which Pillow does not write, of (height, width, 3 or
    4).
    """
    height, width, channels = levels.shape
    pixels = levels.astype("<u2").tobytes()
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, channels),
        (259, 3, 1),
        (262, 3, 2),
        (273, 4, 8),
        (277, 3, channels),
    ]
    tags += [(278, 4, height), (279, 4, len(pixels))] + ([(338, 3, 2)] if channels == 4 else [])
    at = 8 + len(pixels)
    depths = at + 2 + 12 * len(tags) + 4
    rows = b"".join(
        struct.pack("<HHII", 258, 3, channels, depths)
        if tag == 258
        else struct.pack("<HHII", tag, kind, 1, value)
        for tag, kind, value in tags
    )
    directory = (
        struct.pack("<H", len(tags))
        + rows
        + bytes(4)
        + struct.pack(f"<{channels}H", *[16] * channels)
    )
    path.write_bytes(b"II*\0" + struct.pack("<I", at) + pixels + directory)
