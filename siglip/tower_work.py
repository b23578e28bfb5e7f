"""How much an image tower computes for one photo."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

# SiglipVisionConfig's defaults, which config.json leaves out
_DEFAULTS = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "intermediate_size": 3072,
    "image_size": 224,
    "patch_size": 16,
}
_CHANNELS = 3


@dataclass(frozen=True)
class VisionShape:
    """The sizes of a vision transformer that decide its work."""

    width: int
    layers: int
    hidden: int
    """The width between the two layers of each MLP."""
    image_size: int
    """The side of the square pictures that it takes, in pixels."""
    patch_size: int

    @property
    def patches(self) -> int:
        """The patches that a picture is cut into; a rest at the edges is dropped."""
        side = self.image_size // self.patch_size
        return side * side

    @property
    def gflop(self) -> float:
        """The floating point operations for one picture, in billions, in matrix products alone."""
        n, d, h = self.patches, self.width, self.hidden
        layer = 4 * n * d * d + 2 * n * d * h + 2 * n * n * d  # projections, MLP, attention
        embedding = n * _CHANNELS * self.patch_size**2 * d
        # The pooling head attends to all patches with one learned query.
        head = 2 * n * d * d + 2 * d * d + 2 * n * d + 2 * d * h
        return 2 * (self.layers * layer + embedding + head) / 1e9


def read_vision_shape(directory: Path) -> VisionShape:
    """Return the shape of the image tower of the checkpoint in `directory`."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    vision = _DEFAULTS | (config.get("vision_config") or {})
    return VisionShape(*(int(vision[name]) for name in _DEFAULTS))
