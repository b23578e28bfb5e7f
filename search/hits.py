"""A photo's part of a hit. Here alone does the search look at the disk: which of the photo's
files are there now.
"""

import os
from typing import Any

from sigseek.storage import PhotoRecord


def present_path(photo: PhotoRecord) -> str | None:
    """The photo's first file that is there now."""
    return next((path for path in photo.paths if os.path.exists(path)), None)


def photo_fields(photo: PhotoRecord) -> dict[str, Any]:
    """The fields of a `PhotoHit` but for the rank."""
    present = present_path(photo)
    path = present or photo.paths[0]
    return {
        "id": photo.id,
        "path": path,
        "width": photo.width,
        "height": photo.height,
        "taken_at": photo.taken_at,
        "camera": photo.camera,
        "latitude": photo.latitude,
        "longitude": photo.longitude,
        "lens": photo.lens,
        "rating": photo.rating,
        "description": photo.description,
        "keywords": photo.keywords,
        "copies": tuple(other for other in photo.paths if other != path),
        "available": present is not None,
    }
