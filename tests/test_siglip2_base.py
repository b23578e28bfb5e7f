"""The checkpoint for slow processors: loading, parity with transformers and conversion, on random
weights. Its exact configuration is for slow tests; the others have two layers of the same size.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from transformers import SiglipModel
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

from sigseek.progress import Stop
from sigseek.siglip import Checkpoint
from sigseek.siglip.checkpoint import read_checkpoint
from sigseek.siglip.published import FAST, find_published
from sigseek.siglip.runtimes.conversion import convert
from sigseek.siglip.runtimes.openvino import OpenVinoImageTower, OpenVinoTextTower
from sigseek.siglip.runtimes.proof import pictures
from sigseek.siglip.runtimes.quantization import quantize
from sigseek.siglip.scoring import cosines
from sigseek.siglip.tower_work import read_vision_shape
from tests.checkpoints import (
    save_siglip2_base,
    siglip2_base_patch32,
    weight_bytes,
    with_two_layers,
)
from tests.conversions import converting_here
from tests.listeners import Heard

TEXTS = ["a photo of two cats", "Zwei rote Häuser am Meer!", "夜の城", "", "a red house " * 60]


def _has_vnni() -> bool:
    """Return whether the processor multiplies bytes without an overflow."""
    facts = Path("/proc/cpuinfo")
    return facts.exists() and "vnni" in facts.read_text()


@pytest.fixture(
    scope="module", params=["two layers", pytest.param("whole", marks=pytest.mark.slow)]
)
def fast(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Checkpoint]:
    config = siglip2_base_patch32()
    if request.param == "two layers":
        config = with_two_layers(config)
    directory = save_siglip2_base(tmp_path_factory.mktemp("siglip2") / "base-patch32-256", config)
    yield read_checkpoint(directory, FAST)
    shutil.rmtree(directory)  # 1.5 GB of the whole one


def test_it_has_the_published_shape(fast: Checkpoint, tmp_path: Path) -> None:
    config = siglip2_base_patch32()
    config.save_pretrained(tmp_path)
    published = find_published(FAST)
    assert published is not None
    assert read_vision_shape(tmp_path) == published.shape
    assert weight_bytes(config) == pytest.approx(published.download_bytes, abs=100_000), (
        "and a header"
    )
    assert (published.shape.patches, fast.dimension, fast.text_length) == (64, 768, 64)
    assert (fast.preprocessing.height, fast.preprocessing.width) == (256, 256)


@pytest.fixture(scope="module")
def exact(fast: Checkpoint) -> Iterator[Path]:
    """The conversion in fp32, of which the first test shows that it gives transformers' logits."""
    heard = Heard()
    with converting_here():
        made = convert(fast, "fp32", heard, Stop())
    assert heard.lines == [f"preparing {FAST} in fp32 for this machine, once"]
    yield made
    shutil.rmtree(made)


def test_a_conversion_gives_transformers_logits(fast: Checkpoint, exact: Path) -> None:
    """The conversion's own proof compares the pixels and the token ids; this compares scores."""
    pixels = _pixels(fast, pictures(4))
    ours = fast.scoring.logits(
        cosines(
            OpenVinoImageTower(exact / "image.xml", "fp32").embed(pixels),
            OpenVinoTextTower(exact / "text.xml", "fp32", fast).embed(TEXTS),
        )
    )
    np.testing.assert_allclose(ours, _reference_logits(fast, pixels), atol=1e-3)


def test_bf16_is_close_to_fp32(fast: Checkpoint, exact: Path) -> None:
    """Pictures and texts other than those of the conversion's own proof are compared."""
    with converting_here():
        made = convert(fast, "bf16", Heard(), Stop())
    try:
        pixels = _pixels(fast, pictures(12)[4:])
        images = OpenVinoImageTower(made / "image.xml", "bf16").embed(pixels)
        texts = OpenVinoTextTower(made / "text.xml", "bf16", fast).embed(TEXTS)
        exact_images = OpenVinoImageTower(exact / "image.xml", "fp32").embed(pixels)
        exact_texts = OpenVinoTextTower(exact / "text.xml", "fp32", fast).embed(TEXTS)
        assert (images * exact_images).sum(axis=1).min() > 0.999
        assert (texts * exact_texts).sum(axis=1).min() > 0.999
    finally:
        shutil.rmtree(made)


@pytest.mark.skipif(not _has_vnni(), reason="products overflow here, and int8 may be refused")
def test_int8_is_close_to_fp32(fast: Checkpoint, exact: Path, tmp_path: Path) -> None:
    """The quantisation is what is this checkpoint's own; `convert` in int8 is tested with mini."""
    photos = _pixels(fast, pictures(48))
    quantize(exact / "image.xml", tmp_path / "image.xml", photos[:40])
    images = OpenVinoImageTower(tmp_path / "image.xml", "int8").embed(photos[40:])
    expected = OpenVinoImageTower(exact / "image.xml", "fp32").embed(photos[40:])
    assert 0.99 < (images * expected).sum(axis=1).min() < 0.999999, "it is quantised"


def _pixels(checkpoint: Checkpoint, images: list[Image.Image]) -> npt.NDArray[np.uint8]:
    return np.stack([checkpoint.preprocessing.resize(image) for image in images])


def _reference_logits(checkpoint: Checkpoint, pixels: np.ndarray) -> np.ndarray:
    tokenizer = Siglip2Tokenizer.from_pretrained(checkpoint.directory, local_files_only=True)
    ids = tokenizer(
        TEXTS, padding="max_length", max_length=64, truncation=True, padding_side="right"
    )["input_ids"]
    model = SiglipModel.from_pretrained(checkpoint.directory, dtype=torch.float32).eval()
    with torch.inference_mode():
        return (
            model(
                input_ids=torch.tensor(ids),
                pixel_values=torch.from_numpy(checkpoint.preprocessing.normalize(pixels)),
            )
            .logits_per_image.numpy()
            .copy()
        )
