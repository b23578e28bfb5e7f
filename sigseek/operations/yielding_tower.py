"""An image tower that lets questions go first, for an indexing run beside searches in one process.

Whatever answers a question uses all cores, and so does the image tower. Without this a question
would have half of each core for as long as a batch of photos takes.
"""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from sigseek.operations.questions import Questions
from sigseek.progress import Stop
from sigseek.siglip import ImageTower

_PARTS = 16
"""Into how many parts a batch of photos is cut where questions are asked."""
_RECENTLY = 60.0
"""Seconds after a question in which another one is likely to come. A batch that is embedded whole
would be in its way to the end.
"""
_PATIENCE = 2.0
"""A batch waits at most twice as long as its last part took, so that a third of the time is its."""
_LOOK = 0.01
"""Seconds between two looks at whether any question is left."""


class YieldingImageTower:
    """The image tower of an indexing run, around another one; see `ImageTower`.

    While questions are answered, and for a minute after, a batch is embedded in parts. After each
    part it waits until no question is left, but at most `patience` times as long as the part took.
    It waits no more once the run is asked to stop.
    """

    def __init__(
        self,
        tower: ImageTower,
        questions: Questions,
        stop: Stop,
        patience: float = _PATIENCE,
    ) -> None:
        self._tower = tower
        self._questions = questions
        self._stop = stop
        self._patience = patience
        self.precision = tower.precision
        self.device = tower.device
        self.runtime = tower.runtime
        self.batch = tower.batch

    def embed(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return unit-norm embeddings float32 (n, dim) of pixels uint8 (n, height, width, 3)."""
        embedded: list[npt.NDArray[np.float32]] = []
        left = pixels
        while len(left) or not embedded:
            yields = self._questions.were_asked(_RECENTLY) and not self._stop.is_set()
            part = left[: max(1, self.batch // _PARTS)] if yields else left
            began = time.monotonic()
            embedded.append(self._tower.embed(part))
            self._let_questions_go_first(time.monotonic() - began)
            left = left[len(part) :]
        return np.concatenate(embedded)

    def _let_questions_go_first(self, took: float) -> None:
        """Wait while questions are answered, after a part that took so many seconds."""
        until = time.monotonic() + self._patience * took
        while self._questions.are_left() and not self._stop.is_set() and time.monotonic() < until:
            time.sleep(_LOOK)
