"""The photo's part of a hit. This is the only place where a search looks at the disk, to see which
of the photo's files are there.
"""

import os
from typing import Any

from sigseek.storage import PhotoRecord


def present_path(photo: PhotoRecord) -> str | None:
    """Return the photo's first file that is there now."""
    return next((path for path in photo.paths if os.path.exists(path)), None)


def photo_fields(photo: PhotoRecord) -> dict[str, Any]:
    """Return the fields of a `PhotoHit`, except for the rank."""
    present = present_path(photo)
    path = present or photo.paths[0]
    return {
        "id": photo.id,
        "path": path,
        "width": photo.width,
        "height": photo.height,
        "damaged": photo.damaged,
        "taken_at": photo.taken_at,
        "date_source": photo.date_source,
        "camera": photo.camera,
        "latitude": photo.latitude,
        "longitude": photo.longitude,
        "city": photo.city,
        "region": photo.region,
        "country": photo.country,
        "place_source": photo.place_source,
        "lens": photo.lens,
        "rating": photo.rating,
        "title": photo.title,
        "description": photo.description,
        "keywords": photo.keywords,
        "people": photo.people,
        "copies": tuple(other for other in photo.paths if other != path),
        "available": present is not None,
    }
