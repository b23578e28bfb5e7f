"""Groups of duplicates as a page: one HTML file with the thumbnails inside."""

from html import escape
from pathlib import Path

from sigseek.pages.page import Thumbnails, copies, facts, named, picture, write_page
from sigseek.results import duplicates_headline, size_in_words, time_in_words
from sigseek.search.duplicates.results import DuplicateGroup, DuplicatePhoto, Duplicates


def write_duplicates_sheet(file: Path, found: Duplicates, thumbnails: Thumbnails) -> None:
    """Write the page to `file`. Raises OSError when it cannot be written."""
    body = "\n".join(_section(group, thumbnails) for group in found)
    write_page(file, duplicates_headline(found), body)


def _section(group: DuplicateGroup, thumbnails: Thumbnails) -> str:
    cards = "\n".join(_card(photo, thumbnails) for photo in group.photos)
    return f'<section>\n<h2>{group.kind}</h2>\n<ol class="photos">\n{cards}\n</ol>\n</section>'


def _card(photo: DuplicatePhoto, thumbnails: Thumbnails) -> str:
    path = Path(photo.path)
    marks = []
    if photo.keep:
        marks.append(f'<span class="mark good">✓ keep</span><span>{escape(photo.why or "")}</span>')
    elif photo.cosine is not None:
        marks.append(f"<span>cosine {photo.cosine:.3f}</span>")
    if not photo.available:
        marks.append('<span class="mark away">file missing or changed</span>')
    parts = [
        picture(photo.id, path.name, thumbnails, path if photo.available else None),
        named(path, linked=photo.available),
        f'<p class="score">{"".join(marks)}</p>' if marks else "",
        facts(
            f"{photo.width} x {photo.height}",
            size_in_words(photo.bytes),
            time_in_words(photo.taken_at),
        ),
        copies(photo.copies),
    ]
    return f"<li>{''.join(parts)}</li>"
