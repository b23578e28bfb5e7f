"""Hits, as the Python API returns them and as `--json` prints them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PhotoHit:
    """A photo among the results. None where the photo itself does not say."""

    rank: int
    """From 1."""
    path: str
    """Absolute; the first of the photo's files that is there."""
    width: int
    """Pixels, as shown."""
    height: int
    taken_at: str | None
    """ISO 8601."""
    camera: str | None
    latitude: float | None
    """Degrees, north positive."""
    longitude: float | None
    """Degrees, east positive."""
    copies: tuple[str, ...]
    """The photo's other files."""
    available: bool
    """Whether the file at `path` is there now."""


@dataclass(frozen=True, kw_only=True)
class Hit(PhotoHit):
    """A photo found by a text."""

    score: float
    """SigLIP's probability that text and photo match, 0 to 1, each pair judged by itself."""
    logit: float
    """What the score is the sigmoid of."""
    cosine: float
    terms: dict[str, float] | None = None
    """With `explain`: the probability of each of the query's terms."""


@dataclass(frozen=True, kw_only=True)
class SimilarHit(PhotoHit):
    """A photo found by a photo. SigLIP's sigmoid was trained on text-image pairs, so there is no probability here."""

    cosine: float
