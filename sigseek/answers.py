"""What is said about an answer beside its hits, in the same words on the command line and pages.

Nothing here prints. A sentence that names an option is a Remedy, as in `sigseek.results`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sigseek.errors import Call, Option, Remedy, Step, escaped
from sigseek.results import FINISH_INDEXING, counted, rounded, shown
from sigseek.search.verdicts import MATCH_FROM, MAYBE_FROM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sigseek.search.results import Hit, JudgedTerm, SearchResults

LIKENESS_LEGEND = (
    "The number is a likeness, the cosine of the two photos' embeddings, and no probability: 1 is "
    "the same picture"
)
"""What the numbers of similar photos mean."""
DUPLICATES_LEGEND = (
    "The number is the cosine of the photo's embedding with that of the photo to keep, and no "
    "probability of a copy"
)
"""What the numbers of photos in groups of duplicates mean."""

_JUDGED = {
    "calibrated": "",
    "facts": "",
    "uncalibrated": " (uncalibrated)",
    "provisional": " (provisional)",
}
_ORDERS = {
    "match": "",
    "date": ", oldest first",
    "-date": ", newest first",
    "path": ", by path",
    "rating": ", most stars first",
    "added": ", last added first",
}
"""How a headline names the order, if not all hits are shown."""
_MOST_NAMED = 3
"""The most terms that are named as showing nothing."""
_MUCH_MORE = 1.25
"""The expected number is told if it is this many times the number of matches and maybes."""
_DECIDED_BY = {
    "two groups": "the two groups that the scores form here",
    "calibration": "its score, by the checkpoint's calibration",
    "sigmoid": "SigLIP's own probability",
    "raised sigmoid": "SigLIP's own probability, raised so that a score that chance rarely reaches "
    "counts as 0.5",
    "likeness": "its likeness, 0.5 where chance would find one photo as alike",
    "fact": "what is known of the photo, 1 if it is true and 0 if not",
}
"""Where a photo's number for a term comes from, by `JudgedTerm.decided_by`."""


@dataclass(frozen=True)
class Answer:
    """All that is said of the results of a search."""

    notes: tuple[Remedy | str, ...]
    """What a reader of the answer should know."""
    headline: Remedy
    explanation: tuple[str, ...]
    """How each term was judged, if the search was asked to explain."""
    legend: tuple[Remedy, ...]
    """Why there is nothing, and what the numbers of the hits mean."""


def answer(
    found: SearchResults,
    limit: int,
    min_probability: float = 0.0,
    *,
    include_all: bool = False,
    explain: bool = False,
) -> Answer:
    """Return what to say of the results. The arguments are those of the search."""
    notes = found.notes
    if found.judged_by == "nothing":
        notes = (*notes, FINISH_INDEXING)
    shown_all = include_all or min_probability > 0  # then it adds no photo, or only some
    legend = (
        _reason(found, include_all=include_all, explain=explain),
        _legend(found, shown_all=shown_all, explain=explain),
    )
    return Answer(
        notes,
        headline(found, limit, min_probability, include_all=include_all),
        _explanation(found) if explain else (),
        tuple(line for line in legend if line),
    )


def headline(
    found: SearchResults, limit: int, min_probability: float = 0.0, *, include_all: bool = False
) -> Remedy:
    """Say how many photos match a query, as a line over the hits or in their place.

    The arguments are those of the search.
    """
    if not found.photos and found.selection:
        return Remedy(f"No photo in the selection: {escaped(shown(found.selection))}")
    if found.judged_by == "nothing":
        return Remedy(f"{counted(len(found.hits), 'photo')} listed, not judged yet")
    parts = [_matches(found, limit, min_probability, include_all=include_all)]
    if found.maybes:
        number = _estimated(found.maybes) if not found.counted else f"{found.maybes:,}"
        more = f"{number} more" if found.matches else number
        parts.append(
            Remedy(f"{more} may") if include_all
            else Remedy(f"{more} may ({{}})", (Option("include_all", True),))
        )  # fmt: skip
    if include_all and found.hits:
        parts.append(_listed(found, limit))
    text = "; ".join(part.text for part in parts)
    return Remedy(text, tuple(step for part in parts for step in part.steps))


