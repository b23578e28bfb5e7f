"""Files in an index's directory that nobody may use any more. FAISS is not needed to know them."""

import re
from collections.abc import Sequence
from pathlib import Path

from sigseek.storage.errors import LibraryError
from sigseek.storage.records import CheckpointRecord


def remove_leftovers(directory: Path, checkpoints: Sequence[CheckpointRecord]) -> None:
    """Remove what a killed writer left, and files of generations that the catalog, locked by the
    caller, has not reached.

    A backup in its place, or a power cut, takes the catalog back: what comes next counts on from
    there, and such a file would be taken for what holds it. Files of checkpoints that it does not
    know go too. LibraryError where one cannot be removed.
    """
    reached = {checkpoint.token: checkpoint.generation for checkpoint in checkpoints}
    for path in directory.glob("*"):
        match = re.match(r"([0-9a-f]{16})-(\d+)\.", path.name)
        if path.suffix == ".part" or (match and int(match[2]) > reached.get(match[1], -1)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise LibraryError(
                    f"{path} is out of date and cannot be removed ({error.strerror}); remove it"
                ) from error
