"""Pages for people: HTML files with everything inside, which open offline in any browser."""

import base64
import os
from html import escape
from pathlib import Path

from sigseek.files import write_whole
from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.thumbnails import Thumbnailer

THUMBNAIL = 320
"""The longer side of a picture on a page, in pixels."""

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
:root {{ color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }}
body {{ margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }}
h2 {{ font-size: 1.1rem; margin: 2rem 0 .6rem; }}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
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


def write_page(file: Path, title: str, body: str, style: str) -> None:
    """Write a page to `file`: `title` is plain text, `body` HTML, `style` CSS.

    Raises OSError when it cannot be written, and what `check_page` raises.
    """
    check_page(file)
    file = Path(os.path.realpath(file))  # replace what a link points to, not the link
    page = _BEGINNING + _REST.format(title=escape(title), body=body, style=style.strip())
    # A path that is not UTF-8 shows its odd bytes as question marks; the page itself stays valid.
    write_whole(file, page.encode("utf-8", errors="replace"))


def thumbnail(path: Path, thumbnails: Thumbnailer) -> str:
    """Return the picture as HTML with its pixels inside, or a paragraph that says why there is
    none.
    """
    try:
        encoded = base64.b64encode(thumbnails.jpeg(path, THUMBNAIL)).decode("ascii")
    except FileNotFoundError:
        return "<p>The file is missing.</p>"
    except (DecodeError, OSError) as error:
        return f"<p>{escape(str(error))}</p>"
    return f'<img alt="{escape(path.name)}" src="data:image/jpeg;base64,{encoded}">'
