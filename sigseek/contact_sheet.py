"""Hits as a page: one HTML file with the thumbnails inside, which opens offline in any browser."""

import base64
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from indexer import DecodeError
from indexer.decode import open_upright
from search.results import Hit, PhotoHit, SimilarHit

_THUMBNAIL = (320, 240)

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
.hits {{ display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); list-style: none; padding: 0; }}
.hits li {{ border: 1px solid #8884; border-radius: .5rem; overflow: hidden; }}
.hits img {{ aspect-ratio: 4 / 3; display: block; object-fit: contain; width: 100%; background: #8882; }}
.hits p {{ margin: .45rem .6rem; overflow-wrap: anywhere; }}
.path {{ font-size: .8rem; opacity: .75; }}
meter {{ width: 6rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{sections}
</body>
</html>
"""


@dataclass(frozen=True)
class Section:
    """One query's hits under its heading."""

    heading: str
    hits: Sequence[Hit | SimilarHit]


def write_contact_sheet(file: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the page to `file`, replaced as a whole; OSError when it cannot be written."""
    page = _PAGE.format(title=escape(title), sections="\n".join(_section(section) for section in sections))
    aside = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        # A path that is not UTF-8 shows its odd bytes as question marks; the page itself stays valid.
        aside.write_text(page, encoding="utf-8", errors="replace")
        os.replace(aside, file)
    finally:
        aside.unlink(missing_ok=True)


def _section(section: Section) -> str:
    cards = "\n".join(_card(hit) for hit in section.hits)
    body = f'<ol class="hits">\n{cards}\n</ol>' if cards else "<p>Nothing found.</p>"
    return f"<section>\n<h2>{escape(section.heading)}</h2>\n{body}\n</section>"


def _card(hit: Hit | SimilarHit) -> str:
    name, value = ("score", hit.score) if isinstance(hit, Hit) else ("cosine", hit.cosine)
    meter = f'{hit.rank}. <meter value="{max(value, 0):.4f}"></meter> {name} {value:.3f}'
    return f'<li>{_thumbnail(hit)}<p>{meter}</p><p class="path">{escape(hit.path)}</p></li>'


def _thumbnail(hit: PhotoHit) -> str:
    """The picture inside the page, or why there is none."""
    try:
        image = open_upright(Path(hit.path))
    except (DecodeError, OSError) as error:
        return f"<p>{escape(str(error))}</p>" if hit.available else "<p>The file is not there now.</p>"
    image.thumbnail(_THUMBNAIL)
    kept = io.BytesIO()
    image.save(kept, "JPEG", quality=80)
    encoded = base64.b64encode(kept.getvalue()).decode("ascii")
    return f'<img alt="{escape(Path(hit.path).name)}" src="data:image/jpeg;base64,{encoded}">'
