"""Questions about how many photos are in each directory."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)

from sigseek.storage.catalog.paths import is_below, parent_path, path_prefix
from sigseek.storage.catalog.reading.counts import (
    count_files,
    count_photos,
    count_photos_without_files,
)
from sigseek.storage.catalog.reading.duplicates import photos_of_several_files
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, FOLDER, PHOTO
from sigseek.storage.facets import FacetValue

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_FETCHED = 10_000
_MOST_RANGES = 10_000
"""The most directories and single files of a folder that are looked up one by one in the index on
paths. To look up one takes as long as to read a dozen files.
"""
_BEHIND_SEPARATOR = chr(ord(os.sep) + 1)
"""What sorts behind all that follows a separator in a path."""
_LEAST = chr(1)
"""What sorts before all that may follow in a path."""
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
"""Bytes of a path that are not UTF-8, as Python has them."""


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
        if among is None and below is None:
            return dict(self._once("counts by directory", self._count_all_by_directory))
        with self._connect() as connection:
            return self._count_files_read(connection, among, below)

    def _count_all_by_directory(self) -> dict[FacetValue, int]:
        with self._connect() as connection:
            counts = _count_by_ranges(connection) if self._dialect.sorts_paths else None
            if counts is None:
                counts = self._count_files_read(connection, None, None)
        return counts

    def _count_files_read(
        self, connection: Connection, among: Ids | None, below: Sequence[tuple[int, str]] | None
    ) -> dict[FacetValue, int]:
        """Return the counts that the paths of all files in question give."""
        import numpy as np

        ids, rows, directories = self._files(connection, among, below)
        if among is not None:
            chosen = np.isin(ids, among)
            ids, rows = ids[chosen], rows[chosen]
        folders = dict(connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all())
        counts = _by_level(folders, ids, rows, directories)
        without = self._without_files(connection, among, _distinct(ids)) if below is None else 0
        return counts | ({None: without} if without else {})

    def _files(
        self, connection: Connection, among: Ids | None, below: Sequence[tuple[int, str]] | None
    ) -> tuple[Ids, Ids, list[tuple[int, tuple[str, ...]]]]:
        """Return the photo (n,) of each file in the places, the row (n,) of its directory, and the
        directories: the folder's id and the parts of the path in it. Some photos may be others than
        those `among` which files are counted.
        """
        import numpy as np

        query = select(FILE.c.folder_id, FILE.c.photo_id, FILE.c.path)
        parameters: dict[str, Any] = {}
        if below is not None:
            places = ((FILE.c.folder_id == id_, PurePath(path)) for id_, path in below)
            query = query.where(
                or_(*(and_(inside, is_below(FILE.c.path, path)) for inside, path in places))
            )
        elif among is not None:
            newest = connection.scalar(select(func.max(PHOTO.c.id))) or 0
            if 4 * len(among) <= newest:  # else it is faster to read all files in their own order
                query = query.where(self._dialect.is_among(FILE.c.photo_id, "ids"))
                parameters["ids"] = self._dialect.ids(among.tolist())
        known: dict[tuple[int, str | bytes], int] = {}
        ids: list[int] = []
        rows: list[int] = []
        for fetched in self._dialect.stream(connection, query, parameters, _FETCHED):
            for folder_id, photo_id, path in fetched:
                ids.append(photo_id)
                rows.append(known.setdefault((folder_id, parent_path(path)), len(known)))
        directories = [
            (folder_id, PurePath(os.fsdecode(directory)).parts) for folder_id, directory in known
        ]
        return np.array(ids, np.int64), np.array(rows, np.int64), directories

    def _without_files(self, connection: Connection, among: Ids | None, there: Ids) -> int:
        """Return how many of the photos have no file, `there` being those that have."""
        import numpy as np

        if among is None:
            parts = list(self._dialect.fetch_ids(connection, select(PHOTO.c.id)))
            among = np.sort(np.concatenate([np.zeros(0, np.int64), *parts]))
        return len(among) - int(np.isin(among, there, assume_unique=True).sum())


def _count_by_ranges(connection: Connection) -> dict[FacetValue, int] | None:
    """Return how many photos of the catalog each directory has, which the index on paths tells;
    None where it is faster to read all paths, and where one is not UTF-8.
    """
    without = count_photos_without_files(connection)
    counts: Counter[FacetValue] = Counter({None: without})
    levels: dict[int, tuple[str, int]] = {}  # each folder's path, and the parts of its directories
    for folder_id, folder in connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all():
        inside = FILE.c.folder_id == folder_id
        first, last = (
            connection.scalar(select(end(FILE.c.path)).where(inside)) or ""
            for end in (func.min, func.max)
        )
        if _NOT_UTF8.search(last):  # such paths come after all others
            return None
        common = _common(PurePath(path).parts[:-1] for path in (first, last))
        ranges = _ranges(connection, inside, path_prefix(PurePath(*common)))
        if len(ranges) > _MOST_RANGES:
            return None
        for name, inside_of_it in ranges:
            counts[str(PurePath(folder, *common, name))] += inside_of_it
        levels[folder_id] = folder, len(common) + 1
    if count_files(connection) > count_photos(connection) - without:
        repeated = select(FILE.c.folder_id, FILE.c.photo_id, FILE.c.path).where(
            FILE.c.photo_id.in_(photos_of_several_files())
        )
        places: Counter[tuple[int, str]] = Counter()
        for folder_id, photo_id, path in connection.execute(repeated):
            folder, depth = levels[folder_id]
            places[photo_id, str(PurePath(folder, *PurePath(path).parts[:-1][:depth]))] += 1
        for (_, directory), times in places.items():
            counts[directory] -= times - 1
    return {directory: photos for directory, photos in counts.items() if photos}


def _ranges(
    connection: Connection, inside: ColumnElement[bool], prefix: str
) -> list[tuple[str, int]]:
    """Return the directories of a folder whose paths are the prefix and one name: this name, and
    how many files are below. A file beside these directories is a range of its own, with "" and 1.
    The list ends when there are more ranges than are looked up.

    One statement jumps from range to range in the index and counts in each.
    """
    path = FILE.c.path
    first = select(func.min(path).label("first"), literal(1).label("number")).where(inside)
    ranges = first.cte("ranges", recursive=True)
    name, directory = _name(ranges.c.first, prefix)
    single = ranges.c.first.concat(_LEAST)
    behind = case((name == "", single), else_=directory.concat(_BEHIND_SEPARATOR))
    following = select(func.min(path)).where(inside, path >= behind).scalar_subquery()
    ranges = ranges.union_all(
        select(following, ranges.c.number + 1).where(
            ranges.c.first.is_not(None), ranges.c.number <= _MOST_RANGES
        )
    )
    name, directory = _name(ranges.c.first, prefix)
    below = path > directory.concat(os.sep), path < directory.concat(_BEHIND_SEPARATOR)
    files = select(func.count()).where(inside, *below).scalar_subquery()
    query = select(name, case((name == "", 1), else_=files)).where(ranges.c.first.is_not(None))
    return [(name, files) for name, files in connection.execute(query)]


def _name(path: ColumnElement[str], prefix: str) -> tuple[ColumnElement[str], ColumnElement[str]]:
    """Return the name of the directory that follows the prefix in a path, "" where a file does, and
    the path of this directory.
    """
    rest = func.substr(path, len(prefix) + 1)
    name = func.substr(rest, 1, func.instr(rest, os.sep) - 1)
    return name, literal(prefix, String).concat(name)


def _by_level(
    folders: Mapping[int, str],
    ids: Ids,
    rows: Ids,
    directories: Sequence[tuple[int, tuple[str, ...]]],
) -> dict[FacetValue, int]:
    """Return how many photos each directory has that is one level below the common one of its
    folder.
    """
    import numpy as np

    used = np.unique(rows).tolist()
    parts: defaultdict[int, list[tuple[str, ...]]] = defaultdict(list)
    for folder_id, directory in (directories[row] for row in used):
        parts[folder_id].append(directory)
    depths = {folder_id: len(_common(below)) + 1 for folder_id, below in parts.items()}
    names: dict[str, int] = {}
    level = np.zeros(len(directories), np.int64)
    for row in used:
        folder_id, directory = directories[row]
        name = str(PurePath(folders[folder_id], *directory[: depths[folder_id]]))
        level[row] = names.setdefault(name, len(names))
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
