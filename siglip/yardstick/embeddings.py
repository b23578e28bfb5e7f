"""The yardstick embedded by a checkpoint, and kept in the user's cache."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
from sigseek.siglip.yardstick.pictures import COUNT, yardstick_pictures
from sigseek.siglip.yardstick.texts import ABSENT, COMMON, absent_texts, common_texts

Floats = npt.NDArray[np.float32]

_TEXT_BATCH = 64


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
) -> Yardstick:
    """Return the checkpoint's yardstick from the user's cache, or embed what is missing of it.

    Embedding all of it takes as long as embedding some 180 photos. Only if texts are missing,
    `texts` is called, and `listener` told how many texts of how many are embedded. Each batch is
    kept in the cache, so an interrupted call loses at most one. If the cache cannot be written, all
    is embedded again next time. Raises StoppedError soon after `stop` is set.
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
    if _is_complete(kept):
        return kept
    listener.said(
        f"measuring how {checkpoint.name} scores {COMMON + ABSENT:,} reference captions "
        "(once per checkpoint; matches are judged against them)"
    )
    for grown in _grow(kept, checkpoint, images, texts, listener, stop):
        kept = grown
        with contextlib.suppress(OSError):
            _write(kept, path)
    return kept


def _is_complete(yardstick: Yardstick) -> bool:
    parts = (yardstick.absent, yardstick.common, yardstick.pictures)
    return tuple(map(len, parts)) == (ABSENT, COMMON, COUNT)


def _grow(
    kept: Yardstick,
    checkpoint: Checkpoint,
    images: ImageTower,
    texts: Callable[[], TextTower],
    listener: Listener,
    stop: Stop,
) -> Iterator[Yardstick]:
    """Give the yardstick after each batch of texts or pictures that it lacks, at last complete."""
    lines = [*absent_texts(), *common_texts()]
    embedded = np.concatenate([kept.absent, kept.common])
    pictures = kept.pictures
    listener.advanced(Progress(Phase.MEASURING, len(embedded), len(lines)))
    tower = texts() if len(embedded) < len(lines) else None
    while tower and len(embedded) < len(lines):
        stop.check()
        batch = tower.embed(lines[len(embedded) :][:_TEXT_BATCH])
        embedded = np.concatenate([embedded, batch])
        listener.advanced(Progress(Phase.MEASURING, len(embedded), len(lines)))
        yield Yardstick(embedded[ABSENT:], embedded[:ABSENT], pictures)
    pixels = yardstick_pictures(checkpoint.preprocessing.height, checkpoint.preprocessing.width)
    while len(pictures) < len(pixels):
        stop.check()
        batch = images.embed(pixels[len(pictures) :][: images.batch])
        pictures = np.concatenate([pictures, batch])
        yield Yardstick(embedded[ABSENT:], embedded[:ABSENT], pictures)


def _read(path: Path, dimension: int) -> Yardstick:
    """Read the file, which an interrupted call may have left incomplete.

    Returns an empty yardstick when the file does not exist or is damaged.
    """
    try:
        # The file is opened here because numpy leaves a damaged one open.
        with path.open("rb") as file, np.load(file) as parts:
            yardstick = Yardstick(parts["common"], parts["absent"], parts["pictures"])
    except Exception:  # a damaged file can raise nearly anything; it is then made again
        return _empty(dimension)
    fits = all(
        part.ndim == 2 and part.shape[1] == dimension and len(part) <= most
        for part, most in (
            (yardstick.common, COMMON if len(yardstick.absent) == ABSENT else 0),
            (yardstick.absent, ABSENT),
            (yardstick.pictures, COUNT),
        )
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
