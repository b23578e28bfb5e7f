"""What every runtime offers: two towers into one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sigseek.siglip.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "int8")


class ImageTower(Protocol):
    """Embeds pictures."""

    precision: str
    """The arithmetic that makes the embeddings: "fp32", "bf16" or "int8"."""
    device: str
    """Where it runs, as a person calls it: "cpu", "cuda", "mps"."""
    runtime: str
    """What runs it: "openvino" or "torch"."""
    batch: int
    """How many pictures a call suit it."""

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3), resized as
        the checkpoint asks.
        """


class TextTower(Protocol):
    """Embeds texts."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Unit-norm embeddings float32 (n, dim) of texts; what exceeds the checkpoint's text length
        is cut off.
        """

    def cuts(self, text: str) -> bool:
        """Whether the text is longer than the checkpoint reads."""


def check_choices(device: str, precision: str) -> None:
    """CheckpointError, with what there is, for a device or precision of another name."""
    for value, what, known in ((device, "device", DEVICES), (precision, "precision", PRECISIONS)):
        if value not in known:
            raise CheckpointError(f"'{value}' is no {what}; use one of {', '.join(known)}")
