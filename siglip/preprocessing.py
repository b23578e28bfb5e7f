"""From an RGB image to the image tower's input, bit for bit as transformers' Pillow-based SiglipImageProcessor does it.

Pillow and numpy come in where pixels are made: describing a checkpoint, which every start does, needs neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sigseek.siglip.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

VERSION = 1
"""Counted up when the same checkpoint files would give other pixels; kept with every embedding."""

_BICUBIC = 3
_FILTERS = range(6)
"""Pillow's numbers for resizing filters, those that all its versions know."""

# SiglipImageProcessor's own values, for what a checkpoint's file leaves out.
_DEFAULTS: dict[str, Any] = {
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "size": {"height": 224, "width": 224},
    "resample": _BICUBIC,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


@dataclass(frozen=True)
class Preprocessing:
    """How a checkpoint wants its pictures: resized to height x width whatever their aspect ratio,
    then normalised.
    """

    height: int
    width: int
    resample: int
    rescale_factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], where: str) -> Preprocessing:
        """Read an image processor's configuration; CheckpointError where it asks for what SigLIP
        does not do.
        """
        values = {
            key: config[key] if config.get(key) is not None else default
            for key, default in _DEFAULTS.items()
        }
        skipped = [key for key in ("do_resize", "do_rescale", "do_normalize") if not values[key]]
        if skipped or config.get("do_center_crop") or config.get("do_pad"):
            found = f"{skipped[0]}: false" if skipped else "a crop or padding"
            raise CheckpointError(
                f"{where} asks for {found}, which no fixed-resolution SigLIP does; use its original files"
            )
        size = values["size"]
        if isinstance(size, int):
            size = {"height": size, "width": size}
        try:
            if values["resample"] not in _FILTERS:
                raise ValueError(f"resample: {values['resample']}")
            return cls(
                int(size["height"]),
                int(size["width"]),
                int(values["resample"]),
                float(values["rescale_factor"]),
                tuple(float(value) for value in values["image_mean"]),
                tuple(float(value) for value in values["image_std"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{where} holds no usable height, width, mean and std ({error!r}); fetch the checkpoint again"
            ) from error

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change with anything that changes the pixels."""
        text = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def resize(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Pixels uint8 (height, width, 3) of an RGB image of any size."""
        import numpy as np
        from PIL import Image

        return np.asarray(image.resize((self.width, self.height), Image.Resampling(self.resample)))

    def normalize(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The tower's input float32 (n, 3, height, width) of resized pixels uint8 (n, height,
        width, 3).
        """
        import numpy as np

        planes = [self._levels[channel][pixels[..., channel]] for channel in range(3)]
        return np.stack(planes, axis=1)

    @cached_property
    def _levels(self) -> npt.NDArray[np.float32]:
        """What each of the 256 levels becomes, float32 (3, 256): in transformers' order of
        roundings.
        """
        import numpy as np

        rescaled = (np.arange(256, dtype=np.float64) * self.rescale_factor).astype(np.float32)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (rescaled - mean[:, None]) / std[:, None]
