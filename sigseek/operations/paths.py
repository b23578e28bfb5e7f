"""Paths as users write them."""

import os
from pathlib import Path


def expand(path: str | os.PathLike[str]) -> Path:
    """The path with the home directory for a leading `~` or `~user`; a name that merely begins so,
    of no user's, as it is.
    """
    return Path(os.path.expanduser(path))  # Path.expanduser raises for the latter
