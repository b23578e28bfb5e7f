"""Hits as a page: one HTML file with the thumbnails inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sigseek.answers import hit_explanation
from sigseek.pages.page import Thumbnails, copies, facts, named, picture, write_page
from sigseek.results import QUERY_PHOTOS, rounded, time_in_words
from sigseek.search.results import Hit, SimilarHit

_VERDICTS = {"match": "● match", "maybe": "◐ maybe", "no match": "○ no match"}
"""A verdict is told by a shape and a word, because not everybody sees its colour."""


@dataclass(frozen=True)
class Section:
    """The hits of one query, a heading, and what is said of the answer."""

    heading: str
    hits: Sequence[Hit | SimilarHit]
    headline: str = ""
    """How many hits there are."""
    above: tuple[str, ...] = ()
    """Other lines over the hits."""
    below: tuple[str, ...] = ()
    """Lines under the hits."""
    best: Hit | None = None
    """The photo that comes nearest, shown if there are no hits."""
    asked: Path | None = None
    """The file of the photo that the hits are like."""


def write_contact_sheet(
    file: Path, title: str, sections: Sequence[Section], thumbnails: Thumbnails
) -> None:
    """Write the page to `file`. Raises OSError when it cannot be written.

    The heading of an only section is the title, and is not said again.
    """
    alone = len(sections) == 1
    body = "\n".join(_section(section, thumbnails, alone=alone) for section in sections)
    write_page(file, title, body)


def _section(section: Section, thumbnails: Thumbnails, *, alone: bool) -> str:
    parts = [] if alone else [f"<h2>{escape(section.heading)}</h2>"]
    if section.asked:
        shown = picture(section.asked, section.asked.name, thumbnails, section.asked)
        parts.append(f'<div class="asked">{shown}<div>{named(section.asked)}</div></div>')
    if section.headline:
        parts.append(f'<p class="said headline">{escape(section.headline)}</p>')
    parts += map(_line, section.above)
    hits = section.hits or ([section.best] if section.best else [])
    if section.hits:
        parts.append(_photos(hits, thumbnails))
    elif hits:
        level = 2 if alone else 3
        parts += [f"<h{level}>The closest photo</h{level}>", _photos(hits, thumbnails)]
    else:
        parts.append("<p>Nothing found.</p>")
    if section.below:
        parts += ['<div class="below">', *map(_line, section.below), "</div>"]
    return "\n".join(["<section>", *parts, "</section>"])


def _line(words: str) -> str:
    return f'<p class="said">{escape(words)}</p>'


def _photos(hits: Sequence[Hit | SimilarHit], thumbnails: Thumbnails) -> str:
    cards = "\n".join(_card(hit, thumbnails) for hit in hits)
    return f'<ol class="photos">\n{cards}\n</ol>'


def _card(hit: Hit | SimilarHit, thumbnails: Thumbnails) -> str:
    path = Path(hit.path)
    link = path if hit.available else None
    parts = [
        picture(hit.id, path.name, thumbnails, link),
        named(path, linked=hit.available),
        f'<p class="score"><span class="rank">{hit.rank}.</span>{_marks(hit)}{_score(hit)}</p>',
        facts(time_in_words(hit.taken_at), hit.camera, hit.city),
    ]
    explanation = hit_explanation(hit) if isinstance(hit, Hit) else None
    if explanation:
        parts.append(f'<p class="why">{escape(explanation)}</p>')
    parts.append(copies(hit.copies))
    return f"<li>{''.join(parts)}</li>"


def _score(hit: Hit | SimilarHit) -> str:
    """Return the hit's number and a bar of it; nothing where facts alone decided."""
    if isinstance(hit, Hit) and hit.judged_by == "facts":
        return ""
    if isinstance(hit, Hit):
        name, value, number = "probability", hit.probability, rounded(hit.probability, 3)
    else:
        name, value, number = "cosine", hit.cosine, f"{hit.cosine:.3f}"
    share = min(max(value, 0.0), 1.0)
    bar = f'<span class="bar" aria-hidden="true"><i style="width: {share:.1%}"></i></span>'
    return f'{bar}<span title="{name}">{number}</span>'


def _marks(hit: Hit | SimilarHit) -> str:
    """Return the verdict, and what else is special about the hit."""
    marks = []
    if isinstance(hit, Hit) and hit.verdict and hit.judged_by != "facts":
        kind = "mark good" if hit.verdict == "match" else "mark"
        marks.append((kind, _VERDICTS[hit.verdict]))
    if hit.query_photo:
        marks.append(("mark", QUERY_PHOTOS[hit.query_photo]))
    if hit.damaged:
        marks.append(("mark", "damaged"))
    if not hit.available:
        marks.append(("mark away", "file not there now"))
    return "".join(f'<span class="{kind}">{escape(words)}</span>' for kind, words in marks)
