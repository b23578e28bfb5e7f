"""What is kept of photos to find them again in another form, as the catalog takes and gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.storage.records.arrays import Floats, Ids

WHOLE = b"\0\0\0\0"
"""The margins of a sketch of a whole picture."""


@dataclass(frozen=True)
class SketchRecord:
    """A picture, or the part of it inside of plain margins, made very small."""

    levels: bytes
    """The grey levels of 64 rows of 64 pixels, as a WebP. The picture fills them, whatever its
    shape.
    """
    bits: bytes
    """The perceptual hash, 256 bits."""
    variants: bytes
    """The perceptual hashes of crops from its middle, and of the picture turned a little, one after
    the other.
    """
    quality: int
    """How much there is to tell it from others by, from 0 for a plain picture to 100."""
    margins: bytes = WHOLE
    """The widths of what was left out on the left, at the top, on the right and at the bottom, in
    256ths of the picture, a byte each.
    """


@dataclass(frozen=True)
class HashRecord:
    """What is kept of a photo to find it again in another form."""

    whole: SketchRecord
    inner: SketchRecord | None = None
    """The part inside of plain margins; None for a picture without such margins."""
    several_pictures: bool = False
    """Whether the file holds more pictures than this one, such as an animation or pages."""
    color: int | None = None
    """The mean colour, 0xRRGGBB."""


@dataclass(frozen=True)
class EmbeddingComparison:
    """A comparison of a checkpoint's embeddings with each other."""

    version: str
    """What decides which pairs are found."""
    generation: int
    """Embeddings up to this generation of the checkpoint were compared."""
    usual: float
    """The mean cosine of two photos."""
    photos: int
    """How many photos there were when `usual` was measured."""


@dataclass(frozen=True)
class EmbeddingPairs:
    """Pairs of photos whose embeddings are near, each once, the lower id first."""

    one: Ids
    """The photos with the lower ids, (n,)."""
    other: Ids
    cosines: Floats
    """The cosines (n,) of their embeddings."""
    looks_same: npt.NDArray[np.int8]
    """Whether they look like one shot, (n,): 1 for yes, 0 for no, -1 where nobody has looked."""

    def part(self, which: npt.NDArray[np.bool_] | Ids) -> EmbeddingPairs:
        """Return some of the pairs."""
        return EmbeddingPairs(
            self.one[which], self.other[which], self.cosines[which], self.looks_same[which]
        )


@dataclass(frozen=True)
class SketchTable:
    """The sketches of photos, a row each. A photo with plain margins has two rows."""

    ids: Ids
    """The photo of each row, (n,)."""
    inner: npt.NDArray[np.bool_]
    """Whether the row is of the part inside of plain margins, (n,)."""
    margins: npt.NDArray[np.uint8]
    """What was left out on the left, at the top, on the right and at the bottom, in 256ths of the
    picture, (n, 4).
    """
    quality: npt.NDArray[np.int64]
    """The quality, (n,)."""
    bits: npt.NDArray[np.uint8]
    """The hashes, (n, 32)."""
    variants: npt.NDArray[np.uint8]
    """The hashes of crops, and of the pictures turned a little, (n, variants, 32)."""
