"""Results of searches that tests make up."""

from typing import Literal

from sigseek.search.results import DecidedBy, Hit, JudgedTerm, SearchResults
from sigseek.search.verdicts import JudgedBy, Verdict


def hit(
    verdict: Verdict | None,
    probability: float = 0.9,
    *,
    logit: float | None = 0.0,
    confidence: float | None = None,
    terms: dict[str, float] | None = None,
    held_back_by: str | None = None,
) -> Hit:
    return Hit(
        id=1, rank=1, path="/p/a.jpg", width=1, height=1, damaged=False, taken_at=None,
        date_source=None,
        camera=None, latitude=None, longitude=None, city=None, region=None, country=None,
        place_source=None, lens=None, rating=None, title=None, description=None, keywords=(),
        people=(), tags=(), copies=(), available=True,
        score=0.5, logit=logit,
        cosine=0.1, probability=probability, verdict=verdict, confidence=confidence,
        judged_by="calibrated", terms=terms, held_back_by=held_back_by,
    )  # fmt: skip


def found(
    *verdicts: Verdict | None,
    matches: int | None = None,
    maybes: int = 0,
    counted: bool = True,
    expected: float = 0,
    best: Hit | None = None,
    judged_by: JudgedBy = "calibrated",
    photos: int = 200,
    terms: tuple[JudgedTerm, ...] = (),
) -> SearchResults:
    hits = tuple(map(hit, verdicts))
    return SearchResults(
        hits,
        best or (hits[0] if hits else None),
        verdicts.count("match") if matches is None else matches,
        maybes,
        counted,
        expected,
        0.9,
        photos,
        judged_by,
        terms=terms,
    )


def term(
    name: str = "a house",
    confidence: float | None = 0.99,
    *,
    decided_by: DecidedBy | Literal["likeness", "fact"] = "calibration",
    required: bool = True,
) -> JudgedTerm:
    return JudgedTerm(term=name, confidence=confidence, decided_by=decided_by, required=required)
