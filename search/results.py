"""Hits, as the Python API returns them and as `--json` prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from sigseek.errors import Remedy
from sigseek.search.verdicts import JudgedBy, Verdict


@dataclass(frozen=True, kw_only=True)
class PhotoHit:
    """A photo among the results. None where the photo itself does not say."""

    id: int
    """The photo's number in its library: the same for as long as the library lasts."""
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
    lens: str | None
    rating: int | None
    """1 to 5 stars, -1 for rejected."""
    description: str | None
    keywords: tuple[str, ...]
    """In alphabetical order."""
    copies: tuple[str, ...]
    """The photo's other files."""
    available: bool
    """Whether the file at `path` is there now."""


@dataclass(frozen=True, kw_only=True)
class Hit(PhotoHit):
    """A photo found by a query. Of a query of several terms, what is said holds of all of it."""

    score: float
    """SigLIP's probability that text and photo match, 0 to 1, each pair judged by itself; terms
    combined as probabilities.
    """
    logit: float | None
    """What the score is the sigmoid of; None for a query of several terms."""
    cosine: float | None
    probability: float
    """The calibrated probability, 0 to 1; the score itself where the checkpoint was not calibrated.
    Hits are ranked by it, but for verdicts where all photos are listed and for a closer look.
    """
    verdict: Verdict | None
    """None in a library that was not measured yet."""
    confidence: float | None
    """What the verdict comes from, 0 to 1: how sure it is that this is no chance hit, were it the
    best.
    """
    judged_by: JudgedBy
    closer: float | None = None
    """What a photo that was looked at more closely was ranked by, as a logit."""
    terms: dict[str, float] | None = None
    """With `explain`: the probability of each of the query's terms."""

    def __repr__(self) -> str:
        return (
            f"Hit(rank={self.rank}, probability={self.probability:.3f}, verdict={self.verdict!r}, "
            f"path={self.path!r})"
        )


@dataclass(frozen=True)
class SearchResults(Sequence[Hit]):
    """The hits of a query, best first, as a sequence, and what is known of all photos searched."""

    hits: tuple[Hit, ...]
    best: Hit | None
    """The best photo, whether it is among the hits or not."""
    maybes: int
    """How many of the 1,000 best photos may match. They are among the hits only when all photos
    were asked for.
    """
    expected: float
    """How many photos match, as expected from their probabilities."""
    photos: int
    """How many photos were searched: all of the library, or those with the tags that every hit must
    have.
    """
    judged_by: JudgedBy
    notes: tuple[Remedy | str, ...] = ()
    """What a reader of this answer should know, a sentence each, without a full stop. `str` of a
    Remedy gives it with calls as in Python.
    """

    def __repr__(self) -> str:
        best = f", best probability {self.best.probability:.3f}" if self.best else ""
        return f"<SearchResults: {len(self.hits)} hits of {self.photos} photos{best}>"

    def __len__(self) -> int:
        return len(self.hits)

    @overload
    def __getitem__(self, place: int) -> Hit: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Hit, ...]: ...

    def __getitem__(self, place: int | slice) -> Hit | tuple[Hit, ...]:
        return self.hits[place]


@dataclass(frozen=True, kw_only=True)
class SimilarHit(PhotoHit):
    """A photo found by a photo. SigLIP's sigmoid was trained on text-image pairs, so there is no
    probability here.
    """

    cosine: float
