"""Photos as callers name them: by their numbers, or by their files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from operator import index
from pathlib import Path

from sigseek.operations.given_paths import given_path
from sigseek.operations.lists import check_list, in_short
from sigseek.search.errors import QueryError


def plain_id(photo_id: int) -> int:
    """Return the number as Python's own. NumPy's whole numbers have other types, which databases
    refuse. Raises QueryError for what is no whole number.
    """
    try:
        return index(photo_id)
    except TypeError as error:
        raise QueryError(
            f"{in_short(photo_id)} is no photo's number", "give the id of a hit"
        ) from error


def plain_ids(name: str, ids: Iterable[int]) -> list[int]:
    """Return the numbers that the argument `name` gives as Python's own. Raises QueryError for what
    is not a list of whole numbers.
    """
    check_list(name, ids, QueryError)
    return list(map(plain_id, ids))


def id_or_path(photo: int | str | os.PathLike[str]) -> int | Path:
    """Return the number of a photo, or the path of its file. Raises QueryError for anything else,
    and for a path that no file can have.
    """
    if isinstance(photo, str | os.PathLike):
        return given_path("photo", photo, QueryError)
    try:
        return index(photo)
    except TypeError as error:
        raise QueryError(
            f"{in_short(photo)} names no photo", "give the path of a file, or the id of a hit"
        ) from error
