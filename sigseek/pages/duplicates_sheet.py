"""Groups of duplicates as a page: one HTML file with the thumbnails inside."""

from html import escape
from pathlib import Path

from sigseek.indexer.decoding.thumbnails import Thumbnailer
from sigseek.pages.contact_sheet import STYLE
from sigseek.pages.page import thumbnail, write_page
from sigseek.results import duplicates_headline, size_in_words
from sigseek.search.duplicates.results import DuplicateGroup, DuplicatePhoto, Duplicates


def write_duplicates_sheet(file: Path, found: Duplicates) -> None:
    """Write the page to `file`. Raises OSError when it cannot be written."""
    with Thumbnailer() as thumbnails:
        body = "\n".join(_section(group, thumbnails) for group in found)
    write_page(file, duplicates_headline(found), body, STYLE)


def _section(group: DuplicateGroup, thumbnails: Thumbnailer) -> str:
    cards = "\n".join(_card(photo, thumbnails) for photo in group.photos)
    return f'<section>\n<h2>{group.kind}</h2>\n<ol class="hits">\n{cards}\n</ol>\n</section>'


def _card(photo: DuplicatePhoto, thumbnails: Thumbnailer) -> str:
    said = [f"{photo.width}x{photo.height}", size_in_words(photo.bytes)]
    if photo.cosine is not None and not photo.keep:
        said.append(f"cosine {photo.cosine:.3f}")
    mark = f"<p><b>keep</b>: {escape(photo.why or '')}</p>" if photo.keep else ""
    path = Path(photo.path)
    link = f'<a href="{escape(path.as_uri())}">{escape(photo.path)}</a>'
    return (
        f"<li>{thumbnail(path, thumbnails)}{mark}<p>{escape(', '.join(said))}</p>"
        f'<p class="path">{link}</p></li>'
    )
