"""A folder in, searchable photos out: scan, decode, embed, store, measure, index.

Photos are decoded by `sigseek.indexer.decoding.decode` and sampled by `sigseek.indexer.sample`,
which are imported from there: Pillow and numpy come with them, which a run over unchanged folders
does without.
"""

from typing import TYPE_CHECKING, Any

from sigseek.deferred import load_from
from sigseek.indexer.errors import DecodeError, FolderError

if TYPE_CHECKING:
    from sigseek.indexer.folder_checks import check_folder, check_folders_below
    from sigseek.indexer.ledger import IndexReport
    from sigseek.indexer.pipeline import Indexer

__all__ = [
    "DecodeError",
    "FolderError",
    "IndexReport",
    "Indexer",
    "check_folder",
    "check_folders_below",
]

# Loaded when first asked for: the processes that decode take what they need from this package, and
# SQLAlchemy is not of it.
_HOMES = {
    "Indexer": "sigseek.indexer.pipeline",
    "check_folder": "sigseek.indexer.folder_checks",
    "check_folders_below": "sigseek.indexer.folder_checks",
    "IndexReport": "sigseek.indexer.ledger",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'sigseek.indexer' has no attribute '{name}'")
    return load_from(_HOMES[name], name)
