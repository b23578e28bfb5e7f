"""Files that browsers and viewers show, though they are not as their formats say."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.errors import TooLargeError, UnsupportedError
from sigseek.siglip import Preprocessing
from tests.photos import difference, open_upright, picture, with_segment

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)


def coded(image: Image.Image, kind: str, **options: object) -> bytes:
    made = BytesIO()
    image.save(made, kind, **options)  # type: ignore[arg-type]
    return made.getvalue()


def without_segment(jpeg: bytes, marker: int) -> bytes:
    kept, at = jpeg[:2], 2
    while jpeg[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(jpeg[at + 2 : at + 4])
        kept += jpeg[at:end] if jpeg[at + 1] != marker else b""
        at = end
    return kept + jpeg[at:]


JPEGS: dict[str, Callable[[bytes], bytes]] = {
    "a header of MacBinary": lambda jpeg: bytes(128) + jpeg,
    "a mark of byte order": lambda jpeg: b"\xef\xbb\xbf" + jpeg,
    "a server's answer": lambda jpeg: b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg,
    "a film behind it": lambda jpeg: jpeg + b"\0\0\0\x18ftypmp42" + bytes(5000),
    "another picture behind it": lambda jpeg: jpeg + jpeg,
    "filling before markers": lambda jpeg: jpeg[:2] + b"\xff\xff\xff" + jpeg[2:],
    "no JFIF header": lambda jpeg: without_segment(jpeg, 0xE0),
    "no Huffman tables": lambda jpeg: without_segment(jpeg, 0xC4),
    "EXIF without content": lambda jpeg: with_segment(jpeg, 0xE1, b"Exif\0\0"),
    "an empty segment": lambda jpeg: with_segment(jpeg, 0xE1, b""),
    "a broken colour profile": lambda jpeg: with_segment(
        jpeg, 0xE2, b"ICC_PROFILE\0\1\1" + bytes(300)
    ),
}


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_with(tmp_path: Path, kind: str) -> None:
    image = picture(3, (64, 48))
    jpeg = coded(image, "JPEG", quality=95)
    (tmp_path / "whole.jpg").write_bytes(jpeg)
    (tmp_path / "a.jpg").write_bytes(JPEGS[kind](jpeg))
    assert difference(open_upright(tmp_path / "a.jpg"), open_upright(tmp_path / "whole.jpg")) == 0
    decoded = decode_photo(tmp_path / "a.jpg", PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.damaged) == (64, 48, False)


def test_what_comes_before_a_jpeg_is_no_excuse_for_its_own_damage(tmp_path: Path) -> None:
    image = picture(3, (640, 480))
    jpeg = coded(image, "JPEG", quality=95)
    (tmp_path / "a.jpg").write_bytes(bytes(128) + jpeg[: len(jpeg) * 7 // 10])
    assert decode_photo(tmp_path / "a.jpg", PREPROCESSING).damaged
    part = open_upright(tmp_path / "a.jpg")
    assert 216 < part.height < 480
    assert difference(part, image.crop((0, 0, *part.size))) < 3
    for name, before in (("b.jpg", bytes(4096)), ("a.png", bytes(128))):
        (tmp_path / name).write_bytes(before + jpeg)
        with pytest.raises(DecodeError, match="not a picture"):
            decode_photo(tmp_path / name, PREPROCESSING)


def test_an_icon_is_no_tga(tmp_path: Path) -> None:
    image = picture(5, (256, 256))
    for sizes in ([(256, 256)], [(16, 16), (256, 256)]):
        image.save(tmp_path / "a.ico", sizes=sizes)
        assert decode_photo(tmp_path / "a.ico", PREPROCESSING).format == "ICO"
        assert difference(open_upright(tmp_path / "a.ico"), image) == 0
    image.save(tmp_path / "a.tga")
    assert decode_photo(tmp_path / "a.tga", PREPROCESSING).format == "TGA"


def bit_fields(
    levels: npt.NDArray[np.uint8], bits: int, masks: tuple[int, ...], top_down: bool = False
) -> bytes:
    """Return a BMP of these levels (height, width, channels), each channel in the bits of its
    mask.
    """
    height, width, _ = levels.shape
    words = np.zeros((height, width), np.uint32)
    for channel, mask in enumerate(masks):
        shift = (mask & -mask).bit_length() - 1
        highest = mask >> shift
        values = np.rint(levels[..., channel] * (highest / 255)).astype(np.uint32)
        words |= values << np.uint32(shift)
    padded = np.pad(words, ((0, 0), (0, width * bits % 32 // bits))).astype(f"<u{bits // 8}")
    rows = (padded if top_down else padded[::-1]).tobytes()
    has_alpha = len(masks) == 4
    header = struct.pack(
        "<IiiHHIIiiII", 56 if has_alpha else 40, width, -height if top_down else height, 1, bits,
        3, len(rows), 0, 0, 0, 0,
    ) + struct.pack(f"<{len(masks)}I", *masks)  # fmt: skip
    place = 14 + len(header)
    return struct.pack("<2sIII", b"BM", place + len(rows), 0, place) + header + rows


@pytest.mark.parametrize(
    ("bits", "masks", "exact"),
    [
        (32, (0xFF, 0xFF0000, 0xFF00), 0),
        (32, (0x3FF00000, 0xFFC00, 0x3FF), 0),
        (32, (0xFE000000, 0xFE0000, 0xFE00), 2),
        (16, (0xF00, 0xF0, 0xF), 9),
        (16, (0x1F, 0x7E0, 0xF800), 5),
    ],
)
@pytest.mark.parametrize("top_down", [False, True])
def test_bit_fields_of_any_layout(
    tmp_path: Path, bits: int, masks: tuple[int, ...], exact: int, top_down: bool
) -> None:
    levels = np.asarray(picture(6, (61, 40)))
    (tmp_path / "a.bmp").write_bytes(bit_fields(levels, bits, masks, top_down))
    found = np.asarray(open_upright(tmp_path / "a.bmp"), int)
    assert int(np.abs(found - levels).max()) <= exact
    decoded = decode_photo(tmp_path / "a.bmp", PREPROCESSING)
    assert (decoded.width, decoded.height, decoded.format) == (61, 40, "BMP")


def test_transparency_among_bit_fields(tmp_path: Path) -> None:
    levels = np.dstack([np.asarray(picture(6, (60, 40))), np.full((40, 60), 255, np.uint8)])
    masks = (0xF000, 0xF00, 0xF0, 0xF)
    levels[:10, :, 3] = 0
    (tmp_path / "a.bmp").write_bytes(bit_fields(levels, 16, masks))
    found = np.asarray(open_upright(tmp_path / "a.bmp"), int)
    assert (found[:10] == 255).all()
    assert int(np.abs(found[10:] - levels[10:, :, :3]).max()) <= 9
    levels[..., 3] = 0  # some programs leave it so, and mean a picture that is seen
    (tmp_path / "a.bmp").write_bytes(bit_fields(levels, 16, masks))
    assert (
        int(np.abs(np.asarray(open_upright(tmp_path / "a.bmp"), int) - levels[..., :3]).max()) <= 9
    )


def test_bit_fields_that_are_too_many_or_were_cut(tmp_path: Path) -> None:
    levels = np.asarray(picture(6, (60, 40)))
    contents = bit_fields(levels, 16, (0xF00, 0xF0, 0xF))
    (tmp_path / "a.bmp").write_bytes(contents)
    with pytest.raises(TooLargeError, match="60 x 40 pixels"):
        decode_photo(tmp_path / "a.bmp", PREPROCESSING, max_pixels=60 * 40 - 1)
    for size in (20, 60, len(contents) - 1):
        (tmp_path / "a.bmp").write_bytes(contents[:size])
        with pytest.raises(DecodeError):
            decode_photo(tmp_path / "a.bmp", PREPROCESSING)


def test_a_jpeg_of_12_bits_is_refused_with_the_reason(tmp_path: Path) -> None:
    jpeg = bytearray(coded(picture(), "JPEG"))
    jpeg[jpeg.index(b"\xff\xc0") + 4] = 12
    (tmp_path / "a.jpg").write_bytes(jpeg)
    reason = "^a JPEG of 12 bits per colour is not supported; export it as PNG$"
    with pytest.raises(UnsupportedError, match=reason):
        decode_photo(tmp_path / "a.jpg", PREPROCESSING)
