"""Questions about the directories that the library knows because files of photos are below them."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Row, or_, select

from sigseek.paths import spellings
from sigseek.storage.catalog.paths import is_below
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, FOLDER

_MOST = 20
"""The most directories of a name that are looked for. Each costs a look through all paths."""


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
                found |= _in_folder(connection, folder, name.parts)
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
    query = select(FILE.c.id).where(FILE.c.folder_id == folder_id, is_below(FILE.c.path, inside))
    return connection.scalar(query.limit(1)) is not None


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


def _in_folder(connection: Connection, folder: Row[Any], parts: Sequence[str]) -> dict[str, bool]:
    """Return the directories with these last parts that are wholly inside the folder."""
    found: dict[PurePath, bool | None] = {}
    patterns = [*_patterns(parts, "NFC"), *_patterns(parts, "NFD")]
    alike = or_(*(FILE.c.path.like(pattern) for pattern in dict.fromkeys(patterns)))
    while len(found) < _MOST:
        query = select(FILE.c.path).where(FILE.c.folder_id == folder.id, alike)
        elsewhere = [~is_below(FILE.c.path, directory) for directory in found]
        path = connection.scalar(query.where(*elsewhere).limit(1))
        if path is None:
            break
        directory, exact = _directory_in(PurePath(path).parts, parts)
        found[directory] = exact
    return {
        str(PurePath(folder.path, directory)): exact
        for directory, exact in found.items()
        if exact is not None
    }


def _patterns(parts: Sequence[str], form: Literal["NFC", "NFD"]) -> Iterator[str]:
    """Yield patterns of LIKE that match paths below directories with these last parts, and some
    others.
    """
    name = unicodedata.normalize(form, str(PurePath(*parts)))
    # Any character in the place of one that has a meaning in patterns.
    name = "".join("_" if character in "%_\\" else character for character in name)
    yield f"{name}{os.sep}%"
    yield f"%{os.sep}{name}{os.sep}%"


def _directory_in(path: Sequence[str], parts: Sequence[str]) -> tuple[PurePath, bool | None]:
    """Return the outermost directory with these last parts in a path that a pattern has matched,
    and whether all letters agree. The second is None if they differ in more than case.
    """
    count = len(parts)
    ends = range(count, len(path))
    exact = [end for end in ends if _normal(path[end - count : end]) == _normal(parts)]
    alike = [end for end in ends if _folded(path[end - count : end]) == _folded(parts)]
    # A pattern also matches other letters in the place of a few. Then the directory of the file
    # keeps the path from being found again.
    end = (exact or alike or [len(path) - 1])[0]
    return PurePath(*path[:end]), bool(exact) if exact or alike else None


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
