"""Parity of our logits with transformers' own SiglipModel, through the real loading code."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import SiglipModel, SiglipProcessor, SiglipTokenizer

from sigseek.errors import ErrorKind
from sigseek.siglip import Checkpoint, CheckpointError
from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower, choose_device
from sigseek.siglip.scoring import cosines
from tests.conftest import CORPORA, needs_corpora

TEXTS = ["a photo of a cat", "two red houses by the sea at night", "Sailboats!", "", "a bus " * 60]
KINDS = ["mini", "base", pytest.param("whole_base", marks=pytest.mark.slow)]


def check_logits(checkpoint: Checkpoint, images: list[Image.Image]) -> None:
    preprocessing = checkpoint.preprocessing
    pixels = np.stack([preprocessing.resize(image) for image in images])
    embedded, asked = (
        TorchImageTower(checkpoint, "cpu").embed(pixels),
        TorchTextTower(checkpoint, "cpu").embed(TEXTS),
    )
    for vectors in (embedded, asked):
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    ours = checkpoint.scoring.logits(cosines(embedded, asked))

    # The processor is put together by hand: from_pretrained would want more files than a checkpoint
    # must have.
    tokenizer = SiglipTokenizer.from_pretrained(checkpoint.directory)
    tokens = tokenizer(
        TEXTS, padding="max_length", max_length=checkpoint.text_length, truncation=True
    )["input_ids"]
    model = SiglipModel.from_pretrained(checkpoint.directory, dtype=torch.float32).eval()
    with torch.inference_mode():
        theirs = model(
            input_ids=torch.tensor(tokens),
            pixel_values=torch.from_numpy(preprocessing.normalize(pixels)),
        )
    np.testing.assert_allclose(ours, theirs.logits_per_image.numpy(), atol=1e-4)
    probabilities = torch.sigmoid(theirs.logits_per_image).numpy()
    np.testing.assert_allclose(
        checkpoint.scoring.probabilities(cosines(embedded, asked)), probabilities, atol=1e-4
    )


def opened(paths: list[Path]) -> list[Image.Image]:
    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(image.convert("RGB"))
    return images


def photos() -> list[Path]:
    folder = CORPORA / "photos"
    return [
        *sorted((folder / "everyday").rglob("*.jpg"))[:5],
        *sorted((folder / "clothing").rglob("*.jpg"))[:5],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_logits_on_drawn_photos(kind: str, drawn: Path, request: pytest.FixtureRequest) -> None:
    check_logits(request.getfixturevalue(kind), opened(sorted(drawn.glob("*.jpg"))[:4]))


@needs_corpora
@pytest.mark.parametrize("kind", KINDS)
def test_logits_on_real_photos(kind: str, request: pytest.FixtureRequest) -> None:
    check_logits(request.getfixturevalue(kind), opened(photos()))


def test_the_bias_and_scale_of_the_base_are_telling(base: Checkpoint, drawn: Path) -> None:
    images = opened(sorted(drawn.glob("*.jpg"))[:1])
    embedded = TorchImageTower(base, "cpu").embed(
        np.stack([base.preprocessing.resize(image) for image in images])
    )
    cosine = cosines(embedded, TorchTextTower(base, "cpu").embed(["a cat"]))
    assert abs(float(base.scoring.logits(cosine)[0, 0]) - float(cosine[0, 0])) > 5


def test_the_whole_processor_and_mini_agree(mini: Checkpoint, drawn: Path) -> None:
    """End to end as the model card shows it: processor, model, sigmoid."""
    image = opened(sorted(drawn.glob("*.jpg"))[:1])[0]
    processor = SiglipProcessor.from_pretrained(mini.directory)
    model = SiglipModel.from_pretrained(mini.directory, dtype=torch.float32).eval()
    inputs = processor(
        text=TEXTS, images=image, padding="max_length", truncation=True, return_tensors="pt"
    )
    assert set(inputs) == {"input_ids", "pixel_values"}, "no attention mask: padding is attended"
    with torch.inference_mode():
        theirs = model(**inputs).logits_per_image.numpy()
    pixels = mini.preprocessing.resize(image)[None]
    ours = mini.scoring.logits(
        cosines(
            TorchImageTower(mini, "cpu").embed(pixels), TorchTextTower(mini, "cpu").embed(TEXTS)
        )
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_devices() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device("auto") in ("cpu", "cuda", "mps")
    for device in ("cuda", "mps"):
        if device != choose_device("auto"):
            with pytest.raises(CheckpointError, match=f"no '{device}' device"):
                choose_device(device)
    with pytest.raises(CheckpointError, match="'tpu' is not a device"):
        choose_device("tpu")


def test_a_device_whose_memory_is_full_is_told_in_one_line(
    mini: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_memory(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    tower = TorchTextTower(mini, "cpu")
    monkeypatch.setattr(tower._model, "forward", take_memory)
    with pytest.raises(CheckpointError, match=r"^the memory of cpu is full; "):
        tower.embed(["a house"])
    monkeypatch.setattr(torch.nn.Module, "to", take_memory)
    with pytest.raises(CheckpointError, match=r"^the memory of cpu is full; ") as caught:
        TorchImageTower(mini, "cpu")
    assert caught.value.kind is ErrorKind.UNAVAILABLE
