"""What photos were put in order by at an earlier revision, as far as that has changed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from sigseek.storage.catalog.tables import FOLDER, FORMER_FILE, FORMER_FOLDER, FORMER_PHOTO


class FormerFile(NamedTuple):
    """Where a file was at a revision."""

    folder_id: int
    path: str
    """The path relative to the folder."""
    absolute: str
    missing: bool


@dataclass(frozen=True)
class FormerFiles:
    """Where files were at a revision, as far as that has changed since."""

    places: Set[tuple[int, str]] = frozenset()
    """The places that changed, each the id of a folder and a path in it."""
    roots: Mapping[int, str] = field(default_factory=dict)
    """The paths of the folders, by id, that have another path now."""
    files: Mapping[int, Sequence[FormerFile]] = field(default_factory=dict)
    """The files of each photo in these places, by the photo's id."""

    def __len__(self) -> int:
        return len(self.places) + len(self.files)


def former_photos(connection: Connection, at: int) -> dict[int, tuple[str | None, int | None]]:
    """Return the date and the rating at a revision of the photos that changed since, by id."""
    return {
        row.photo_id: (row.taken_at, row.rating) for row in _changed(connection, FORMER_PHOTO, at)
    }


def former_files(connection: Connection, at: int) -> FormerFiles:
    """Return where files were at a revision, as far as that has changed since."""
    roots = {row.folder_id: row.path for row in _changed(connection, FORMER_FOLDER, at)}
    places = {
        (row.folder_id, row.path): (row.photo_id, row.missing)
        for row in _changed(connection, FORMER_FILE, at)
    }
    all_roots = dict(connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all()) | roots
    files: defaultdict[int, list[FormerFile]] = defaultdict(list)
    for (folder, path), (photo, missing) in places.items():
        if photo is not None:
            absolute = str(PurePath(all_roots[folder], path))
            files[photo].append(FormerFile(folder, path, absolute, missing))
    return FormerFiles(places.keys(), roots, files)


def _changed(connection: Connection, table: Table, at: int) -> Iterable[Any]:
    """Return what changed after a revision, the last change first: of several rows about one thing
    the last one is what held at that revision.
    """
    order = table.c.number.desc(), table.c.id.desc()
    return connection.execute(select(table).where(table.c.number > at).order_by(*order))
