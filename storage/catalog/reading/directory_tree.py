"""Questions about all directories of the library, at any depth."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePath

from sqlalchemy import select

from sigseek.storage.catalog.paths import parent_path
from sigseek.storage.catalog.reading.counts import count_photos_with_files
from sigseek.storage.catalog.reading.duplicates import photos_of_several_files
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, FOLDER

_FETCHED = 1_000
"""Paths that are counted at a time. Other threads wait meanwhile, for less than a millisecond."""


class DirectoryTreeReader(Reader):
    """Questions about all directories."""

    def count_photos_in_all_directories(self) -> dict[str, int]:
        """Return how many photos each directory has, with what lies below it, by its absolute path:
        the folders, and all directories within them that have photos.

        The paths of all files are read, which takes a second or two for a million.
        """
        files: Counter[tuple[int, str | bytes]] = Counter()
        with self._connect() as connection:
            folders = dict(connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all())
            query = select(FILE.c.folder_id, FILE.c.path)
            for rows in self._dialect.stream(connection, query, {}, _FETCHED):
                files.update([(folder_id, parent_path(path)) for folder_id, path in rows])
            held = count_photos_with_files(connection)
            repeated = select(FILE.c.photo_id, FILE.c.folder_id, FILE.c.path).where(
                FILE.c.photo_id.in_(photos_of_several_files())
            )
            several = connection.execute(repeated).all() if files.total() != held else ()
        counts: Counter[tuple[int, str]] = Counter()
        for (folder_id, directory), number in files.items():
            for above in _with_those_above(os.fsdecode(directory)):
                counts[folder_id, above] += number
        counted: set[tuple[int, int, str]] = set()
        for photo_id, folder_id, path in several:
            for above in _with_those_above(str(parent_path(path))):
                if (photo_id, folder_id, above) in counted:
                    counts[folder_id, above] -= 1
                counted.add((photo_id, folder_id, above))
        return {
            str(PurePath(folders[folder_id], directory)): photos
            for (folder_id, directory), photos in counts.items()
        }


def _with_those_above(directory: str) -> Iterator[str]:
    """Yield a directory and all directories above it in its folder; "" is the folder."""
    while directory:
        yield directory
        directory, _, _ = directory.rpartition(os.sep)
    yield ""
