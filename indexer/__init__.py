"""A folder in, stored embeddings out: scan, decode, embed, store.

Photos are decoded by `indexer.decode` and sampled by `indexer.sample`, imported from there: Pillow and numpy come with
them, which a run over unchanged folders does without.
"""

from indexer.errors import DecodeError, FolderError
from indexer.pipeline import Indexer, check_folder
from indexer.report import IndexReport, Progress

__all__ = ["DecodeError", "FolderError", "IndexReport", "Indexer", "Progress", "check_folder"]
