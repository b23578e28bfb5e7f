"""Paths in the catalog: those of folders are absolute, all others relative to their folder."""

import os
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
            record = FolderRecord(folder.id, folder.path, folder.indexed_at)
            return record, path.relative_to(folder.path)
    return None


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
