"""Checkpoints, embeddings, and what hits are judged by, as the catalog takes and gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class CheckpointRecord:
    """A checkpoint of the library."""

    id: int
    name: str
    fingerprint: str
    preprocessing: str
    dimension: int
    logit_scale: float
    logit_bias: float
    generation: int
    token: str
    embeddings: int
    """The number of its embeddings when this was read."""


class Measured(NamedTuple):
    """What a checkpoint was measured against for the judgement of hits, and when."""

    version: int
    """The version of the yardstick's texts and pictures."""
    generation: int
    """Embeddings up to this generation of the checkpoint were measured."""
    embeddings: int
    """The number of embeddings then."""
    common_texts: int = 256
    """The number of the yardstick's common texts that they were measured against."""


@dataclass(frozen=True)
class CheckpointState:
    """A checkpoint, and what its hits are judged by. A search is current while this is equal."""

    record: CheckpointRecord
    measured: Measured | None
    """What the checkpoint was measured against; None before it was measured."""
    calibration: str | None
    """The library's own calibration of the checkpoint, as JSON."""
    newest_photo: int = field(default=0, compare=False)
    """The highest id of a photo of the library then, embedded or not; 0 without photos."""
    vectors: str | None = None
    """The address of the server that keeps the vector indexes; None where they are files."""


@dataclass(frozen=True)
class YardstickRecord:
    """What hits of a checkpoint are judged by; `catalog.tables.YardstickColumns` tells more."""

    version: int
    generation: int
    embeddings: int
    pictures: npt.NDArray[np.float32]
    """The embeddings (n, dim) of pictures that show nothing, unit norm."""
    absent_evidence: npt.NDArray[np.float32]
    """The highest evidence (m,) that any photo gave for each absent text."""
    common_texts: int = 256
    """The number of common texts that the biases come from."""


@dataclass(frozen=True)
class EmbeddingRecord:
    """An embedding to be kept, and what made it. `vector` is float32 (dim,) of norm 1."""

    vector: npt.NDArray[np.float32]
    precision: str
    preprocessing_version: int
