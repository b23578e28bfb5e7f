"""The preview in a DNG against what the sensor saw."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from sigseek.demo.drawing import draw_scene
from sigseek.demo.scene import numbered_scene
from sigseek.indexer.decoding.decode import decode_photo
from sigseek.indexer.errors import LargePhotoError
from sigseek.siglip import Preprocessing
from tests.photos import open_upright
from tests.raw_files import save_dng
from tests.test_opening import stored

PREPROCESSING = Preprocessing(32, 32, 3, 1 / 255, (0.5,) * 3, (0.5,) * 3)
SENSOR, DEVELOPED, PREVIEW = (960, 720), (480, 360), (400, 300)


@pytest.fixture(scope="module", params=range(3))
def scene(request: pytest.FixtureRequest) -> Image.Image:
    return draw_scene(numbered_scene(request.param, 11), SENSOR, request.param)


def shown(path: Path) -> Image.Image:
    image = open_upright(path)
    decoded = decode_photo(path, PREPROCESSING)
    assert (decoded.format, decoded.damaged) == ("RAW", False)
    assert sorted((decoded.width, decoded.height)) == sorted(SENSOR), "of the RAW"
    return image


def likeness(one: Image.Image, other: Image.Image) -> float:
    """Return the correlation of the levels of two pictures."""
    levels = [np.asarray(image.convert("L").resize((40, 30)), float) for image in (one, other)]
    return float(np.corrcoef(levels[0].ravel(), levels[1].ravel())[0, 1])


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_preview_of_the_shot_is_used(
    tmp_path: Path, scene: Image.Image, orientation: int
) -> None:
    preview = scene.resize(PREVIEW)
    edited = [
        preview,
        ImageEnhance.Color(preview).enhance(0),
        ImageEnhance.Brightness(preview).enhance(0.5),
        ImageEnhance.Contrast(preview).enhance(1.6),
        ImageOps.equalize(preview),
    ]
    for image in edited:
        path = save_dng(tmp_path / "a.dng", scene, image, orientation)
        assert sorted(shown(path).size) == sorted(PREVIEW)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_another_preview_gives_way_to_the_development(
    tmp_path: Path, scene: Image.Image, orientation: int
) -> None:
    other = draw_scene(numbered_scene(8, 12), PREVIEW, 1).rotate(90).resize(PREVIEW)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    upright = stored(scene.resize(DEVELOPED), {6: 8, 8: 6}.get(orientation, orientation))
    for image in (scene.resize(PREVIEW).rotate(180), Image.fromarray(noise), other):
        path = save_dng(tmp_path / "a.dng", scene, image, orientation)
        image = shown(path)
        assert image.size == upright.size
        assert likeness(image, upright) > 0.95


def test_a_damaged_preview_gives_way_to_the_development(tmp_path: Path, scene: Image.Image) -> None:
    path = save_dng(tmp_path / "a.dng", scene, scene.resize(PREVIEW))
    packed = BytesIO()
    scene.resize(PREVIEW).save(packed, "JPEG", quality=92)
    contents = path.read_bytes()
    begin = contents.index(packed.getvalue())
    lost = contents[begin + 9_000 : begin + len(packed.getvalue())]
    path.write_bytes(contents.replace(lost, bytes(len(lost))))
    image = shown(path)
    assert image.size == DEVELOPED
    assert likeness(image, scene) > 0.95


def test_developing_in_place_of_a_preview_keeps_to_the_limits(
    tmp_path: Path, scene: Image.Image
) -> None:
    path = save_dng(tmp_path / "a.dng", scene, scene.resize(PREVIEW).rotate(180))
    with pytest.raises(LargePhotoError):
        decode_photo(path, PREPROCESSING, max_held=960 * 720 - 1)
