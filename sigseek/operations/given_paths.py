"""Paths that callers give, and what is refused in their place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from sigseek.errors import Option, Remedy, SigseekError
from sigseek.operations.lists import check_list, in_short

StrPath = str | os.PathLike[str]


def given_path(name: str, given: StrPath, error: type[SigseekError]) -> Path:
    """Return the path that the argument `name` gives.

    Raises the error for what is no path, for a name that no file can have, and for an empty text,
    which `Path` would take for the current directory.
    """
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(path, str):
        raise error(
            f"{in_short(given)} is not a path", Remedy("{} must be a path", (Option(name),))
        )
    if not path:
        raise error(
            "the path is empty",
            Remedy("{} must name a file or folder; is a variable not set?", (Option(name),)),
        )
    try:
        unusable = b"\0" in os.fsencode(path)
    except UnicodeEncodeError:
        unusable = True
    if unusable:
        raise error(f"{in_short(given)} can be the name of no file", "check the name")
    return Path(path)


def given_paths(name: str, given: Sequence[StrPath], error: type[SigseekError]) -> list[Path]:
    """Return the paths that the argument `name` gives; raises what `given_path` raises, and the
    error for what is not a list.
    """
    check_list(name, given, error)
    return [given_path(name, path, error) for path in given]
