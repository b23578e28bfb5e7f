"""What an evaluation found: the figures, and what its report draws."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of about the same probability.

    It holds their mean probability, the share of them that matches, and their number.
    """

    probability: float
    matching: float
    count: int


@dataclass(frozen=True)
class Histogram:
    """Pairs of a caption and a picture by logit: those that match and those that do not."""

    edges: tuple[float, ...]
    """Ascending logits, one more than there are bins."""
    matching: tuple[int, ...]
    others: tuple[int, ...]


@dataclass(frozen=True)
class Miss:
    """A caption that finds another picture first, with the probabilities, 0 to 1, of both."""

    caption: str
    right: Path
    """The best placed of the pictures that have this caption."""
    rank: int
    right_probability: float
    first: Path
    """The best placed of the others."""
    first_probability: float


@dataclass(frozen=True)
class Evaluation:
    """How well a checkpoint finds captioned pictures.

    All figures range from 0 to 1, and latencies are milliseconds. `sigseek.evaluation.metrics` and
    `sigseek.evaluation.measure` define them. A figure that cannot be computed is None.
    """

    text_to_image: dict[str, float]
    """The figures of captions that look for their picture: "R@1", "R@5", "R@10" and "mAP"."""
    image_to_text: dict[str, float]
    no_match_auroc: float | None
    ece: float | None
    """The expected calibration error with a calibration."""
    queries: int
    """The number of captions, repeated ones counted."""
    images: int
    zero_shot_accuracy: float | None
    ece_before: float | None
    """The expected calibration error with SigLIP's own sigmoid."""
    model: str
    no_match_auroc_raw: float | None = None
    """The AUROC of no match, by the best cosine alone."""
    calibration: Literal["given", "cross-fitted"] | None = None
    """The origin of the calibration that `ece` is about."""
    list_precision: float | None = None
    """The share of the pictures in searches' default lists that have the caption that was searched
    for; None where nothing is listed.
    """
    list_recall: float | None = None
    """The share of the pictures with a caption that the search for it lists by default."""
    skipped: int = 0
    """The number of pictures and captions that could not be used."""
    latency_ms_p50: float | None = None
    latency_ms_p99: float | None = None
    reliability_before: tuple[ReliabilityBin, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    histogram: Histogram | None = None
    misses: tuple[Miss, ...] = ()
    """The captions whose pictures come latest, the worst first."""
