import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sigseek.indexer import DecodeError
from sigseek.indexer.decoding import decode as decode_module
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.decoding.digest import digest_file
from sigseek.indexer.decoding.formats import DECODED
from sigseek.indexer.errors import LargePhotoError, TooLargeError, UndecidedError
from sigseek.siglip import Checkpoint, Preprocessing
from sigseek.siglip.runtimes.torch import TorchImageTower
from tests.conftest import CORPORA, needs_corpora
from tests.photos import difference, exif, letter_f, open_upright, picture, save

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    "extension",
    [
        "jpg",
        "mpo",
        "png",
        "webp",
        "avif",
        "gif",
        "tiff",
        "jp2",
        "bmp",
        "dib",
        "ppm",
        "tga",
        "pcx",
        "sgi",
        "qoi",
        "ico",
        "dds",
    ],
)
def test_every_format_is_really_read(tmp_path: Path, extension: str) -> None:
    path = save(
        tmp_path / f"a.{extension}", **({"sizes": [(64, 48)]} if extension == "ico" else {})
    )
    decoded = decode_photo(path, PREPROCESSING)
    assert decoded.pixels.shape == (32, 32, 3)
    assert decoded.pixels.dtype == np.uint8
    assert (decoded.width, decoded.height) == (64, 48)
    tolerance = 30 if extension == "gif" else 6
    assert difference(decoded.pixels, PREPROCESSING.resize(picture())) < tolerance


def test_the_list_names_formats_that_pillow_knows() -> None:
    Image.init()
    assert set(DECODED) <= set(Image.OPEN)
    assert not {"EPS", "PDF", "WMF", "FPX"} & set(DECODED)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ["jpg", "png", "tiff", "webp"])
def test_orientation_is_applied(tmp_path: Path, orientation: int, extension: str) -> None:
    turn_back = {
        2: 0,
        3: 3,
        4: 1,
        5: 5,
        6: 2,
        7: 6,
        8: 4,
    }  # the transposition that undoes each orientation's own
    upright = letter_f()
    stored = (
        upright.transpose(Image.Transpose(turn_back[orientation])) if orientation > 1 else upright
    )
    path = tmp_path / f"f.{extension}"
    stored.save(path, exif=exif(Orientation=orientation))
    assert difference(open_upright(path), upright) < 8
    assert difference(decode_photo(path, PREPROCESSING).pixels, PREPROCESSING.resize(upright)) < 8


def test_transparency_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 4, 8))
    image.save(tmp_path / "a.png")
    shown = open_upright(tmp_path / "a.png")
    assert shown.getpixel((1, 1)) == (0, 0, 255)
    assert shown.getpixel((6, 1)) == (255, 255, 255)


def test_a_transparent_palette_colour_lies_over_white(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([10, 20, 30, 200, 100, 0])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "a.png", transparency=1)
    shown = open_upright(tmp_path / "a.png")
    assert shown.getpixel((0, 0)) == (10, 20, 30)
    assert shown.getpixel((2, 2)) == (255, 255, 255)


