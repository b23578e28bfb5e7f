"""The yardstick embedded by a checkpoint, and what scores are corrected by.

A photo's *bias* is the mean of its 48 highest cosines to the common texts. It tells how high the
photo scores whatever is asked (Nearest Neighbor Normalization, Chowdhury et al., EMNLP 2024, arXiv
2410.24114). A text's *floor* is the mean of its 8 highest cosines to pictures that show nothing.
The *evidence* of a photo for a text is their cosine without a share of the bias and of the floor.
An *absent* text is one that almost no photo fits.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.files import written_whole
from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.siglip.cache import cache_directory
from sigseek.siglip.checkpoint import Checkpoint
from sigseek.siglip.towers import ImageTower, TextTower
from sigseek.siglip.yardstick.pictures import yardstick_pictures
from sigseek.siglip.yardstick.texts import ABSENT, COMMON, VERSION, absent_texts, common_texts

Floats = npt.NDArray[np.float32]

_HIGHEST_TEXTS = 48
_HIGHEST_PICTURES = 8
_TEXT_BATCH = 64
_BIAS_SHARE = 0.5
_FLOOR_SHARE = 0.2


@dataclass(frozen=True)
class Yardstick:
    """The yardstick's unit-norm embeddings float32 (n, dim) by one checkpoint."""

    common: Floats
    """Embeddings of captions of what photos commonly show."""
    absent: Floats
    """Embeddings of texts that almost no photo fits."""
    pictures: Floats
    """Embeddings of pictures that show nothing."""

    def biases(self, photos: Floats) -> Floats:
        """Return the bias of each photo, a cosine float32 (n,); `photos` are unit-norm (n, dim)."""
        return _mean_of_highest(photos @ self.common.T, _HIGHEST_TEXTS)

    def absent_evidence(self, photos: Floats, biases: Floats) -> Floats:
        """Return the evidence (texts, n) of each photo for each absent text.

        `photos` are unit-norm (n, dim), `biases` theirs (n,).
        """
        floors = text_floors(self.absent, self.pictures)
        return evidence(self.absent @ photos.T, biases[None], floors[:, None])


def text_floors(texts: Floats, pictures: Floats) -> Floats:
    """Return the floor of each text, a cosine float32 (m,).

    `texts` are unit-norm (m, dim), `pictures` those of the yardstick (n, dim).
    """
    return _mean_of_highest(texts @ pictures.T, _HIGHEST_PICTURES)


def evidence(cosines: Floats, biases: Floats, floors: Floats) -> Floats:
    """Return the cosines without a share of the photos' biases and of the texts' floors.

    The arrays may have any shapes that broadcast. The shares were chosen on drawings embedded by
    `mini`: they best tell texts that a library shows from texts that it does not (docs/scores.md).
    """
    left: Floats = cosines - np.float32(_BIAS_SHARE) * biases - np.float32(_FLOOR_SHARE) * floors
    return left


def load_yardstick(
    checkpoint: Checkpoint,
    images: ImageTower,
    texts: Callable[[], TextTower],
    listener: Listener,
    stop: Stop,
) -> Yardstick:
    """Return the checkpoint's yardstick from the user's cache, or embed it now.

    Embedding takes about a minute for a base checkpoint. Only then is `texts` called, and
    `listener` told how many texts of how many are embedded. If the cache cannot be written, the
    yardstick is embedded again next time. Raises StoppedError soon after `stop` is set; nothing is
    kept then.
    """
    directory = cache_directory() / "references"
    parts = (
        checkpoint.fingerprint,
        checkpoint.preprocessing.fingerprint,
        images.precision,
        VERSION,
    )
    path = directory / f"{'-'.join(map(str, parts))}.npz"
    kept = _read(path, checkpoint.dimension)
    if kept is not None:
        return kept
    listener.said(
        f"measuring how {checkpoint.name} scores {COMMON + ABSENT:,} reference captions "
        "(once per checkpoint; matches are judged against them)"
    )
    yardstick = _measured(checkpoint, images, texts(), listener, stop)
    with contextlib.suppress(OSError):
        _write(yardstick, path)
    return yardstick


def _measured(
    checkpoint: Checkpoint,
    images: ImageTower,
    texts: TextTower,
    listener: Listener,
    stop: Stop,
) -> Yardstick:
    lines = [*common_texts(), *absent_texts()]
    embedded = []
    for start in range(0, len(lines), _TEXT_BATCH):
        stop.check()
        embedded.append(texts.embed(lines[start : start + _TEXT_BATCH]))
        done = min(start + _TEXT_BATCH, len(lines))
        listener.advanced(Progress(Phase.MEASURING, done, len(lines)))
    vectors = np.concatenate(embedded)
    pixels = yardstick_pictures(checkpoint.preprocessing.height, checkpoint.preprocessing.width)
    pictures = []
    for start in range(0, len(pixels), images.batch):
        stop.check()
        pictures.append(images.embed(pixels[start : start + images.batch]))
    return Yardstick(vectors[:COMMON], vectors[COMMON:], np.concatenate(pictures))


def _mean_of_highest(cosines: Floats, count: int) -> Floats:
    highest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
    means: Floats = highest.mean(axis=1, dtype=np.float32)
    return means


def _read(path: Path, dimension: int) -> Yardstick | None:
    """Read the file. None when it does not exist or is damaged."""
    try:
        # The file is opened here because numpy leaves a damaged one open.
        with path.open("rb") as file, np.load(file) as parts:
            yardstick = Yardstick(parts["common"], parts["absent"], parts["pictures"])
    except Exception:  # a damaged file can raise nearly anything; it is then made again
        return None
    whole = all(
        part.ndim == 2 and part.shape[1] == dimension
        for part in (yardstick.common, yardstick.absent, yardstick.pictures)
    )
    return yardstick if whole else None


def _write(yardstick: Yardstick, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as aside, aside.open("wb") as file:
        np.savez(
            file,
            common=yardstick.common,
            absent=yardstick.absent,
            pictures=yardstick.pictures,
        )
