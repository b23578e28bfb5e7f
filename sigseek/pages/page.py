"""Pages for people: HTML files with everything inside, which open offline in any browser."""

import base64
import os
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from html import escape
from pathlib import Path

from sigseek.errors import SigseekError
from sigseek.files import write_whole
from sigseek.results import day_in_words

Thumbnails = Callable[[int | Path], bytes]
"""Gives the small JPEG of a photo of the library, by its id, or of any photo file. It raises a
SigseekError, or OSError, where there is none.
"""

THUMBNAIL = 320
"""The longer side of a picture on a page, in pixels."""

_LOOK = Path(__file__).parent.parent / "web" / "page" / "look.css"
"""The colours and sizes that the pages have in common with the one that is served."""
_SHEET = Path(__file__).with_name("sheet.css")
_BEGINNING = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="sigseek">
"""
"""How every page begins. Only files that begin so may be replaced."""
_REST = """<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p class="made">Written by sigseek on <time datetime="{iso}">{day}</time></p>
</header>
<main>
{body}
</main>
</body>
</html>
"""


def check_page(file: Path) -> None:
    """Check that a page may be written to `file`.

    Raises FileNotFoundError if the folder is missing, FileExistsError if `file` exists and was not
    written by sigseek.
    """
    if not os.path.isdir(file.absolute().parent):
        raise FileNotFoundError(
            f"{file} cannot be written: there is no folder {file.parent}; create it first"
        )
    if os.path.lexists(file) and not _is_page(file):
        raise FileExistsError(
            f"{file} already exists and was not written by sigseek; choose another name"
        )


def _is_page(file: Path) -> bool:
    if not os.path.isfile(file):
        return False
    with file.open("rb") as opened:
        beginning = opened.read(len(_BEGINNING) + _BEGINNING.count("\n"))
    return beginning.replace(b"\r\n", b"\n").startswith(_BEGINNING.encode("ascii"))


def write_page(file: Path, title: str, body: str, style: str = "") -> None:
    """Write a page to `file`: `title` is plain text, `body` HTML, `style` more CSS.

    Raises OSError when it cannot be written, and what `check_page` raises.
    """
    check_page(file)
    file = Path(os.path.realpath(file))  # replace what a link points to, not the link
    today = date.today().isoformat()
    page = _BEGINNING + _REST.format(
        title=escape(title),
        body=body,
        style=(_common_style() + style).strip(),
        iso=today,
        day=day_in_words(today),
    )
    # A path that is not UTF-8 shows its odd bytes as question marks; the page itself stays valid.
    write_whole(file, page.encode("utf-8", errors="replace"))


@cache
def _common_style() -> str:
    return _LOOK.read_text("utf-8") + _SHEET.read_text("utf-8")


def picture(photo: int | Path, name: str, thumbnails: Thumbnails, link: Path | None) -> str:
    """Return the photo as HTML with its pixels inside, or the reason why there is none.

    It leads to the file `link`, if any.
    """
    try:
        encoded = base64.b64encode(thumbnails(photo)).decode("ascii")
    except FileNotFoundError:
        shown = '<span class="none">The file is missing.</span>'
    except SigseekError as error:
        shown = f'<span class="none">{escape(error.found)}</span>'
    except OSError as error:
        shown = f'<span class="none">{escape(error.strerror or str(error))}</span>'
    else:
        shown = f'<img alt="{escape(name)}" src="data:image/jpeg;base64,{encoded}">'
    if link is None:
        return f'<span class="picture">{shown}</span>'
    return f'<a class="picture" href="{escape(link.as_uri())}">{shown}</a>'


def named(path: Path, *, linked: bool = True) -> str:
    """Return the file's name, large, and its folder, small, as HTML. The name leads to the file if
    it is `linked`.
    """
    name = escape(path.name)
    if linked:
        name = f'<a href="{escape(path.as_uri())}">{name}</a>'
    return f'<p class="name">{name}</p><p class="folder">{escape(str(path.parent))}</p>'


def facts(*known: str | None) -> str:
    """Return what is known of a photo as one line of HTML; empty if it is nothing."""
    line = " · ".join(escape(fact) for fact in known if fact)
    return f'<p class="facts">{line}</p>' if line else ""


def copies(paths: Sequence[str]) -> str:
    """Return a photo's other files as HTML that opens when one asks for it."""
    if not paths:
        return ""
    title = "1 copy" if len(paths) == 1 else f"{len(paths):,} copies"
    items = "".join(f"<li>{escape(path)}</li>" for path in paths)
    return f'<details class="copies"><summary>{title}</summary><ul>{items}</ul></details>'
