"""torch in one thread, for small models in tests.

The threads of a small model mostly wait for each other, four times as long on busy cores.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch

from sigseek.siglip.runtimes.torch import TorchImageTower, TorchTextTower


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Have torch compute in one thread in a `with` statement, and in as many as before after it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class OneThreadImageTower(TorchImageTower):
    """An image tower that computes in one thread."""

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        with one_torch_thread():
            return super().embed(pixels)


class OneThreadTextTower(TorchTextTower):
    """A text tower that computes in one thread."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        with one_torch_thread():
            return super().embed(texts)
