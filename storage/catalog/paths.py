"""Paths in the catalog: those of folders are absolute, all others relative to their folder."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import TypeVar

from sqlalchemy import ColumnElement, LargeBinary, literal, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from sigseek.storage.catalog.models import FolderRow
from sigseek.storage.records import FolderRecord

_T = TypeVar("_T")
_CHUNK = 10_000
"""Values in one statement. SQLite takes 32,766 parameters, PostgreSQL 65,535."""


def containing_folder(session: Session, path: Path) -> tuple[FolderRecord, PurePath] | None:
    """Return the known folder that `path` is or is inside of, and the path relative to it; None
    without one.
    """
    for folder in session.scalars(select(FolderRow)):
        if path.is_relative_to(folder.path):
            return folder_record(folder), path.relative_to(folder.path)
    return None


def folder_record(row: FolderRow) -> FolderRecord:
    """Return the row as a record."""
    return FolderRecord(row.id, row.path, row.indexed_at, tuple(row.excluded.splitlines()))


def patterns_below(directory: PurePath, patterns: Sequence[str]) -> list[str]:
    """Return gitignore patterns that mean for a folder what these mean for the directory in it."""
    if directory == PurePath():
        return list(patterns)
    return [_pattern_below(literal_pattern(directory), pattern) for pattern in patterns]


def patterns_inside(directory: PurePath, patterns: Sequence[str]) -> list[str]:
    """Return gitignore patterns that mean for the directory what these mean in it for its folder.

    Patterns for other places of the folder are left out.
    """
    found = [_pattern_inside(f"/{literal_pattern(directory)}/", pattern) for pattern in patterns]
    return [pattern for pattern in found if pattern is not None]


def literal_pattern(directory: PurePath) -> str:
    """Return the gitignore pattern that means just this path, without slashes at its ends."""
    return re.sub(r"([\\*?\[\] !#])", r"\\\1", directory.as_posix())


def _pattern_inside(prefix: str, pattern: str) -> str | None:
    negation, rest = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    if rest.startswith(prefix):
        inside = rest[len(prefix) :]
        return negation + (inside[3:] if inside.startswith("**/") else f"/{inside}")
    return None if "/" in rest.rstrip("/") else pattern


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


def is_below(column: InstrumentedAttribute[str], inside: PurePath) -> ColumnElement[bool]:
    """Return whether the path in the PathText column is below the directory `inside` of its folder.

    Text must compare by its bytes, as it does in SQLite unless a column says otherwise. There,
    paths that are not UTF-8 are bytes, which come after all text: hence the second range, which on
    PostgreSQL is the first one again.
    """
    if inside == PurePath():
        return true()
    first, after = f"{inside}{os.sep}", f"{inside}{chr(ord(os.sep) + 1)}"
    as_text = (column > first) & (column < after)
    lowest, highest = (literal(os.fsencode(path), LargeBinary) for path in (first, after))
    return as_text | ((column > lowest) & (column < highest))


def statement_chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield the values in parts that one statement takes."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]
