"""From an RGB image to the image tower's input, bit for bit as transformers does it.

The model is transformers' Pillow-based SiglipImageProcessor. Pillow and numpy are imported where
pixels are made: every start describes a checkpoint, and that needs neither.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sigseek.errors import ErrorKind
from sigseek.siglip.errors import FETCH_AGAIN, CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

VERSION = 1
"""The version of this preprocessing, kept with every embedding.

It is raised whenever the same checkpoint files would give other pixels.
"""

_BICUBIC = 3
_FILTERS = range(6)
"""Pillow's numbers for the resizing filters that all its versions have."""

# SiglipImageProcessor's defaults, for values that a checkpoint's file leaves out.
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
    """The way a checkpoint wants its pictures.

    They are resized to height x width, whatever their aspect ratio, and then normalised.
    """

    height: int
    width: int
    resample: int
    rescale_factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any], where: str) -> Preprocessing:
        """Read an image processor's configuration.

        Raises CheckpointError when it asks for a step that SigLIP does not have.
        """
        values = {
            key: config[key] if config.get(key) is not None else default
            for key, default in _DEFAULTS.items()
        }
        skipped = [key for key in ("do_resize", "do_rescale", "do_normalize") if not values[key]]
        if skipped or config.get("do_center_crop") or config.get("do_pad"):
            found = f"{skipped[0]}: false" if skipped else "a crop or padding"
            raise CheckpointError(
                f"{where} asks for {found}, which no fixed-resolution SigLIP does",
                "use the checkpoint's original files",
                ErrorKind.UNSUPPORTED,
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
                f"{where} has no usable height, width, mean and std ({error!r})",
                FETCH_AGAIN,
                ErrorKind.DAMAGED,
            ) from error

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hex digits that change with anything that changes the pixels."""
        text = json.dumps([VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def resize(self, image: Image.Image) -> npt.NDArray[np.uint8]:
        """Return pixels uint8 (height, width, 3) of an RGB image of any size."""
        import numpy as np
        from PIL import Image

        return np.asarray(image.resize((self.width, self.height), Image.Resampling(self.resample)))

    def normalize(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the tower's input float32 (n, 3, height, width).

        `pixels` are resized, uint8 (n, height, width, 3).
        """
        import numpy as np

        planes = [self._levels[channel][pixels[..., channel]] for channel in range(3)]
        return np.stack(planes, axis=1)

    @cached_property
    def _levels(self) -> npt.NDArray[np.float32]:
        """The normalised value of each of the 256 levels by channel, float32 (3, 256).

        The steps are rounded in the same order as in transformers.
        """
        import numpy as np

        rescaled = (np.arange(256, dtype=np.float64) * self.rescale_factor).astype(np.float32)
        mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
        return (rescaled - mean[:, None]) / std[:, None]
