"""The same picture stored in many ways embeds as its plain twin does."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import numbered_scene
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from tests.photos import exif, write_png, write_tiff
from tests.raw_files import save_dng
from tests.test_color_profiles import grey_profile, swapped_profile, wide_profile

TURN_BACK = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
LEAST = 0.99
Embed = Callable[[Path], npt.NDArray[np.float32]]


@pytest.fixture(scope="module", autouse=True)
def encoders() -> None:
    register_heif_opener()
    import pillow_jxl  # noqa: F401


@pytest.fixture(scope="module", params=range(3))
def plain(request: pytest.FixtureRequest) -> Image.Image:
    return draw_scene(numbered_scene(request.param, 7), (480, 360), request.param)


@pytest.fixture(scope="module")
def embed(mini: Checkpoint, mini_towers: tuple[ImageTower, TextTower]) -> Embed:
    return lambda path: mini_towers[0].embed(decode_photo(path, mini.preprocessing).pixels[None])[0]


@pytest.fixture
def check(tmp_path: Path, plain: Image.Image, embed: Embed) -> Callable[..., None]:
    def check(path: Path, twin: Image.Image = plain) -> None:
        twin.save(tmp_path / "twin.png")
        assert float(embed(path) @ embed(tmp_path / "twin.png")) >= LEAST

    return check


# Each format has some orientations, and each orientation some formats; the rest are slow.
@pytest.mark.parametrize(
    ("extension", "orientation"),
    [
        pytest.param(
            extension,
            orientation,
            marks=() if orientation % 3 == number % 3 else pytest.mark.slow,
        )
        for number, extension in enumerate(["jpg", "png", "tiff", "webp", "heic", "avif"])
        for orientation in range(2, 9)
    ],
)
def test_orientations(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None], orientation: int, extension: str
) -> None:
    path = tmp_path / f"a.{extension}"
    turned = plain.transpose(Image.Transpose(TURN_BACK[orientation]))
    turned.save(path, exif=exif(Orientation=orientation).tobytes(), quality=92)
    check(path)


@pytest.mark.parametrize("extension", ["jpg", "webp", "heic", "avif", "jxl", "jp2", "bmp"])
def test_formats(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None], extension: str
) -> None:
    plain.save(tmp_path / f"a.{extension}")
    check(tmp_path / f"a.{extension}")


@pytest.mark.parametrize("extension", ["jpg", "png", "tiff"])
def test_another_rgb_profile(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None], extension: str
) -> None:
    path = tmp_path / f"a.{extension}"
    red, green, blue = plain.split()
    Image.merge("RGB", (blue, green, red)).save(path, icc_profile=swapped_profile(), quality=95)
    check(path)
    # Display P3's numbers for the same colours, by the primaries' matrices and sRGB's curve.
    levels = np.asarray(plain, np.float64) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    matrix = np.array([[0.8225, 0.1774, 0.0], [0.0332, 0.9669, 0.0], [0.0171, 0.0724, 0.9108]])
    other = (linear @ matrix.T).clip(0, 1)
    stored = np.where(other <= 0.0031308, 12.92 * other, 1.055 * other ** (1 / 2.4) - 0.055)
    Image.fromarray((stored * 255).round().astype(np.uint8)).save(
        path, icc_profile=wide_profile(), quality=95
    )
    check(path)


def test_a_grey_profile(tmp_path: Path, plain: Image.Image, check: Callable[..., None]) -> None:
    grey = plain.convert("L")
    levels = np.asarray(grey) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    stored = Image.fromarray((255 * linear ** (1 / 1.8)).round().astype(np.uint8))
    stored.save(tmp_path / "a.png", icc_profile=grey_profile(1.8))
    check(tmp_path / "a.png", grey)


@pytest.mark.parametrize("extension", ["png", "webp", "tiff", "heic", "avif", "jxl"])
def test_transparency_over_white(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None], extension: str
) -> None:
    see_through = plain.convert("RGBA")
    alpha = Image.linear_gradient("L").resize(plain.size)
    see_through.putalpha(alpha)
    see_through.save(tmp_path / f"a.{extension}", quality=92)
    check(
        tmp_path / f"a.{extension}",
        Image.composite(plain, Image.new("RGB", plain.size, "white"), alpha),
    )


@pytest.mark.parametrize("extension", ["png", "tiff", "heic"])
def test_sixteen_bit_grey(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None], extension: str
) -> None:
    levels = np.asarray(plain.convert("L"), np.uint16) * 257
    Image.fromarray(levels).save(tmp_path / f"a.{extension}")
    check(tmp_path / f"a.{extension}", plain.convert("L"))


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None], channels: int
) -> None:
    levels = np.asarray(plain.convert("RGBA" if channels == 4 else "RGB"), np.uint16) * 257
    write_png(tmp_path / "a.png", levels)
    check(tmp_path / "a.png")
    write_tiff(tmp_path / "a.tif", levels)
    check(tmp_path / "a.tif")


@pytest.mark.parametrize("extension", ["jpg", "tiff"])
def test_cmyk(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None], extension: str
) -> None:
    plain.convert("CMYK").save(
        tmp_path / f"a.{extension}"
    )  # Pillow writes such JPEGs inverted, as Adobe does
    check(tmp_path / f"a.{extension}")


def test_palette_and_first_frames(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None]
) -> None:
    palette = plain.quantize(256)
    palette.save(tmp_path / "a.png")
    check(tmp_path / "a.png")
    other = Image.new("RGB", plain.size, "green")
    for name in ("a.gif", "a.webp", "a.tiff", "b.png", "a.avif"):
        plain.save(tmp_path / name, save_all=True, append_images=[other])
        check(tmp_path / name)


def test_a_raw_files_preview(
    tmp_path: Path, plain: Image.Image, check: Callable[..., None]
) -> None:
    save_dng(tmp_path / "a.dng", Image.new("L", (960, 720)), plain)
    check(tmp_path / "a.dng")
