"""A folder in, stored embeddings out: scan, decode, embed, store."""

from indexer.decode import DecodeError, decode_photo
from indexer.pipeline import FolderError, Indexer, check_folder
from indexer.report import IndexReport, Progress
from indexer.sample import sample_photos

__all__ = ["DecodeError", "FolderError", "IndexReport", "Indexer", "Progress", "check_folder", "decode_photo", "sample_photos"]
