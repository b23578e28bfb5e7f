"""Camera RAW made for a test: DNG with a mosaic of four grey levels a pixel block, a thumbnail,
and a preview or none.
"""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL, _SIGNED_RATIONAL = 1, 2, 3, 4, 5, 10
_LETTERS = {_BYTE: "B", _ASCII: "B", _SHORT: "H", _LONG: "I", _RATIONAL: "I", _SIGNED_RATIONAL: "i"}
Tags = dict[int, tuple[int, list[int]]]


def save_dng(
    path: Path,
    image: Image.Image,
    preview: Image.Image | None,
    orientation: int = 1,
    more: Tags | None = None,
    bare: bool = False,
    monochrome: bool = False,
    taken: str = "",
) -> Path:
    """Save a DNG whose mosaic shows `image` as grey and whose preview, as JPEG, is another picture,
    so that a test tells them apart.

    With `bare`, the preview is kept as plain RGB instead; with `monochrome`, the sensor tells no
    colours. `taken` is EXIF's time of the capture.
    """
    out = bytearray(b"II*\0\0\0\0\0")
    mosaic = (np.asarray(image.convert("L"), np.uint16) * 200).astype("<u2")
    matrix = [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]
    raw: Tags = {
        254: (_LONG, [0]),
        **_strip(
            out,
            mosaic.tobytes(),
            image.size,
            bits=[16],
            compression=1,
            photometric=34892 if monochrome else 32803,
        ),
        **({} if monochrome else {33421: (_SHORT, [2, 2]), 33422: (_BYTE, [0, 1, 1, 2])}),
        50717: (_LONG, [51000]),
    }
    parts = [_directory(out, raw)]
    if preview:
        packed = BytesIO()
        preview.save(packed, "JPEG", quality=92)
        pixels = preview.tobytes() if bare else packed.getvalue()
        strip = _strip(
            out,
            pixels,
            preview.size,
            bits=[8, 8, 8],
            compression=1 if bare else 7,
            photometric=2 if bare else 6,
        )
        parts.append(_directory(out, {254: (_LONG, [1]), **strip}))
    if taken:
        capture = _directory(out, {36867: (_ASCII, list(f"{taken}\0".encode()))})
        more = {34665: (_LONG, [capture]), **(more or {})}
    thumbnail = (preview or image).convert("RGB").resize((32, 24))
    base: Tags = {
        254: (_LONG, [1]),
        **_strip(
            out, thumbnail.tobytes(), thumbnail.size, bits=[8, 8, 8], compression=1, photometric=2
        ),
        271: (_ASCII, list(b"Maker\0")),
        272: (_ASCII, list(b"Model 7\0")),
        274: (_SHORT, [orientation]),
        306: (_ASCII, list(b"2021:07:03 18:05:09\0")),
        330: (_LONG, parts),
        50706: (_BYTE, [1, 4, 0, 0]),
        50708: (_ASCII, list(b"Maker Model 7\0")),
        50721: (_SIGNED_RATIONAL, matrix),
        50728: (_RATIONAL, [1, 1] * 3),
        50778: (_SHORT, [21]),
        **(more or {}),
    }
    first = _directory(out, base)
    out[4:8] = struct.pack("<I", first)
    path.write_bytes(out)
    return path


def _put(out: bytearray, value: bytes) -> int:
    out.extend(b"\0" * (len(out) % 2))
    out.extend(value)
    return len(out) - len(value)


def _strip(
    out: bytearray,
    pixels: bytes,
    size: tuple[int, int],
    bits: list[int],
    compression: int,
    photometric: int,
) -> Tags:
    return {
        256: (_LONG, [size[0]]),
        257: (_LONG, [size[1]]),
        258: (_SHORT, bits),
        259: (_SHORT, [compression]),
        262: (_SHORT, [photometric]),
        273: (_LONG, [_put(out, pixels)]),
        277: (_SHORT, [len(bits)]),
        278: (_LONG, [size[1]]),
        279: (_LONG, [len(pixels)]),
    }


def _directory(out: bytearray, tags: Tags) -> int:
    rows = b""
    for tag, (kind, values) in sorted(tags.items()):
        value = struct.pack(f"<{len(values)}{_LETTERS[kind]}", *values)
        count = len(values) // (2 if kind in (_RATIONAL, _SIGNED_RATIONAL) else 1)
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", _put(out, value))
        rows += struct.pack("<HHI", tag, kind, count) + place
    return _put(out, struct.pack("<H", len(tags)) + rows + bytes(4))