@pytest.mark.parametrize("extension", ["png", "tiff"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path: Path, extension: str) -> None:
    levels = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    Image.fromarray(levels).save(tmp_path / f"a.{extension}")
    shown = np.asarray(open_upright(tmp_path / f"a.{extension}"))[..., 0]
    np.testing.assert_allclose(shown, levels / 257, atol=1)


def test_cmyk_and_grey_become_rgb(tmp_path: Path) -> None:
    picture().convert("CMYK").save(tmp_path / "a.jpg")
    picture().convert("L").save(tmp_path / "b.jpg")
    assert difference(open_upright(tmp_path / "a.jpg"), picture()) < 6
    assert difference(open_upright(tmp_path / "b.jpg"), picture().convert("L").convert("RGB")) < 6


def test_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [picture(seed) for seed in range(3)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=True)
    frames[0].save(tmp_path / "a.tiff", save_all=True, append_images=frames[1:])
    assert difference(open_upright(tmp_path / "a.webp"), frames[0]) == 0
    assert difference(open_upright(tmp_path / "a.tiff"), frames[0]) == 0


def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(
        TooLargeError,
        match=r"^too large: 64 x 48 pixels; the limit is 0.003071 megapixels$",
    ):
        decode_photo(path, PREPROCESSING, max_pixels=64 * 48 - 1)
    assert decode_photo(path, PREPROCESSING, max_pixels=64 * 48).damaged


def test_what_the_decoder_would_hold_at_once(tmp_path: Path) -> None:
    plain, progressive = save(tmp_path / "a.png"), tmp_path / "b.jpg"
    picture(size=(640, 480)).save(progressive, progressive=True)
    picture(size=(640, 480)).save(tmp_path / "c.jpg")
    decode_photo(plain, PREPROCESSING, max_held=64 * 48)
    decode_photo(tmp_path / "c.jpg", PREPROCESSING, max_held=160 * 120)
    for path, held in (
        (plain, 64 * 48 - 1),
        (progressive, 640 * 480 - 1),
        (tmp_path / "c.jpg", 160 * 120 - 1),
    ):
        with pytest.raises(LargePhotoError):
            decode_photo(path, PREPROCESSING, max_held=held)


def test_why_a_file_gives_no_picture(tmp_path: Path) -> None:
    whole = save(tmp_path / "whole.jpg").read_bytes()
    cases = {
        "empty.jpg": (b"", "the file is empty"),
        "text.jpg": (b"hello, world", "not a picture"),
        "begin.jpg": (whole[:700], "(?i)damaged.*truncated"),
        "a.heic": (b"\0\0\0\x18ftypheic", "damaged, or an unsupported kind of HEIC"),
        "a.nef": (
            b"neither RAW nor anything else",
            "damaged, or an unsupported kind of camera RAW",
        ),
        "a.eps": (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
            "would start another program",
        ),
        "eps.jpg": (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
            "not a picture",
        ),
    }
    for name, (contents, reason) in cases.items():
        (tmp_path / name).write_bytes(contents)
        with pytest.raises(DecodeError, match=reason):
            decode_photo(tmp_path / name, PREPROCESSING)


def test_the_small_preview_in_a_raw_file_is_not_taken_for_the_photo(tmp_path: Path) -> None:
    save(tmp_path / "a.tiff").rename(tmp_path / "a.dng")
    with pytest.raises(DecodeError, match="damaged, or an unsupported kind of camera RAW"):
        decode_photo(tmp_path / "a.dng", PREPROCESSING)


def test_a_disks_error_is_not_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_disk(*_: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(decode_module, "_upright_rgb", broken_disk)
    with pytest.raises(OSError, match="Input/output error"):
        decode_photo(save(tmp_path / "a.jpg"), PREPROCESSING)


def test_a_wrong_extension_is_no_obstacle(tmp_path: Path) -> None:
    save(tmp_path / "a.png").rename(tmp_path / "a.heic")
    assert decode_photo(tmp_path / "a.heic", PREPROCESSING).format == "PNG"


def test_a_place_before_the_beginning_is_damage_not_the_disks_error(tmp_path: Path) -> None:
    picture().convert("L").save(tmp_path / "a.pcx")
    (tmp_path / "a.pcx").write_bytes((tmp_path / "a.pcx").read_bytes()[:113])
    with pytest.raises(DecodeError, match=r"damaged.*Invalid argument"):
        decode_photo(tmp_path / "a.pcx", PREPROCESSING)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_damage_is_a_decode_error_or_a_picture(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    name = data.draw(
        st.sampled_from(["a.jpg", "a.png", "a.gif", "a.tiff", "a.webp", "a.bmp", "a.jp2", "a.avif"])
    )
    folder = tmp_path_factory.mktemp("fuzz")
    raw = bytearray(save(folder / name, exif=exif(Make="Maker", Orientation=6)).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(raw) - 1), max_size=12)):
        raw[place] = data.draw(st.integers(0, 255))
    (folder / name).write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    try:
        outcome = decode_photo(folder / name, PREPROCESSING).pixels.shape
    except DecodeError as error:
        outcome = str(error)
    assert outcome == (32, 32, 3) or (isinstance(outcome, str) and outcome and "\n" not in outcome)


@needs_corpora
def test_the_orientation_examples_all_look_alike() -> None:
    for shape in ("Landscape", "Portrait"):
        paths = sorted((CORPORA / "photos" / "orientation").rglob(f"{shape}_*.jpg"))
        assert len(paths) == 9
        shown = [decode_photo(path, PREPROCESSING).pixels for path in paths]
        assert max(difference(shown[0], other) for other in shown[1:]) < 12, shape


def test_a_digest_is_of_all_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"abc")
    read = digest_file(path)
    assert read.digest.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (read.size, read.mtime_ns) == (3, path.stat().st_mtime_ns)
    parts = bytes(range(256)) * 5000  # read one after the other
    path.write_bytes(parts)
    assert digest_file(path).digest == hashlib.sha256(parts).digest()


def test_hashing_ends_when_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")

    def end() -> None:
        raise UndecidedError("the run was stopped")

    with pytest.raises(UndecidedError, match="the run was stopped"):
        digest_file(tmp_path / "a.jpg", end)


@pytest.fixture(scope="module")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn photo of 12 megapixels, as a camera writes it: lying, to be shown upright."""
    from sigseek.demo.drawing import draw_scene
    from sigseek.demo.scene import numbered_scene

    path = tmp_path_factory.mktemp("camera") / "photo.jpg"
    draw_scene(numbered_scene(5, 3), (4000, 3000), 3).save(
        path, quality=90, exif=exif(Orientation=6)
    )
    return path


def test_a_large_jpeg_is_decoded_reduced_with_headroom(
    camera: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = Preprocessing.resize

    def resize(self: Preprocessing, image: Image.Image) -> np.ndarray:
        seen.append(image.size)
        return real(self, image)

    monkeypatch.setattr(Preprocessing, "resize", resize)
    base = Preprocessing(224, 224, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)
    decoded = decode_photo(camera, base)
    assert seen == [(750, 1000)], (
        "a quarter, turned upright: an eighth would be less than twice 224"
    )
    assert (decoded.width, decoded.height) == (3000, 4000), "of the photo itself"
    plain = base.resize(open_upright(camera))
    error = float(((decoded.pixels.astype(np.float64) - plain) ** 2).mean())
    assert 10 * np.log10(255**2 / error) > 45, "dB"


def test_a_small_jpeg_is_decoded_in_full(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    picture(size=(63, 400)).save(path)
    decoded = decode_photo(path, PREPROCESSING)
    np.testing.assert_array_equal(decoded.pixels, PREPROCESSING.resize(open_upright(path)))
    assert (decoded.width, decoded.height) == (63, 400)


@needs_corpora
def test_real_photos_decoded_reduced_embed_like_whole_ones(mini: Checkpoint) -> None:
    tower = TorchImageTower(mini, "cpu")
    photos = CORPORA / "photos"
    paths = [
        *sorted((photos / "drone").glob("*.JPG"))[:3],
        *sorted((photos / "clothing").rglob("*.jpg"))[:5],
    ]
    reduced = np.stack([decode_photo(path, mini.preprocessing).pixels for path in paths])
    plain = np.stack([mini.preprocessing.resize(open_upright(path)) for path in paths])
    assert (reduced != plain).any()
    assert (tower.embed(reduced) * tower.embed(plain)).sum(axis=1).min() > 0.995