def _matches(
    found: SearchResults, limit: int, min_probability: float, *, include_all: bool
) -> Remedy:
    """Return how many photos match, and which of them are listed."""
    label = _JUDGED[found.judged_by]
    if not found.matches:
        return Remedy(_no_match(found, min_probability, label))
    text = f"{counted(found.matches, 'photo')} match{'es' if found.matches == 1 else ''}"
    if not found.counted:
        text = f"about {_estimated(found.matches)} photos match"
    text += label
    if min_probability > MATCH_FROM:
        text += f" with a probability of {min_probability:g} or more"
    in_all = float(f"{found.expected:.2g}")
    # The expected number is of all photos, so it is not compared with a count of the likeliest.
    comparable = found.counted and min_probability <= MAYBE_FROM
    if comparable and in_all > _MUCH_MORE * (found.matches + found.maybes) + 1:
        text += f", probably about {in_all:,.0f} of {found.photos:,} in all"
    if include_all or len(found.hits) == found.matches:
        return Remedy(text)
    if found.offset and not found.hits:
        return Remedy(f"{text}, none after the first {found.offset:,}")
    part = f"{_places(found)} shown{_ORDERS[found.order]}"
    if len(found.hits) == limit:
        return Remedy(f"{text}, {part} ({{}} for more)", (_more(found, limit),))
    return Remedy(f"{text}, {part}" if found.offset else text)


def _no_match(found: SearchResults, min_probability: float, label: str) -> str:
    """Return what there is where no photo matches."""
    if found.best is None:
        return "No photo matches"
    best = escaped(shown(found.best.path))
    if found.best.probability < min_probability and found.best.verdict != "no match":
        probability = _rounded_below(found.best.probability, min_probability)
        return (
            f"No photo has a probability of {min_probability:g} or more{label}; "
            f"the best has {probability}: {best}"
        )
    if found.maybes:
        return f"No photo clearly matches{label}"
    return f"No photo matches{label}; the closest is {best} ({rounded(found.best.probability, 2)})"


def _listed(found: SearchResults, limit: int) -> Remedy:
    """Return how many of all photos are listed, whatever the verdict."""
    if found.offset + len(found.hits) < min(found.offset + limit, found.photos):
        return Remedy(f"{len(found.hits):,} of {counted(found.photos, 'photo')} listed")
    if not found.offset and len(found.hits) >= found.photos:
        photos = counted(found.photos, "photo")
        return Remedy(f"all {photos} listed" if found.photos > 1 else f"{photos} listed")
    return Remedy(
        f"{_places(found)} of {found.photos:,} photos listed{_ORDERS[found.order]} ({{}} for more)",
        (_more(found, limit),),
    )


def _places(found: SearchResults) -> str:
    """Return which part of the whole list the hits are, such as "the best 20"."""
    if found.offset:
        first, last = found.offset + 1, found.offset + len(found.hits)
        return f"{first:,} to {last:,}" if first < last else f"number {last:,}"
    judged = found.order == "match" and found.judged_by != "facts"
    best = "best" if judged else "first"
    return f"the {best} {len(found.hits):,}" if len(found.hits) > 1 else f"the {best} one"


def _more(found: SearchResults, limit: int) -> Option:
    """Return how to see more: a longer list, or if there was an offset the next part."""
    if found.offset:
        return Option("offset", found.offset + limit)
    return Option("limit", 10 * limit)


def _estimated(number: int) -> str:
    """Return a number that a sample tells, which is good for two digits."""
    return f"{int(float(f'{number:.2g}')):,}"


def _rounded_below(value: float, limit: float) -> str:
    """Return the value in so few digits that it still reads as less than the limit."""
    return next(text for digits in range(2, 18) if float(text := f"{value:.{digits}g}") < limit)


def _legend(found: SearchResults, *, shown_all: bool, explain: bool) -> Remedy | None:
    """Return what the numbers of the hits mean; None where they have no verdicts.

    Where `shown_all`, nothing is said of how to see other photos.
    """
    if not found.hits or found.judged_by in ("facts", "nothing"):
        return None
    said = [
        "The number is how likely a photo belongs to the answer: a match from "
        f"{MATCH_FROM:g} on, a maybe from {MAYBE_FROM:g} on",
        f"{counted(found.photos, 'photo')} searched",
    ]
    steps: list[Step] = []
    if not shown_all and len(found.hits) < found.photos:
        said.append("{} also lists the others")
        steps.append(Option("include_all", True))
    if not explain:
        said.append("{} tells what a number comes from")
        steps.append(Option("explain", True))
    if found.judged_by == "uncalibrated":
        said.append("to check numbers against captions of yours: {}")
        steps.append(Call("calibrate", ("CAPTIONS",)))
    return Remedy("; ".join(said), tuple(steps))


