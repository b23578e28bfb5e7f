"""The contract of every runtime: two towers that embed into one space."""

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
    """Embeds pictures. Several threads may use one tower; each gets the results of its own call."""

    precision: str
    """The arithmetic that makes the embeddings: "fp32", "bf16" or "int8"."""
    device: str
    """The device it runs on: "cpu", "cuda" or "mps"."""
    runtime: str
    """The library that runs it: "openvino" or "torch"."""
    batch: int
    """A good number of pictures per call. Any other number works too."""

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3).

        The pictures have been resized as the checkpoint asks. `n` may be 0. The result is the
        caller's own array: no later call changes it.
        """
        ...


class TextTower(Protocol):
    """Embeds texts. Several threads may use one tower; each gets the results of its own call."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit-norm embeddings float32 (n, dim) of n texts. `n` may be 0.

        A text is cut off where it exceeds the checkpoint's text length. The result is the caller's
        own array.
        """
        ...

    def cuts(self, text: str) -> bool:
        """Return whether the text is longer than the checkpoint reads."""
        ...

    def unknown_share(self, text: str) -> float:
        """Return the share, 0 to 1, of the text's tokens that the checkpoint does not know."""
        ...

    def unfamiliar_words(self, text: str) -> tuple[str, ...]:
        """Return the words that the checkpoint's vocabulary only has in letters, at most five."""
        ...


def check_choices(device: str, precision: str) -> None:
    """Raise CheckpointError for a device or precision that does not exist."""
    for value, name, known in ((device, "device", DEVICES), (precision, "precision", PRECISIONS)):
        if value not in known:
            raise CheckpointError(f"'{value}' is not a {name}", f"use one of {', '.join(known)}")
