"""Photos as callers name them: by their numbers, or by their files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from operator import index
from pathlib import Path

from sigseek.operations.lists import check_list
from sigseek.search.errors import QueryError


def plain_id(photo_id: int) -> int:
    """Return the number as Python's own. NumPy's whole numbers have other types, which databases
    refuse.
    """
    return index(photo_id)


def plain_ids(name: str, ids: Iterable[int]) -> list[int]:
    """Return the numbers that the argument `name` gives as Python's own. Raises QueryError for what
    is not a list.
    """
    check_list(name, ids, QueryError)
    return list(map(index, ids))


def id_or_path(photo: int | str | os.PathLike[str]) -> int | Path:
    """Return the number of a photo, or the path of its file."""
    return Path(photo) if isinstance(photo, str | os.PathLike) else index(photo)
