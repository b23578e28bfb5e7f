"""Paths in the catalog: those of folders are absolute, all others relative to their folder."""

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any, TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Row,
    literal,
    or_,
    select,
    true,
)

from sigseek.storage.catalog.tables import FOLDER
from sigseek.storage.records import FolderRecord

_T = TypeVar("_T")
CHUNK = 10_000
"""Values in one statement. SQLite takes 32,766 parameters, PostgreSQL 65,535."""


def containing_folder(connection: Connection, path: Path) -> tuple[FolderRecord, PurePath] | None:
    """Return the known folder that `path` is or is inside of, and the path relative to it; None
    without one.
    """
    for folder in connection.execute(select(FOLDER)):
        if path.is_relative_to(folder.path):
            return folder_record(folder), path.relative_to(folder.path)
    return None


def folder_record(row: Row[Any]) -> FolderRecord:
    """Return the row as a record."""
    return FolderRecord(row.id, row.path, row.indexed_at, tuple(row.excluded.splitlines()))


def patterns_below(directory: PurePath, patterns: Sequence[str]) -> list[str]:
    """Return gitignore patterns that mean for a folder what these mean for the directory in it."""
    if directory == PurePath():
        return list(patterns)
    return [_pattern_below(literal_pattern(directory), pattern) for pattern in patterns]


def patterns_inside(directory: PurePath, patterns: Sequence[str]) -> list[str]:
    """Return gitignore patterns that mean for the directory what these mean in it for its folder.

    Patterns for other places of the folder are left out, and so are those that leave out the
    directory as a whole.
    """
    found = [new for pattern in patterns for new in _pattern_inside(directory.parts, pattern)]
    # of two patterns that are the same the later one decides
    return list(dict.fromkeys(reversed(found)))[::-1]


def literal_pattern(directory: PurePath) -> str:
    """Return the gitignore pattern that means just this path, without slashes at its ends."""
    return re.sub(r"([\\*?\[\] !#])", r"\\\1", directory.as_posix())


def _pattern_inside(directory: Sequence[str], pattern: str) -> list[str]:
    """Return the patterns that mean in the directory what this one means for the folder, in which
    the directory has these parts.
    """
    negation, rest = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    if "/" not in rest.rstrip("/"):  # it is about any depth
        return [pattern]
    slash = "/" if rest.endswith("/") else ""
    found = []
    for left in _parts_below(directory, rest.strip("/").split("/")):
        # "**/name" is the same as "name", and "**/a/b" means any depth, too
        anywhere = left[0] == "**" and len(left) > 1
        inside = left[1:] if anywhere and len(left) == 2 else left
        found.append(f"{negation}{'' if anywhere else '/'}{'/'.join(inside)}{slash}")
    return found


def _parts_below(directory: Sequence[str], pattern: Sequence[str]) -> list[Sequence[str]]:
    """Return what is left of the parts of a pattern when its first ones have matched those of the
    directory: nothing where they do not, and several where "**" leaves a choice.
    """
    from pathspec import GitIgnoreSpec

    if not directory or not pattern:
        return [pattern] if pattern else []
    if pattern[0] == "**":
        deeper = _parts_below(directory[1:], pattern)
        return [*deeper, *_parts_below(directory, pattern[1:])]
    # as both are compared when files are left out: an accent has two spellings
    part, name = (unicodedata.normalize("NFC", text) for text in (pattern[0], directory[0]))
    if GitIgnoreSpec.from_lines([f"/{part}"]).match_file(name):
        return _parts_below(directory[1:], pattern[1:])
    return []


def _pattern_below(directory: str, pattern: str) -> str:
    negation, rest = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    # a pattern with a slash before its end is about one place, others are about any depth
    anchored = "/" in rest.rstrip("/")
    return f"{negation}/{directory}/{'' if anchored else '**/'}{rest.lstrip('/')}"


def path_prefix(inside: PurePath) -> str:
    """Return what the paths of all files below the directory `inside` begin with, both relative to
    their folder; "" for the folder itself.
    """
    return "" if inside == PurePath() else f"{inside}{os.sep}"


def parent_path(path: str | bytes) -> str | bytes:
    """Return the directory of a path, "" for one of a single part. A path is bytes where it need
    not be UTF-8.
    """
    if isinstance(path, str):
        return path.rpartition(os.sep)[0]
    return path.rpartition(os.fsencode(os.sep))[0]


def is_below(column: Column[str], inside: PurePath) -> ColumnElement[bool]:
    """Return whether the path in the PathText column is below the directory `inside` of its folder.

    Text must compare by its bytes, as it does in SQLite unless a column says otherwise.
    """
    return or_(*ranges_below(column, inside))


def ranges_below(column: Column[str], inside: PurePath) -> tuple[ColumnElement[bool], ...]:
    """Return conditions of which one is true of a path that is below the directory `inside`.

    In SQLite, paths that are not UTF-8 are bytes, which come after all text: hence the second
    range, which on PostgreSQL is the first one again.
    """
    if inside == PurePath():
        return (true(),)
    first, after = f"{inside}{os.sep}", f"{inside}{chr(ord(os.sep) + 1)}"
    lowest, highest = (literal(os.fsencode(path), LargeBinary) for path in (first, after))
    return (column > first) & (column < after), (column > lowest) & (column < highest)


def is_after(column: Column[str], stored: str, inside: PurePath | None) -> ColumnElement[bool]:
    """Return whether a path in the PathText column comes after the stored path, or after all paths
    of its kind, text or bytes, below a directory that holds the stored path.
    """
    after = f"{inside}{chr(ord(os.sep) + 1)}" if inside else stored
    try:
        stored.encode()
    except UnicodeEncodeError:
        return column > literal(os.fsencode(after), LargeBinary)
    return column > after


def statement_chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield the values in parts that one statement takes."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
