"""A folder in, stored embeddings out: scan, decode, embed, store.

Photos are decoded by `indexer.decode` and sampled by `indexer.sample`, imported from there: Pillow and numpy come with
them, which a run over unchanged folders does without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from indexer.errors import DecodeError, FolderError

if TYPE_CHECKING:
    from indexer.pipeline import Indexer, check_folder, check_folders_below
    from indexer.report import IndexReport, Progress

__all__ = ["DecodeError", "FolderError", "IndexReport", "Indexer", "Progress", "check_folder", "check_folders_below"]

# Loaded when first asked for: the processes that decode take what they need from this package, and SQLAlchemy is not of it.
_HOMES = {
    "Indexer": "indexer.pipeline",
    "check_folder": "indexer.pipeline",
    "check_folders_below": "indexer.pipeline",
    "IndexReport": "indexer.report",
    "Progress": "indexer.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'indexer' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
