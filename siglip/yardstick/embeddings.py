"""What a checkpoint makes of texts and pictures that are the same for everybody: a yardstick for its scores.

A photo's bias: the mean of its highest cosines to common texts, one number a photo that tells how high it scores
whatever is asked (Nearest Neighbor Normalization, Chowdhury et al., EMNLP 2024, arXiv 2410.24114). A text's floor: the mean
of its highest cosines to pictures that show nothing. Both take some of what has no meaning out of a score.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sigseek.files import written_whole
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
    """Unit-norm embeddings float32 (n, dim) by one checkpoint."""

    common: Floats
    """Of captions of what photos commonly show."""
    absent: Floats
    """Of texts that next to no photo fits."""
    pictures: Floats
    """Of pictures that show nothing."""

    def biases(self, photos: Floats) -> Floats:
        """The bias of each photo, float32 (n,), as a cosine, of unit-norm embeddings (n, dim)."""
        return _mean_of_highest(photos @ self.common.T, _HIGHEST_TEXTS)

    def absent_evidence(self, photos: Floats, biases: Floats) -> Floats:
        """The evidence (texts, n) that photos, unit-norm (n, dim), give for each of the absent
        texts.
        """
        floors = text_floors(self.absent, self.pictures)
        return evidence(self.absent @ photos.T, biases[None], floors[:, None])


def text_floors(texts: Floats, pictures: Floats) -> Floats:
    """The floor of each text, float32 (m,), as a cosine; unit-norm texts (m, dim), pictures that
    show nothing (n, dim).
    """
    return _mean_of_highest(texts @ pictures.T, _HIGHEST_PICTURES)


def evidence(cosines: Floats, biases: Floats, floors: Floats) -> Floats:
    """What is left of cosines, any shape, of what photo and text have in common with everything.
    Shapes broadcast.

    The shares were chosen on drawings by `mini`, by how well they tell texts that a library shows
    from those that it does not: docs/scores.md.
    """
    left: Floats = cosines - np.float32(_BIAS_SHARE) * biases - np.float32(_FLOOR_SHARE) * floors
    return left


def load_yardstick(
    checkpoint: Checkpoint,
    images: ImageTower,
    texts: Callable[[], TextTower],
    announce: Callable[[str], None] = lambda line: None,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Yardstick:
    """The yardstick of the checkpoint, from the user's cache or embedded now, which takes about a
    minute for a base checkpoint.

    Only then `texts` is called, `announce` told, and `on_done` of how many texts out of how many
    are done. A cache that cannot be written is no obstacle.
    """
    directory = cache_directory() / "references"
    path = (
        directory
        / f"{checkpoint.fingerprint}-{checkpoint.preprocessing.fingerprint}-{images.precision}-{VERSION}.npz"
    )
    kept = _read(path, checkpoint.dimension)
    if kept is not None:
        return kept
    announce(
        f"measuring what {checkpoint.name} makes of {COMMON + ABSENT:,} texts, which hits are judged by; once per checkpoint"
    )
    yardstick = _measured(checkpoint, images, texts(), on_done)
    with contextlib.suppress(OSError):
        _write(yardstick, path)
    return yardstick


def _measured(
    checkpoint: Checkpoint,
    images: ImageTower,
    texts: TextTower,
    on_done: Callable[[int, int], None],
) -> Yardstick:
    lines = [*common_texts(), *absent_texts()]
    embedded = []
    for start in range(0, len(lines), _TEXT_BATCH):
        embedded.append(texts.embed(lines[start : start + _TEXT_BATCH]))
        on_done(min(start + _TEXT_BATCH, len(lines)), len(lines))
    vectors = np.concatenate(embedded)
    pixels = yardstick_pictures(checkpoint.preprocessing.height, checkpoint.preprocessing.width)
    pictures = [
        images.embed(pixels[start : start + images.batch])
        for start in range(0, len(pixels), images.batch)
    ]
    return Yardstick(vectors[:COMMON], vectors[COMMON:], np.concatenate(pictures))


def _mean_of_highest(cosines: Floats, count: int) -> Floats:
    highest = np.partition(cosines, cosines.shape[1] - count, axis=1)[:, -count:]
    means: Floats = highest.mean(axis=1, dtype=np.float32)
    return means


def _read(path: Path, dimension: int) -> Yardstick | None:
    """What lies in the file; None when it is not there or damaged."""
    try:
        with (
            path.open("rb") as file,
            np.load(file) as parts,
        ):  # opened here, for numpy leaves a damaged file open
            yardstick = Yardstick(parts["common"], parts["absent"], parts["pictures"])
    except Exception:  # a damaged file may bring about nearly anything; it is then made again
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
