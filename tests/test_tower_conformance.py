"""What every runtime promises, run against each: shapes, norms, known numbers, threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sigseek.progress import Silence, Stop
from sigseek.siglip import Checkpoint, ImageTower, TextTower
from sigseek.siglip.checkpoint import read_checkpoint
from sigseek.siglip.runtimes.choose import load_image_tower, load_text_tower
from sigseek.siglip.runtimes.openvino import is_installed
from sigseek.siglip.shared_text_tower import SharedTextTower
from sigseek.siglip.tokenizer import Tokenizer
from tests.checkpoints import save_siglip2_tokenizer, save_tiny

CAPTIONS = ("three brown umbrellas", "a pink sailboat by the sea", "a blue mushroom in a forest")
KNOWN_COSINES = (
    (0.0826, 0.0595, -0.1772),
    (-0.3436, 0.1013, -0.3126),
    (-0.2992, -0.2513, 0.1313),
)
"""Cosines of the first three drawings (rows) and the captions, by transformers in fp32."""
TOLERANCE = {"fp32": 0.002, "bf16": 0.02}
THREADS = 2
CALLS = 8


@dataclass(frozen=True)
class Towers:
    images: ImageTower
    texts: TextTower


def no_photos() -> Any:
    raise AssertionError("only an int8 conversion asks for photos")


@pytest.fixture(scope="module", params=["torch", "openvino", "shared"])
def towers(request: pytest.FixtureRequest, mini: Checkpoint) -> Towers:
    if request.param == "torch":
        return Towers(*request.getfixturevalue("mini_towers"))
    if request.param == "shared":
        images, texts = request.getfixturevalue("mini_towers")
        return Towers(images, SharedTextTower(texts))
    if not is_installed():
        pytest.skip("OpenVINO has no package for this platform")
    return Towers(
        load_image_tower(mini, "cpu", "auto", no_photos, Silence(), Stop()),
        load_text_tower(mini, "cpu", "auto", Silence(), Stop()),
    )


@pytest.fixture(scope="module")
def pixels(mini: Checkpoint, drawn: Path) -> np.ndarray:
    resized = []
    for path in sorted(drawn.glob("*.jpg"))[:20]:
        with Image.open(path) as image:
            resized.append(mini.preprocessing.resize(image.convert("RGB")))
    return np.stack(resized)


@pytest.mark.parametrize("count", [0, 1, 3, 16, 17])
def test_any_number_of_pictures(
    towers: Towers, pixels: np.ndarray, mini: Checkpoint, count: int
) -> None:
    check(towers.images.embed(pixels[:count]), count, mini.dimension)


@pytest.mark.parametrize("count", [0, 1, 3, 65])
def test_any_number_of_texts(towers: Towers, mini: Checkpoint, count: int) -> None:
    check(towers.texts.embed([f"a photo of {n} cats" for n in range(count)]), count, mini.dimension)


def check(embeddings: np.ndarray, count: int, dimension: int) -> None:
    assert (embeddings.shape, embeddings.dtype) == ((count, dimension), np.float32)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)


def test_known_cosines(towers: Towers, pixels: np.ndarray) -> None:
    found = towers.images.embed(pixels[:3]) @ towers.texts.embed(CAPTIONS).T
    np.testing.assert_allclose(found, KNOWN_COSINES, atol=TOLERANCE[towers.images.precision])


def test_what_a_tower_says_of_itself(towers: Towers) -> None:
    assert towers.images.runtime in ("torch", "openvino")
    assert towers.images.device == "cpu"
    assert towers.images.precision in ("fp32", "bf16")
    assert towers.images.batch >= 1


def test_long_texts_are_cut(towers: Towers) -> None:
    assert not towers.texts.cuts("a cat")
    assert towers.texts.cuts("a cat " * 100)
    check(towers.texts.embed(["a cat " * 100]), 1, towers.texts.embed(["a"]).shape[1])


def test_results_belong_to_the_caller(towers: Towers, pixels: np.ndarray) -> None:
    first = towers.images.embed(pixels[:2])
    kept = first.copy()
    towers.images.embed(pixels[2:4])
    np.testing.assert_array_equal(first, kept)


def test_threads_get_the_numbers_of_their_own_pictures(towers: Towers, pixels: np.ndarray) -> None:
    batches = [pixels[n % 7 : n % 7 + 1 + n % 5] for n in range(THREADS * CALLS)]
    compare([towers.images.embed(batch) for batch in batches], batches, towers.images.embed)


def test_threads_get_the_numbers_of_their_own_texts(towers: Towers) -> None:
    batches = [[f"a photo of {n} cats"] * (1 + n % 3) for n in range(THREADS * CALLS)]
    compare([towers.texts.embed(batch) for batch in batches], batches, towers.texts.embed)


def compare(expected: Sequence[np.ndarray], batches: Sequence[Any], embed: Any) -> None:
    """Each batch embedded by one of several threads gives exactly what one thread got alone."""
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(embed, batches))
    for alone, together in zip(expected, found, strict=True):
        np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("kind", ["sentencepiece", "gemma"])
def test_a_tokenizer_serves_several_threads(kind: str, mini: Checkpoint, tmp_path: Path) -> None:
    checkpoint = mini
    if kind == "gemma":
        directory = save_tiny(tmp_path / "siglip2")
        (directory / "spiece.model").unlink()
        save_siglip2_tokenizer(directory)
        checkpoint = read_checkpoint(directory, "siglip2")
    tokenizer = Tokenizer(checkpoint)
    texts = [["two dogs", f"a house by lake {n}, 城"] for n in range(200)]
    compare([tokenizer.encode(batch) for batch in texts], texts, tokenizer.encode)
