"""The directory of files that are derived from checkpoints.

All of them can be deleted at any time; they are made again when needed.
"""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_directory() -> Path:
    """Return sigseek's directory in the user's cache, or the one that `SIGSEEK_CACHE` names."""
    return Path(os.environ.get("SIGSEEK_CACHE") or user_cache_path("sigseek", appauthor=False))