def _reason(found: SearchResults, *, include_all: bool, explain: bool) -> Remedy | None:
    """Return why no photo matches; None where one does."""
    best = found.best
    if best is None and any(term.decided_by == "likeness" for term in found.terms):
        return Remedy(
            "Why: there is no other photo; {} lists the photo itself",
            (Option("include_self", True),),
        )
    if found.judged_by == "nothing" or best is None or best.verdict == "match":
        return None
    required = [term for term in found.terms if term.required and term.confidence is not None]
    absent = _absent_terms(found)
    if absent:
        text = _nothing_of(absent, found)
    elif len(found.terms) == 1 and found.terms[0].decided_by == "likeness":
        text = "no photo is much more like it than chance would have it"
    elif required and len(found.terms) == 1:
        certainty = rounded(required[0].confidence or 0, 2)
        text = (
            f"your photos seem to show something of it (certainty {certainty}), "
            "but none shows it clearly"
        )
    else:
        return _reason_of_several(found, include_all=include_all, explain=explain)
    return Remedy(f"Why: {escaped(text)}; {counted(found.photos, 'photo')} searched")


def _absent_terms(found: SearchResults) -> list[JudgedTerm]:
    """Return the terms that explain why nothing matches: the photos seem to show nothing of them.

    Each hit must show every term that is joined by AND, so one absent term is enough. Where all
    terms are joined by OR, all of them must be absent.
    """
    required = [term for term in found.terms if term.required]
    judged = [term for term in required or found.terms if term.confidence is not None]
    absent = [term for term in judged if (term.confidence or 0) < MATCH_FROM]
    return absent if required or len(absent) == len(found.terms) else []


def _nothing_of(absent: Sequence[JudgedTerm], found: SearchResults) -> str:
    """Say that the photos show nothing of these terms, or perhaps nothing."""
    named_ones = absent[:_MOST_NAMED]
    names = ["it" if len(found.terms) == 1 else f"'{shown(term.term)}'" for term in named_ones]
    if len(absent) > _MOST_NAMED:
        names.append(f"{len(absent) - _MOST_NAMED:,} more")
    named = (" and " if absent[0].required else " or ").join(names)
    certainty = ", ".join(rounded(term.confidence or 0, 2) for term in named_ones)
    text = f"as far as can be told, your photos show nothing of {named}"
    if found.best and found.best.verdict == "maybe":
        text = f"it is not certain that your photos show {named}"
    return f"{text} (certainty {certainty})"


def _reason_of_several(found: SearchResults, *, include_all: bool, explain: bool) -> Remedy:
    """Say that the terms of a query do not meet in a photo, and how to see what each one lacks."""
    text = "Why: no photo has all of what was asked for"
    if not any(term.required for term in found.terms):  # they are joined by OR, for example
        text = "Why: no photo clearly has what the query as a whole asks for"
    steps = [Option("include_all", True)] * (not include_all)
    steps += [Option("explain", True)] * (not explain)
    if not steps:
        return Remedy(f"{text}; {counted(found.photos, 'photo')} searched")
    options = " ".join("{}" for _ in steps)
    return Remedy(f"{text}; {options} tells what each one lacks", tuple(steps))


def _explanation(found: SearchResults) -> tuple[str, ...]:
    """Return a line for each term: whether there is anything of it, and where a photo's number for
    it comes from.
    """
    lines = []
    for term in found.terms:
        there = ""
        if term.confidence is not None:
            there = f"certainty {rounded(term.confidence, 2)} that your photos show it; "
        source = _DECIDED_BY[term.decided_by]
        lines.append(f"{shown(term.term)}: {there}a photo's number for it comes from {source}")
    if len(lines) > 1:
        lines.append(
            "the whole query: AND multiplies the numbers of its parts, NOT turns one into 1 minus "
            "it, and OR is 1 minus the chance that no part is true"
        )
    return tuple(lines)


def hit_explanation(hit: Hit) -> str | None:
    """Return what a hit's number comes from; None unless the search was asked to explain."""
    if not hit.terms:
        return None
    if len(hit.terms) == 1 and hit.logit is not None and hit.confidence:
        own = min(hit.probability / hit.confidence, 1.0)
        number, there, this = (rounded(one, 2) for one in (hit.probability, hit.confidence, own))
        return f"{number} = {there} that your photos show it x {this} that this one does"
    terms = ", ".join(f"{shown(term)} {rounded(value, 2)}" for term, value in hit.terms.items())
    return f"{terms} (held back by {shown(hit.held_back_by)})" if hit.held_back_by else terms
