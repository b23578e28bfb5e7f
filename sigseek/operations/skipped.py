"""The files that seem to hold photos and that indexing passed over."""

from pathlib import PurePath

from sigseek.indexer.other_files import reason
from sigseek.storage import Catalog
from sigseek.storage.records import SkippedFile


def skipped_files(catalog: Catalog) -> list[SkippedFile]:
    """List the files as `Library.skipped_files` describes."""
    return [
        SkippedFile(str(PurePath(root, file.path)), reason(file.holds))
        for root, file in catalog.skipped_files()
        if file.holds
    ]
