"""Questions about how many photos are in each directory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from sqlalchemy import Connection, or_, select

from sigseek.storage.catalog.paths import is_below
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, FOLDER, PHOTO
from sigseek.storage.facets import FacetValue

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_FETCHED = 10_000


class DirectoryCountReader(Reader):
    """Questions about how many photos are in each directory."""

    def count_photos_by_directory(
        self, among: Ids | None = None, below: Sequence[tuple[int, str]] | None = None
    ) -> dict[FacetValue, int]:
        """Return how many photos each directory has, with what lies below it, by its absolute path.
        None stands for photos without a file.

        Of each indexed folder, these are the directories one level below the deepest one that has
        all of its photos, and that one itself for photos directly in it. `among` has the ids of the
        photos to count, ascending; None means all. Only files in the places `below` count: a
        folder's id and a path relative to it, "" for the whole folder. None means all folders.
        """
        import numpy as np

        counts: dict[FacetValue, int] = {}
        with self._connect() as connection:
            held: list[Ids] = []
            for folder_id, folder in connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all():
                places = [path for id_, path in below or () if id_ == folder_id]
                if below is not None and not places:
                    continue
                ids, rows, directories = self._files(connection, folder_id, places)
                if among is not None:
                    chosen = np.isin(ids, among)
                    ids, rows = ids[chosen], rows[chosen]
                counts |= _by_level(folder, ids, rows, directories)
                held.append(ids)
            there = _distinct(np.concatenate([np.zeros(0, np.int64), *held]))
            without = self._without_files(connection, among, there) if below is None else 0
        return counts | ({None: without} if without else {})

    def _files(
        self, connection: Connection, folder_id: int, places: Sequence[str]
    ) -> tuple[Ids, Ids, list[tuple[str, ...]]]:
        """Return the photo (n,) of each file in the places of the folder, the row (n,) of its
        directory, and the directories as their parts.
        """
        import numpy as np

        query = select(FILE.c.photo_id, FILE.c.path)
        if places:
            below = or_(*(is_below(FILE.c.path, PurePath(one)) for one in places))
            query = query.where(FILE.c.folder_id == folder_id, below)
        else:  # a sum has no index, by which reading all files would take six times as long
            query = query.where(FILE.c.folder_id + 0 == folder_id)
        known: dict[str | bytes, int] = {}
        ids: list[int] = []
        rows: list[int] = []
        for fetched in self._dialect.stream(connection, query, {}, _FETCHED):
            for id_, path in fetched:
                ids.append(id_)
                rows.append(known.setdefault(_parent(path), len(known)))
        directories = [PurePath(os.fsdecode(directory)).parts for directory in known]
        return np.array(ids, np.int64), np.array(rows, np.int64), directories

    def _without_files(self, connection: Connection, among: Ids | None, there: Ids) -> int:
        """Return how many of the photos have no file, `there` being those that have."""
        import numpy as np

        if among is None:
            parts = list(self._dialect.fetch_ids(connection, select(PHOTO.c.id)))
            among = np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))
        return len(among) - int(np.isin(among, there, assume_unique=True).sum())


def _parent(path: str | bytes) -> str | bytes:
    """Return the directory of a path, "" for one of a single part. A path is bytes where it need
    not be UTF-8.
    """
    if isinstance(path, str):
        return path.rpartition(os.sep)[0]
    return path.rpartition(os.fsencode(os.sep))[0]


def _by_level(
    folder: str, ids: Ids, rows: Ids, directories: Sequence[tuple[str, ...]]
) -> Mapping[FacetValue, int]:
    """Return how many photos each directory one level below the common one has."""
    import numpy as np

    used = np.unique(rows)
    common = _common(directories[row] for row in used.tolist())
    names: dict[str, int] = {}
    level = np.zeros(len(directories), np.int64)
    for row in used.tolist():
        inside = directories[row][: len(common) + 1]
        level[row] = names.setdefault(str(PurePath(folder, *inside)), len(names))
    most = int(ids.max(initial=0)) + 1
    once = _distinct(level[rows] * most + ids)  # a photo may have several files in a directory
    return dict(zip(names, np.bincount(once // most, minlength=len(names)).tolist(), strict=True))


def _distinct(values: Ids) -> Ids:
    """Return each value once, ascending. On a million values numpy's `unique` takes much longer."""
    import numpy as np

    ordered = np.sort(values)
    is_new = np.ones(len(ordered), np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]


def _common(directories: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the first parts that all directories have in common."""
    common: tuple[str, ...] | None = None
    for parts in directories:
        if common is None:
            common = parts
        while parts[: len(common)] != common:
            common = common[:-1]
    return common or ()
