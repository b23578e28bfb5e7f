"""Photos as JSON: what `search --json` tells of them, and how a page shows them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from sigseek.library import Library
from sigseek.results import record_fields
from sigseek.search.results import PhotoHit
from sigseek.storage.records import PictureRecord

API = "/api/v1"
SHOWN_BY_BROWSERS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}
"""The media types of the formats that browsers show, by the format's name in the catalog."""
_DIGITS = 12
"""How many digits of a picture's digest are in the address of its thumbnail."""


def photos_json(library: Library, hits: Sequence[PhotoHit]) -> list[dict[str, Any]]:
    """Return each hit as JSON, with the addresses of its pictures."""
    ids = [hit.id for hit in hits]
    pictures = library.pictures(ids)
    colors = colors_of(library, pictures)
    return [
        record_fields(hit)
        | shown_fields(hit.path, hit.id, pictures.get(hit.id), colors.get(hit.id))
        for hit in hits
    ]


def colors_of(library: Library, pictures: Mapping[int, PictureRecord]) -> dict[int, int]:
    """Return the mean colours of photos, 0xRRGGBB, by id. Those that the pictures do not tell are
    asked for.
    """
    known = {id_: found.color for id_, found in pictures.items() if found.color is not None}
    others = [id_ for id_ in pictures if id_ not in known]
    return known | library.colors(others) if others else known


def shown_fields(
    path: str, photo_id: int, picture: PictureRecord | None, color: int | None
) -> dict[str, Any]:
    """Return how a page shows the photo: names, format, the mean colour to paint until the
    thumbnail is there, and the addresses of its pictures.
    """
    version = picture.digest.hex()[:_DIGITS] if picture else ""
    form = picture.format if picture else None
    address = f"{API}/photos/{photo_id}"
    folder, name = os.path.split(path)  # PurePath takes several times as long
    return {
        "name": name,
        "folder": folder,
        "format": form,
        "color": None if color is None else f"#{color:06x}",
        "thumbnail": f"{address}/thumbnail?v={version}",
        "original": f"{address}/original",
        "shown_as": "original" if form in SHOWN_BY_BROWSERS else "derived",
    }
