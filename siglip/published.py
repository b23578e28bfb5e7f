"""The published checkpoints of fixed resolution, with what is known of them before a download.

The figures are top-1 accuracy and R@1 in percent, copied from the named sources. A figure that is
not in them is None. Those of the SigLIP 2 sources are the publisher's own. OpenCLIP measured the
same weights once more, and its COCO figures of the base checkpoint are 0.6 and 1.2 points higher
than the publisher's. The parameters are counted from the published configurations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sigseek.siglip.tower_work import VisionShape

SIGLIP2_README = (
    "https://github.com/google-research/big_vision/blob/main/big_vision/configs/proj/image_text/"
    "README_siglip2.md"
)
SIGLIP2_PAPER = "https://arxiv.org/abs/2502.14786"
OPENCLIP_RESULTS = "https://github.com/mlfoundations/open_clip/blob/main/docs/PRETRAINED.md"
"""The page that links to OpenCLIP's tables of classification and of retrieval."""

FAST = "google/siglip2-base-patch32-256"
"""The checkpoint whose image tower has the least work per photo of all in the list."""

ENGLISH, MANY = "English", "many"
_WEIGHT_BYTES = 4
_NAME = re.compile(r"siglip2?-(?P<size>.+)-patch(?P<patch>\d+)-(?P<image>\d+)")
_SHAPES = {
    "base": (768, 12, 3072),
    "large": (1024, 24, 4096),
    "so400m": (1152, 27, 4304),
    "giant-opt": (1536, 40, 6144),
}
"""Width, layers and width between the two layers of the MLP, by the size in a checkpoint's name."""


@dataclass(frozen=True)
class PublishedCheckpoint:
    """A checkpoint as its publisher describes it."""

    model: str
    """Its id on the Hugging Face hub."""
    shape: VisionShape
    parameters: int
    """The number of parameters of both towers."""
    languages: str
    """The languages of the texts that it was trained with: "English" or "many"."""
    imagenet: float | None = None
    """ImageNet zero-shot accuracy."""
    text_to_image: float | None = None
    """R@1 of COCO captions looking for their picture."""
    image_to_text: float | None = None
    """R@1 of COCO pictures looking for one of their captions."""
    source: str | None = None
    """The page with the figures; None where there are none."""

    @property
    def download_bytes(self) -> int:
        """The size of the weights, which are published in fp32. A tokenizer adds up to 35 MB."""
        return self.parameters * _WEIGHT_BYTES


def _siglip(
    name: str,
    parameters: int,
    imagenet: float | None = None,
    text_to_image: float | None = None,
    image_to_text: float | None = None,
    *,
    languages: str = ENGLISH,
    source: str = OPENCLIP_RESULTS,
) -> PublishedCheckpoint:
    """Describe google/NAME, whose name gives its size, patch size and image size."""
    parts = _NAME.match(name)
    assert parts, name
    width, layers, hidden = _SHAPES[parts["size"]]
    return PublishedCheckpoint(
        f"google/{name}",
        VisionShape(width, layers, hidden, int(parts["image"]), int(parts["patch"])),
        parameters,
        languages,
        imagenet,
        text_to_image,
        image_to_text,
        source if imagenet is not None else None,
    )


def _siglip2(
    name: str, parameters: int, imagenet: float, text_to_image: float, image_to_text: float
) -> PublishedCheckpoint:
    return _siglip(
        name,
        parameters,
        imagenet,
        text_to_image,
        image_to_text,
        languages=MANY,
        source=SIGLIP2_README,
    )


PUBLISHED = (
    _siglip("siglip-base-patch16-224", 203_155_970, 76.2, 47.2, 64.5, source=SIGLIP2_PAPER),
    _siglip("siglip-base-patch16-256", 203_202_050, 76.53, 48.34, 66.14),
    _siglip(
        "siglip-base-patch16-256-multilingual", 370_626_050, 75.13, 44.92, 64.48, languages=MANY
    ),
    _siglip("siglip-base-patch16-384", 203_447_810, 78.49, 49.90, 67.74),
    _siglip("siglip-base-patch16-512", 203_791_874, 79.14, 50.55, 68.72),
    _siglip("siglip-large-patch16-256", 652_150_786, 80.45, 52.28, 70.80),
    _siglip("siglip-large-patch16-384", 652_478_466, 82.07, 53.91, 71.90),
    _siglip("siglip-so400m-patch14-224", 877_360_306, 82.03, 51.76, 69.66),
    _siglip("siglip-so400m-patch14-384", 877_960_498, 83.08, 54.21, 72.42),
    _siglip("siglip-so400m-patch16-256-i18n", 1_128_758_962, languages=MANY),
    _siglip2("siglip2-base-patch32-256", 376_856_066, 74.0, 47.2, 63.7),
    _siglip2("siglip2-base-patch16-224", 375_187_970, 78.2, 52.1, 68.9),
    _siglip2("siglip2-base-patch16-256", 375_234_050, 79.1, 53.2, 69.7),
    _siglip2("siglip2-base-patch16-384", 375_479_810, 80.6, 54.6, 71.4),
    _siglip2("siglip2-base-patch16-512", 375_823_874, 81.2, 55.2, 71.2),
    _siglip2("siglip2-large-patch16-256", 881_526_786, 82.5, 54.7, 71.5),
    _siglip2("siglip2-large-patch16-384", 881_854_466, 83.1, 55.3, 71.4),
    _siglip2("siglip2-large-patch16-512", 882_313_218, 83.5, 55.2, 72.1),
    _siglip2("siglip2-so400m-patch14-224", 1_135_463_602, 83.2, 55.1, 71.5),
    _siglip2("siglip2-so400m-patch14-384", 1_136_008_498, 84.1, 55.8, 71.7),
    _siglip2("siglip2-so400m-patch16-256", 1_135_670_962, 83.4, 55.4, 71.5),
    _siglip2("siglip2-so400m-patch16-384", 1_136_039_602, 84.1, 56.0, 71.2),
    _siglip2("siglip2-so400m-patch16-512", 1_136_555_698, 84.3, 56.0, 71.3),
    _siglip2("siglip2-giant-opt-patch16-256", 1_871_393_906, 84.5, 55.7, 72.5),
    _siglip2("siglip2-giant-opt-patch16-384", 1_871_885_426, 85.0, 56.1, 72.8),
)


def find_published(model: str) -> PublishedCheckpoint | None:
    """Return the published checkpoint with this id; a revision behind `@` makes no difference."""
    wanted = model.partition("@")[0]
    return next((one for one in PUBLISHED if one.model == wanted), None)
