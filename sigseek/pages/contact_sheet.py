"""Hits as a page: one HTML file with the thumbnails inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from sigseek.answers import hit_explanation
from sigseek.indexer.decoding.thumbnails import Thumbnailer
from sigseek.pages.page import thumbnail, write_page
from sigseek.results import QUERY_PHOTOS
from sigseek.search.results import Hit, SimilarHit

STYLE = """
.hits { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); }
.hits { list-style: none; padding: 0; }
.hits li { border: 1px solid #8884; border-radius: .5rem; overflow: hidden; }
.hits img { aspect-ratio: 4 / 3; display: block; object-fit: contain; width: 100%; }
.hits img { background: #8882; }
.hits p { margin: .45rem .6rem; overflow-wrap: anywhere; }
.said { max-width: 80ch; opacity: .85; overflow-wrap: anywhere; }
.path { font-size: .8rem; opacity: .75; }
meter { width: 6rem; }"""


@dataclass(frozen=True)
class Section:
    """The hits of one query, a heading, and what is said of the answer."""

    heading: str
    hits: Sequence[Hit | SimilarHit]
    above: tuple[str, ...] = ()
    """Lines over the hits."""
    below: tuple[str, ...] = ()
    """Lines under the hits."""


def write_contact_sheet(file: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the page to `file`. Raises OSError when it cannot be written."""
    with Thumbnailer() as thumbnails:
        body = "\n".join(_section(section, thumbnails) for section in sections)
    write_page(file, title, body, STYLE)


def _section(section: Section, thumbnails: Thumbnailer) -> str:
    cards = "\n".join(_card(hit, thumbnails) for hit in section.hits)
    body = f'<ol class="hits">\n{cards}\n</ol>' if cards else "<p>Nothing found.</p>"
    parts = [f"<h2>{escape(section.heading)}</h2>", *map(_line, section.above), body]
    parts += map(_line, section.below)
    return "\n".join(["<section>", *parts, "</section>"])


def _line(words: str) -> str:
    return f'<p class="said">{escape(words)}</p>'


def _card(hit: Hit | SimilarHit, thumbnails: Thumbnailer) -> str:
    name, value = (
        ("probability", hit.probability) if isinstance(hit, Hit) else ("cosine", hit.cosine)
    )
    meter = f'{hit.rank}. <meter value="{max(value, 0):.4f}"></meter> {name} {value:.3f}'
    said = [] if not isinstance(hit, Hit) or hit.verdict in (None, "match") else [str(hit.verdict)]
    if hit.query_photo:
        said.append(QUERY_PHOTOS[hit.query_photo])
    if hit.damaged:
        said.append("damaged")
    explanation = hit_explanation(hit) if isinstance(hit, Hit) else None
    if explanation:
        said.append(explanation)
    more = f"<p>{escape(', '.join(said))}</p>" if said else ""
    path = Path(hit.path)
    link = f'<a href="{escape(path.as_uri())}">{escape(hit.path)}</a>'
    return f'<li>{thumbnail(path, thumbnails)}<p>{meter}</p>{more}<p class="path">{link}</p></li>'
