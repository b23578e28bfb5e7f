"""A page for people: one HTML file with everything inside, which opens offline in any browser, light or dark."""

import base64
import os
from html import escape
from pathlib import Path

from sigseek.indexer import DecodeError
from sigseek.indexer.decoding.thumbnails import Thumbnailer

THUMBNAIL = (320, 240)
"""The most that a picture on a page measures."""

_HEAD = b"<!doctype html"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
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
    """FileNotFoundError without the folder, and FileExistsError for a file that is there and no
    page: only those are replaced.
    """
    if not os.path.isdir(file.absolute().parent):
        raise FileNotFoundError(
            f"{file} cannot be written, for there is no folder {file.parent}; make it first"
        )
    if os.path.lexists(file) and not _is_page(file):
        raise FileExistsError(
            f"{file} is there already and no HTML page, and is left as it is; name another file"
        )


def _is_page(file: Path) -> bool:
    if not os.path.isfile(file):
        return False
    with file.open("rb") as opened:
        return opened.read(len(_HEAD)).lower() == _HEAD


def write_page(file: Path, title: str, body: str, style: str) -> None:
    """Write a page to `file`, replaced as a whole: `title` is plain text, `body` HTML, `style` CSS.

    OSError when it cannot be written, and as `check_page` raises it.
    """
    check_page(file)
    file = Path(os.path.realpath(file))  # what a link leads to is replaced, not the link
    page = _PAGE.format(title=escape(title), body=body, style=style.strip())
    aside = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        # A path that is not UTF-8 shows its odd bytes as question marks; the page itself stays
        # valid.
        aside.write_text(page, encoding="utf-8", errors="replace")
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def thumbnail(path: Path, thumbnails: Thumbnailer) -> str:
    """The picture as HTML with its pixels inside, or a paragraph that says why there is none."""
    try:
        encoded = base64.b64encode(thumbnails.jpeg(path)).decode("ascii")
    except FileNotFoundError:
        return "<p>The file is not there now.</p>"
    except (DecodeError, OSError) as error:
        return f"<p>{escape(str(error))}</p>"
    return f'<img alt="{escape(path.name)}" src="data:image/jpeg;base64,{encoded}">'
