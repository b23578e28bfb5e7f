"""The library that a command uses when none is named."""

import os
from pathlib import Path

from sigseek.paths import LIBRARY_BESIDE_PHOTOS


def default_library() -> Path:
    """Return the directory of the library when none is named.

    It is the library beside the photos of the current directory, or else the platform's place for
    user data.
    """
    return library_beside(Path.cwd()) or _user_library()


def library_beside(directory: Path) -> Path | None:
    """Return the library that is in the directory, or else in the nearest one above it."""
    for place in (directory, *directory.parents):
        library = place / LIBRARY_BESIDE_PHOTOS
        if os.path.isfile(library / "catalog.sqlite"):
            return library
    return None


def _user_library() -> Path:
    from platformdirs import user_data_path

    return user_data_path("sigseek", appauthor=False)
