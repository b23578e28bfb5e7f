"""Questions about the directories that the library knows because files of photos are below them."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, or_, select, true

from sigseek.paths import spellings
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.paths import is_after, ranges_below
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, FOLDER

_MOST = 20
"""The most directories of a name that are looked for."""
_ROWS = 100
"""Paths that are read at once while they are looked for."""
_COMPARED = 3
"""The last parts of a name that the database compares, each in both forms of Unicode."""


class KnownDirectory(NamedTuple):
    """A directory with files of photos below it."""

    path: str
    """The absolute path."""
    places: tuple[tuple[int, str], ...]
    """The directory as ids of folders and paths relative to them; "" means the whole folder."""


class DirectoryReader(Reader):
    """Questions about directories."""

    def directory(self, path: PurePath) -> KnownDirectory | None:
        """Return the directory with this absolute path; None if no photo has a file below it."""
        return self._once(("directory", path), lambda: self._find_directory(path))

    def _find_directory(self, path: PurePath) -> KnownDirectory | None:
        with self._connect() as connection:
            for spelled in spellings(Path(path)):
                places = tuple(_places(connection, spelled))
                if places:
                    return KnownDirectory(str(spelled), places)
        return None

    def directories_called(self, name: PurePath) -> tuple[list[str], list[str]]:
        """Return the absolute paths of the directories whose last parts are those of `name`, and
        the paths of those that match only if case is ignored. Both are in alphabetical order.

        A directory below another one that was found is left out.
        """
        return self._once(("directories", name), lambda: self._find_directories(name))

    def _find_directories(self, name: PurePath) -> tuple[list[str], list[str]]:
        found: dict[str, bool] = {}
        with self._connect() as connection:
            for folder in connection.execute(select(FOLDER)):
                found |= _in_root(connection, folder, name.parts)
                found |= _in_folder(connection, self._dialect, folder, name.parts)
        exact, alike = (
            _outermost(path for path, is_exact in found.items() if is_exact == wanted)
            for wanted in (True, False)
        )
        return exact, alike


def _places(connection: Connection, path: PurePath) -> Iterator[tuple[int, str]]:
    """Yield the places of the directory: the id of a folder, and the path relative to it. A folder
    below the directory is one of its places as a whole.
    """
    for folder in connection.execute(select(FOLDER)):
        if PurePath(folder.path).is_relative_to(path):
            yield folder.id, ""
        elif path.is_relative_to(folder.path):
            inside = path.relative_to(folder.path)
            if _has_files(connection, folder.id, inside):
                yield folder.id, str(inside)


def _has_files(connection: Connection, folder_id: int, inside: PurePath) -> bool:
    query = select(FILE.c.id).where(FILE.c.folder_id == folder_id).limit(1)
    # One range at a time: for both together, SQLite looks through all paths of the folder.
    return any(
        connection.scalar(query.where(one)) is not None for one in ranges_below(FILE.c.path, inside)
    )


def _in_root(connection: Connection, folder: Row[Any], parts: Sequence[str]) -> dict[str, bool]:
    """Return the directories with these last parts that are the folder or above it, or whose last
    parts begin above the folder and end inside it. The values tell whether all letters agree, the
    keys are absolute paths.
    """
    root = PurePath(folder.path).parts
    found = {}
    for end in range(1, len(root) + 1):
        for count in range(1, len(parts) + 1):
            if end - count < 1 or _folded(root[end - count : end]) != _folded(parts[:count]):
                continue
            inside = parts[count:]
            if not inside or (
                end == len(root) and _has_files(connection, folder.id, PurePath(*inside))
            ):
                exact = _normal((*root[end - count : end], *inside)) == _normal(parts)
                found[str(PurePath(*root[:end], *inside))] = exact
    return found


def _in_folder(
    connection: Connection, dialect: Dialect, folder: Row[Any], parts: Sequence[str]
) -> dict[str, bool]:
    """Return the directories with these last parts that are wholly inside the folder."""
    alike = or_(*(dialect.is_path_like(FILE.c.path, pattern) for pattern in _patterns(parts)))
    query = select(FILE.c.path).where(FILE.c.folder_id == folder.id, alike)
    # In the order of the paths, so that each look goes on where the one before has ended.
    query = query.order_by(FILE.c.path).limit(_ROWS)
    found: dict[PurePath, bool] = {}
    position: ColumnElement[bool] = true()
    while len(found) < _MOST:
        paths = connection.scalars(query.where(position)).all()
        for path in paths:
            directory, exact = _directory_in(PurePath(path), parts)
            if directory:
                found[directory] = exact
            position = is_after(FILE.c.path, path, directory)
        if len(paths) < _ROWS:
            break
    return {str(PurePath(folder.path, directory)): exact for directory, exact in found.items()}


def _patterns(parts: Sequence[str]) -> Iterator[str]:
    """Yield patterns of LIKE that match paths below directories with these last parts, and some
    others.
    """
    # Databases ignore case in ASCII alone.
    cases = {part: {part, part.lower(), part.upper(), part.title()} for part in parts}
    spelled = [
        {
            _ascii_lower(unicodedata.normalize(form, case))
            for form in ("NFC", "NFD")
            for case in cases[part]
        }
        for part in parts[-_COMPARED:]
    ]
    for several in product(*spelled):
        # Any characters in the place of one that has a meaning in patterns.
        name = re.sub(r"[%_\\]", "%", str(PurePath(*several)))
        yield f"{name}{os.sep}%"
        yield f"%{os.sep}{name}{os.sep}%"


def _ascii_lower(name: str) -> str:
    return re.sub("[A-Z]+", lambda letters: letters[0].lower(), name)


def _directory_in(path: PurePath, parts: Sequence[str]) -> tuple[PurePath | None, bool]:
    """Return the outermost directory with these last parts in a path that a pattern has matched,
    and whether all letters agree. There is none where they differ in more than case.
    """
    count = len(parts)
    ends = range(count, len(path.parts))
    exact = [end for end in ends if _normal(path.parts[end - count : end]) == _normal(parts)]
    alike = [end for end in ends if _folded(path.parts[end - count : end]) == _folded(parts)]
    if not exact and not alike:
        return None, False
    return PurePath(*path.parts[: (exact or alike)[0]]), bool(exact)


def _outermost(paths: Iterable[str]) -> list[str]:
    """Return the paths, sorted, without those below another one."""
    kept: list[str] = []
    for path in sorted(paths, key=lambda path: PurePath(path).parts):
        if not kept or not PurePath(path).is_relative_to(kept[-1]):
            kept.append(path)
    return kept


def _normal(parts: Sequence[str]) -> list[str]:
    return [unicodedata.normalize("NFC", part) for part in parts]


def _folded(parts: Sequence[str]) -> list[str]:
    return [part.casefold() for part in _normal(parts)]
