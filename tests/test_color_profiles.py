import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from sigseek.indexer.decoding.color_profiles import to_srgb
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.siglip import Preprocessing
from tests.photos import open_upright, picture

BASE = Preprocessing(224, 224, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_profile() -> bytes:
    """Return sRGB's profile with red and blue for each other: what is stored as red is blue."""
    return (
        srgb_profile()
        .replace(b"rXYZ", b"tmp!", 1)
        .replace(b"bXYZ", b"rXYZ", 1)
        .replace(b"tmp!", b"bXYZ", 1)
    )


def wide_profile() -> bytes:
    """Return a profile of Display P3's primaries, adapted to D50, with sRGB's curve."""
    columns = {
        b"rXYZ": (0.5151, 0.2412, -0.0011),
        b"gXYZ": (0.2920, 0.6922, 0.0419),
        b"bXYZ": (0.1571, 0.0666, 0.7841),
    }
    profile = bytearray(srgb_profile())
    for number in range(int.from_bytes(profile[128:132])):
        signature, offset, _ = struct.unpack(
            ">4sII", profile[132 + 12 * number : 144 + 12 * number]
        )
        if signature in columns:
            profile[offset + 8 : offset + 20] = struct.pack(
                ">3i", *(round(65536 * value) for value in columns[signature])
            )
    return bytes(profile)


def grey_profile(gamma: float) -> bytes:
    """Return a grey profile of a plain power."""
    curve = struct.pack(">4sxxxxIHxx", b"curv", 1, round(256 * gamma))
    white = struct.pack(">4sxxxx3i", b"XYZ ", 63190, 65536, 54061)
    places = 132 + 24
    tags = struct.pack(
        ">I4sII4sII", 2, b"kTRC", places, len(curve), b"wtpt", places + len(curve), len(white)
    )
    header = bytearray(srgb_profile()[:128])
    header[0:4] = struct.pack(">I", places + len(curve) + len(white))
    header[16:20] = b"GRAY"
    return bytes(header) + tags + curve + white


def moved(image: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(image, np.float64) - np.asarray(other, np.float64)).max())


@pytest.mark.parametrize("extension", ["jpg", "png", "tiff", "webp", "avif"])
def test_a_profile_is_applied(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    Image.new("RGB", (32, 32), (200, 30, 10)).save(path, icc_profile=swapped_profile(), quality=95)
    assert np.abs(np.subtract(open_upright(path).getpixel((9, 9)), (10, 30, 200))).max() <= 4


def test_the_known_colours_of_display_p3(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    # CSS Color 4 has for color(display-p3 0.5 0.25 0.75) about rgb(54.4% 24.1% 77.3%).
    Image.new("RGB", (4, 4), (128, 64, 191)).save(path, icc_profile=wide_profile())
    assert np.abs(np.subtract(open_upright(path).getpixel((1, 1)), (139, 61, 197))).max() <= 3


def test_an_srgb_profile_changes_not_a_level(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png", icc_profile=srgb_profile())
    assert moved(open_upright(tmp_path / "a.png"), picture()) == 0


def test_a_grey_profile(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 128).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    linear = 255 * (1.055 * (128 / 255) ** (1 / 2.4) - 0.055)
    assert np.abs(np.subtract(open_upright(tmp_path / "a.png").getpixel((1, 1)), linear)).max() <= 2


def test_a_profile_of_another_mode_costs_nothing(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    assert moved(open_upright(tmp_path / "a.png"), picture()) == 0


@pytest.mark.parametrize("mode", ["RGBA", "P", "LA", "PA"])
def test_transparency_stays(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (255, 0, 0, 0))
    converted = to_srgb(image.convert(mode), swapped_profile(), None)
    assert converted.getpixel((1, 0))[3] == 0
    if mode in ("RGBA", "PA"):
        assert np.abs(np.subtract(converted.getpixel((0, 0)), (0, 0, 255, 255))).max() <= 2


def test_a_palettes_colours_are_converted(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (255, 0, 0)).convert("P").save(
        tmp_path / "a.png", icc_profile=swapped_profile()
    )
    assert (
        np.abs(np.subtract(open_upright(tmp_path / "a.png").getpixel((1, 1)), (0, 0, 255))).max()
        <= 2
    )


def test_what_is_converted_is_reduced_first_and_looks_the_same(tmp_path: Path) -> None:
    image = picture(3, (2000, 1500))
    image.save(tmp_path / "a.png", icc_profile=wide_profile(), compress_level=1)
    decoded = decode_photo(tmp_path / "a.png", BASE)
    assert (decoded.width, decoded.height) == (2000, 1500)
    plain = BASE.resize(open_upright(tmp_path / "a.png")).astype(np.float64)
    error = float(((decoded.pixels - plain) ** 2).mean())
    assert 10 * np.log10(255**2 / error) > 45, "dB"


@given(
    st.integers(0, 600),
    st.binary(max_size=40),
    st.sampled_from(["RGB", "L", "CMYK", "RGBA", "1", "YCbCr"]),
)
def test_a_broken_profile_costs_nothing(place: int, damage: bytes, mode: str) -> None:
    profile = bytearray(srgb_profile())
    profile[place : place + len(damage)] = damage
    converted = to_srgb(picture(0, (8, 8)).convert(mode), bytes(profile), (8, 8))
    assert converted.size == (8, 8)
    assert converted.convert("RGB").mode == "RGB"


@pytest.mark.parametrize("gamma", [1.0, 2.2])
def test_black_and_white_has_no_profile(tmp_path: Path, gamma: float) -> None:
    picture(0, (900, 900)).convert("1").save(tmp_path / "a.tiff", icc_profile=grey_profile(gamma))
    shown = np.asarray(decode_photo(tmp_path / "a.tiff", BASE).pixels, np.float64)
    np.testing.assert_array_equal(
        shown, BASE.resize(picture(0, (900, 900)).convert("1").convert("RGB"))
    )
