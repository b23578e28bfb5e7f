"""The yardstick embedded by a checkpoint, and kept in the user's cache."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.files import written_whole
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.siglip.cache import cache_directory
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.towers import ImageTower, TextTower
from sigseek.siglip.yardstick import VERSION
from sigseek.siglip.yardstick.evidence import evidence, photo_biases, text_floors
from sigseek.siglip.yardstick.pictures import yardstick_pictures
from sigseek.siglip.yardstick.steps import STEPS, YardstickStep
from sigseek.siglip.yardstick.texts import absent_texts, common_texts

Floats = npt.NDArray[np.float32]

_TEXT_BATCH = 16
"""Texts between two looks at whether to stop. More at a time are hardly faster."""
_PICTURE_BATCH = 5
"""Pictures that are as much work as a batch of texts."""
_FIRST_BATCH = 2.0
"""Seconds that a first batch may take on a slow machine, the text tower's loading included."""


@dataclass(frozen=True)
class Yardstick:
    """A step of the yardstick: unit-norm embeddings float32 (n, dim) by one checkpoint."""

    common: Floats
    """Embeddings of captions of what photos commonly show."""
    absent: Floats
    """Embeddings of texts that almost no photo fits."""
    pictures: Floats
    """Embeddings of pictures that show nothing."""

    def first(self, step: YardstickStep) -> "Yardstick":
        """Return the texts and pictures of a step that this yardstick includes."""
        return Yardstick(
            self.common[: step.common], self.absent[: step.absent], self.pictures[: step.pictures]
        )

    def includes(self, step: YardstickStep) -> bool:
        """Return whether all texts and pictures of the step are embedded."""
        return (
            len(self.common) >= step.common
            and len(self.absent) >= step.absent
            and len(self.pictures) >= step.pictures
        )

    def biases(self, photos: Floats) -> Floats:
        """Return the bias of each photo, a cosine float32 (n,); `photos` are unit-norm (n, dim)."""
        return photo_biases(photos, self.common)

    def absent_evidence(self, photos: Floats, biases: Floats) -> Floats:
        """Return the evidence (texts, n) of each photo for each absent text.

        `photos` are unit-norm (n, dim), `biases` theirs (n,).
        """
        floors = text_floors(self.absent, self.pictures)
        return evidence(self.absent @ photos.T, biases[None], floors[:, None])


def load_yardstick(
    checkpoint: Checkpoint,
    images: ImageTower,
    texts: Callable[[], TextTower],
    listener: Listener,
    stop: Stop,
    least: YardstickStep | None = None,
    seconds: float = 0.0,
) -> Yardstick:
    """Return the largest step of the checkpoint's yardstick that is embedded.

    What the user's cache lacks of the step `least`, or without it of the whole yardstick, is
    embedded first, and more of it while all of that is expected to take at most `seconds`. The
    whole takes as long as embedding some 180 photos. Only if texts are missing, `texts` is called,
    and `listener` told how many texts of how many are embedded. Each batch is kept in the cache, so
    an interrupted call loses at most one. If the cache cannot be written, all is embedded again
    next time. Raises StoppedError soon after `stop` is set.
    """
    whole = STEPS[-1]
    least = least or whole
    directory = cache_directory() / "references"
    parts = (
        checkpoint.fingerprint,
        checkpoint.preprocessing.fingerprint,
        images.precision,
        VERSION,
    )
    path = directory / f"{'-'.join(map(str, parts))}.npz"
    kept = _read(path, checkpoint.dimension)
    if not kept.includes(least):
        which = "" if least == whole else f"the first {least.texts:,} of "
        listener.said(
            f"measuring how {checkpoint.name} scores {which}{whole.texts:,} reference captions "
            "(once per checkpoint; matches are judged against them)"
        )
    growth = _Growth(checkpoint, images, texts, stop)
    left, expected = seconds, _FIRST_BATCH
    for step in STEPS:
        while not kept.includes(step) and (step <= least or expected <= left):
            done, total = len(kept.absent) + len(kept.common), max(step, least).texts
            listener.advanced(Progress(Phase.MEASURING, min(done, total), total))
            before = time.monotonic()
            kept = growth.with_next_batch(kept, step)
            with contextlib.suppress(OSError):
                _write(kept, path)
            expected = time.monotonic() - before
            left -= expected
    return kept.first(max(step for step in STEPS if kept.includes(step)))


class _Growth:
    """Embeds a checkpoint's yardstick batch by batch. The text tower is loaded for the first."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        images: ImageTower,
        texts: Callable[[], TextTower],
        stop: Stop,
    ) -> None:
        self._preprocessing = checkpoint.preprocessing
        self._images = images
        self._load_texts = texts
        self._texts: TextTower | None = None
        self._stop = stop

    def with_next_batch(self, kept: Yardstick, step: YardstickStep) -> Yardstick:
        """Return the yardstick with one more batch of what it lacks of the step."""
        self._stop.check()
        if lines := absent_texts()[len(kept.absent) : step.absent]:
            return replace(kept, absent=self._longer(kept.absent, lines))
        if lines := common_texts()[len(kept.common) : step.common]:
            return replace(kept, common=self._longer(kept.common, lines))
        pixels = yardstick_pictures(self._preprocessing.height, self._preprocessing.width)
        batch = pixels[len(kept.pictures) : step.pictures][:_PICTURE_BATCH]
        return replace(kept, pictures=np.concatenate([kept.pictures, self._images.embed(batch)]))

    def _longer(self, embedded: Floats, lines: Sequence[str]) -> Floats:
        self._texts = self._texts or self._load_texts()
        return np.concatenate([embedded, self._texts.embed(lines[:_TEXT_BATCH])])


def _read(path: Path, dimension: int) -> Yardstick:
    """Read the file, which an interrupted call may have left incomplete.

    Returns an empty yardstick when the file does not exist or is damaged.
    """
    try:
        # The file is opened here because numpy leaves a damaged one open.
        with path.open("rb") as file, np.load(file) as arrays:
            yardstick = Yardstick(arrays["common"], arrays["absent"], arrays["pictures"])
    except Exception:  # a damaged file can raise nearly anything; it is then made again
        return _empty(dimension)
    parts = (yardstick.common, yardstick.absent, yardstick.pictures)
    fits = all(
        part.ndim == 2 and part.shape[1] == dimension and len(part) <= most
        for part, most in zip(parts, STEPS[-1], strict=True)
    )
    return yardstick if fits else _empty(dimension)


def _empty(dimension: int) -> Yardstick:
    nothing = np.zeros((0, dimension), np.float32)
    return Yardstick(nothing, nothing, nothing)


def _write(yardstick: Yardstick, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as aside, aside.open("wb") as file:
        np.savez(
            file,
            common=yardstick.common,
            absent=yardstick.absent,
            pictures=yardstick.pictures,
        )
