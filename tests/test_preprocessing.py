import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from transformers import SiglipImageProcessorPil

from sigseek.siglip import CheckpointError, Preprocessing
from sigseek.siglip import preprocessing as preprocessing_module
from tests.conftest import CORPORA, needs_corpora

BASE = {
    "size": {"height": 224, "width": 224},
    "resample": 3,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}
ODD = {
    "size": {"height": 48, "width": 48},
    "resample": 2,
    "image_mean": [0.48, 0.45, 0.4],
    "image_std": [0.27, 0.26, 0.28],
}


def pixels(config: dict[str, object], image: Image.Image) -> np.ndarray:
    preprocessing = Preprocessing.from_config(config, "a test")
    return preprocessing.normalize(preprocessing.resize(image)[None])


def reference(config: dict[str, object], image: Image.Image) -> np.ndarray:
    return SiglipImageProcessorPil(**config)(images=image, return_tensors="np")["pixel_values"]


@settings(deadline=None, max_examples=40)
@given(
    arrays(np.uint8, st.tuples(st.integers(1, 90), st.integers(1, 90), st.just(3))),
    st.sampled_from([BASE, ODD]),
)
def test_any_image_gives_the_processors_pixels(
    array: np.ndarray, config: dict[str, object]
) -> None:
    if array.shape[0] in (
        1,
        3,
    ):  # the processor takes such arrays for channels-first, so it is given images only
        array = np.repeat(array, 2, axis=0)
    image = Image.fromarray(array)
    ours = pixels(config, image)
    assert ours.dtype == np.float32
    np.testing.assert_array_equal(ours, reference(config, image))


@needs_corpora
@pytest.mark.parametrize("name", ["everyday/nested/cats/cat.jpg", "drone/DJI_0018.JPG", "clothing"])
def test_real_photos_give_the_processors_pixels(name: str) -> None:
    path = CORPORA / "photos" / name
    with Image.open(path if path.is_file() else next(path.rglob("*.jpg"))) as opened:
        image = opened.convert("RGB")
    np.testing.assert_array_equal(pixels(BASE, image), reference(BASE, image))


def test_absent_values_are_the_processors_defaults() -> None:
    image = Image.effect_noise((50, 40), 90).convert("RGB")
    np.testing.assert_array_equal(pixels({}, image), reference({}, image))


def test_fingerprint_changes_with_the_pixels() -> None:
    prints = {
        Preprocessing.from_config(config, "a test").fingerprint
        for config in (BASE, ODD, {**BASE, "resample": 2})
    }
    assert len(prints) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"do_resize": False},
        {"do_center_crop": True},
        {"size": {"shortest_edge": 224}},
        {"image_mean": "half"},
    ],
)
def test_what_no_siglip_does_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(CheckpointError, match="a test"):
        Preprocessing.from_config(BASE | change, "a test")


def test_the_filters_are_pillows() -> None:
    assert set(preprocessing_module._FILTERS) <= {int(filter_) for filter_ in Image.Resampling}
    assert Image.Resampling.BICUBIC == preprocessing_module._BICUBIC
