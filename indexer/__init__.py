"""A folder in, stored embeddings out: scan, decode, embed, store."""

from indexer.bias import is_measured, measure_biases
from indexer.decode import DecodeError, decode_photo, decode_views
from indexer.files import embed_files
from indexer.pipeline import FolderError, Indexer, check_folder
from indexer.report import IndexReport, Progress
from indexer.sample import sample_photos

__all__ = [
    "DecodeError",
    "FolderError",
    "IndexReport",
    "Indexer",
    "Progress",
    "check_folder",
    "decode_photo",
    "decode_views",
    "embed_files",
    "is_measured",
    "measure_biases",
    "sample_photos",
]
