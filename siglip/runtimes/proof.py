"""The proof that a conversion agrees with transformers' own processor and towers.

It imports torch and transformers, so only the converting process runs it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from transformers import PreTrainedTokenizerBase, SiglipImageProcessorPil, SiglipTokenizer
from transformers.models.siglip2.tokenization_siglip2 import Siglip2Tokenizer

from sigseek.errors import ErrorKind, Option, Remedy
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.errors import CheckpointError
from sigseek.siglip.runtimes.openvino import CompiledModel
from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower
from sigseek.siglip.tokenizer import Tokenizer

LEAST_COSINE = {"fp32": 0.9999, "bf16": 0.999}
TEXTS = (
    "a photo of a cat",
    "This is a photo of TWO dogs, on a sofa!",
    "beach",
    "un château au bord de la mer - 城",
    "</s> <unk> {}",
    "",
    "a red house by the sea at night " * 20,
)


def pictures(count: int = 4) -> list[Image.Image]:
    """Draw pictures of various shapes, the same ones at every call.

    They are gradients of colour with rectangles and ellipses on them.
    """
    rng = np.random.default_rng(0)
    drawn = []
    for number in range(count):
        width, height = (int(side) for side in rng.integers(80, 700, 2))
        down, across = np.mgrid[0:height, 0:width]
        slopes = np.stack(
            [down / height, across / width, (down + across) / (height + width)], axis=2
        )
        image = Image.fromarray((slopes * rng.integers(60, 256, 3)).astype(np.uint8))
        draw = ImageDraw.Draw(image)
        for _ in range(number + 2):
            box = np.sort(rng.integers(0, [width, height], (2, 2)), axis=0).reshape(-1).tolist()
            figure = draw.ellipse if rng.random() < 0.5 else draw.rectangle
            figure(box, fill=tuple(rng.integers(0, 256, 3).tolist()))
        drawn.append(image)
    return drawn


def prove(checkpoint: Checkpoint, conversion: Path, precision: str) -> dict[str, float]:
    """Return the least cosine of each tower to transformers in fp32.

    Raises CheckpointError when one is too low, or when pixels or token ids differ at all from those
    of transformers' processor.
    """
    images = pictures()
    pixels = np.stack([checkpoint.preprocessing.resize(image) for image in images])
    ids = Tokenizer(checkpoint).encode(TEXTS)
    _check_equal(
        "pixels",
        checkpoint.preprocessing.normalize(pixels),
        _reference_pixels(checkpoint, images),
        checkpoint,
    )
    _check_equal("token ids", ids, _reference_ids(checkpoint), checkpoint)
    least = LEAST_COSINE[precision]
    # One tower after the other, so that only one is in memory
    reference = TorchImageTower(checkpoint, "cpu", "fp32").embed(pixels)
    found = {"image": _least_cosine(conversion / "image.xml", precision, pixels, reference)}
    reference = TorchTextTower(checkpoint, "cpu", "fp32").embed(TEXTS)
    found["text"] = _least_cosine(conversion / "text.xml", precision, ids, reference)
    for tower, cosine in found.items():
        if not cosine >= least:  # also refuses NaN
            exact = Remedy("try {}, and report this", (Option("precision", "fp32"),))
            raise CheckpointError(
                f"the {tower} tower of {checkpoint.name} changes when converted to {precision} "
                f"(cosine {cosine:.5f}, at least {least} is needed)",
                exact if precision != "fp32" else "please report this",
                ErrorKind.UNSUPPORTED,
            )
    return found


def _least_cosine(
    model: Path, precision: str, inputs: npt.NDArray[Any], reference: npt.NDArray[np.float32]
) -> float:
    return float(
        (CompiledModel(model, precision, cache=False).embed(inputs) * reference).sum(axis=1).min()
    )


def _check_equal(
    what: str, ours: npt.NDArray[Any], theirs: npt.NDArray[Any], checkpoint: Checkpoint
) -> None:
    if not np.array_equal(ours, theirs):
        raise CheckpointError(
            f"sigseek's {what} for {checkpoint.name} differ from transformers'",
            "please report this",
            ErrorKind.UNSUPPORTED,
        )


def _reference_pixels(checkpoint: Checkpoint, images: list[Image.Image]) -> npt.NDArray[np.float32]:
    processor = SiglipImageProcessorPil.from_pretrained(checkpoint.directory, local_files_only=True)
    pixels: npt.NDArray[np.float32] = processor(images=images, return_tensors="np")["pixel_values"]
    return pixels


def _reference_ids(checkpoint: Checkpoint) -> npt.NDArray[np.int64]:
    sentencepiece = (checkpoint.directory / "spiece.model").is_file()
    kind: type[PreTrainedTokenizerBase] = SiglipTokenizer if sentencepiece else Siglip2Tokenizer
    tokenizer = kind.from_pretrained(checkpoint.directory, local_files_only=True)
    length = checkpoint.text_length
    encoded = tokenizer(
        list(TEXTS), padding="max_length", max_length=length, truncation=True, padding_side="right"
    )
    return np.array(encoded["input_ids"], np.int64)
