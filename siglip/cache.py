"""Where what is derived from checkpoints is kept. All of it can be deleted at any time: it is made again when needed."""

import os
from pathlib import Path

from platformdirs import user_cache_path


def cache_directory() -> Path:
    """The directory of sigseek's own in the user's cache; `SIGSEEK_CACHE` names another."""
    return Path(os.environ.get("SIGSEEK_CACHE") or user_cache_path("sigseek", appauthor=False))
