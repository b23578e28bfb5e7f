"""Hits, as the Python API returns them and as `--json` prints them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args, overload

from sigseek.errors import Remedy
from sigseek.search.verdicts import JudgedBy, Verdict
from sigseek.storage.records import PhotoTag

Order = Literal["match", "date", "-date", "path", "rating", "added"]
"""Best match first; oldest or newest first; by path; most stars first; or last added first. Among
equals the photo that was added first is first.
"""
ORDERS: tuple[Order, ...] = get_args(Order)

DecidedBy = Literal["two groups", "calibration", "sigmoid", "raised sigmoid"]
"""How a text's logit becomes a probability: by the two groups that the logits form in the library,
the checkpoint's calibration, SigLIP's sigmoid, or that sigmoid moved towards lower logits.
"""


@dataclass(frozen=True, kw_only=True)
class PhotoHit:
    """A photo among the results. A field is None if the photo's file does not give it."""

    id: int
    """The photo's number in its library: the same for as long as the library lasts."""
    rank: int
    """The hit's place, from 1."""
    path: str
    """The absolute path of the first of the photo's files that is there."""
    width: int
    """The width in pixels, as shown."""
    height: int
    damaged: bool
    """Whether a part of the picture could not be decoded."""
    taken_at: str | None
    """The local time in ISO 8601, as precise as the source: "1978", or
    "2016-12-24T10:02:17+01:00".
    """
    date_source: str | None
    """Where `taken_at` comes from, "exif original" or "file name" for example."""
    camera: str | None
    latitude: float | None
    """The latitude in degrees, north positive."""
    longitude: float | None
    """The longitude in degrees, east positive."""
    city: str | None
    region: str | None
    country: str | None
    place_source: str | None
    """Who named the city, region and country: "sidecar", "xmp" or "iptc", or "coordinates" where
    they were looked up by latitude and longitude.
    """
    lens: str | None
    rating: int | None
    """The number of stars, 1 to 5, or -1 for a rejected photo."""
    title: str | None
    description: str | None
    keywords: tuple[str, ...]
    """The keywords in alphabetical order; "Animal|Bird|Gull" for one in a hierarchy."""
    people: tuple[str, ...]
    """The names of the people whom the photo shows, in alphabetical order."""
    tags: tuple[PhotoTag, ...]
    """The photo's tags in alphabetical order, each with whether a person gave it."""
    copies: tuple[str, ...]
    """The photo's other files."""
    available: bool
    """Whether the file at `path` is there now."""
    query_photo: Literal["itself", "copy"] | None = None
    """Whether `path` is the named file itself or an exact copy of it, if the query names the photo.
    None for all other photos.
    """


@dataclass(frozen=True, kw_only=True)
class Hit(PhotoHit):
    """A photo found by a query. With several terms, the numbers are for the whole query."""

    score: float
    """SigLIP's probability, 0 to 1, that text and photo match. Each pair is judged on its own, and
    several terms are combined as probabilities.
    """
    logit: float | None
    """The score is the sigmoid of this logit. It is None for a query of several terms."""
    cosine: float | None
    probability: float
    """How likely, 0 to 1, the photo belongs to the answer. Order and verdict follow it."""
    verdict: Verdict | None
    """"match" from a probability of 0.5 on, "maybe" from 0.1 on. The verdict is None in a library
    that was not measured yet.
    """
    confidence: float | None
    """How certain it is, 0 to 1, that the library shows anything of what was asked for: the same
    for all hits of a query.
    """
    judged_by: JudgedBy
    closer: float | None = None
    """The logit by which a closer look ranked this photo."""
    terms: dict[str, float] | None = None
    """The probability of each of the query's terms; None without `explain`."""
    held_back_by: str | None = None
    """The term that keeps the probability from being higher; None if the query has one term, if no
    term matters much, and without `explain`.
    """

    def __repr__(self) -> str:
        return (
            f"Hit(rank={self.rank}, probability={self.probability:.3f}, verdict={self.verdict!r}, "
            f"path={self.path!r})"
        )


@dataclass(frozen=True, kw_only=True)
class JudgedTerm:
    """A term of a query, and how it was judged in this library."""

    term: str
    confidence: float | None
    """How certain it is, 0 to 1, that the library shows anything of a text. It is None for photos
    and tags, and in a library that was not measured.
    """
    decided_by: DecidedBy | Literal["likeness", "fact"]
    """How a photo's score for a text becomes a probability; "likeness" for a photo that the query
    names, "fact" for a fact or a tag.
    """
    required: bool
    """Whether every hit must show it: the query consists of it, or joins it to the rest by AND."""


@dataclass(frozen=True)
class SearchResults(Sequence[Hit]):
    """The hits of a query, best first, as a sequence, and what is known of all photos searched."""

    hits: tuple[Hit, ...]
    best: Hit | None
    """The best photo, which need not be among the hits."""
    matches: int
    """How many photos match, with the least probability that was asked for. A large enough limit
    lists all of them. It is 0 in a library that was not measured yet.
    """
    maybes: int
    """How many photos may match. They are among the hits only with `include_all`."""
    counted: bool
    """Whether `matches` and `maybes` were counted. Otherwise one of them is an estimate from a
    sample, which happens when several hundred or more of over 50,000 photos match or may match.
    """
    expected: float
    """The number of matches that the photos' probabilities add up to."""
    confidence: float | None
    """How certain it is, 0 to 1, that any photo shows what was asked for."""
    photos: int
    """How many photos were searched: the whole library, or those for which the facts and tags are
    true that every hit must fulfil.
    """
    judged_by: JudgedBy
    notes: tuple[Remedy | str, ...] = ()
    """What a reader of this answer should know, a sentence each, without a full stop. `str` of a
    Remedy gives it with calls as in Python.
    """
    terms: tuple[JudgedTerm, ...] = ()
    """How each term of the query was judged."""
    selection: str | None = None
    """The facts and tags that every hit must fulfil, as a query; None where all photos were
    searched.
    """
    query: str = ""
    """The query as sigseek writes it; empty where all photos are listed."""
    order: Order = "match"
    """What the hits are in order by."""
    offset: int = 0
    """How many hits come before these."""
    next_page: str | None = field(default=None, compare=False)
    """What to pass as `page` to a search that asks the same, to get the hits after these. It is
    None if there are no more. Answers are compared without it, because it also depends on the
    library's state.
    """

    def __repr__(self) -> str:
        best = f", best probability {self.best.probability:.3f}" if self.best else ""
        hits = "1 hit" if len(self.hits) == 1 else f"{len(self.hits)} hits"
        photos = "1 photo" if self.photos == 1 else f"{self.photos} photos"
        return f"<SearchResults: {hits} of {photos}{best}>"

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
