"""Whether a request may change the library, and which directories it may name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from sigseek.web.context import SettingsInUse, sees_paths
from sigseek.web.problems import RequestError

MOST_LISTED = 2_000
"""Directories that are listed of one directory."""


def check_may_change(settings: SettingsInUse) -> None:
    """Raise RequestError where the server changes nothing."""
    if settings.read_only:
        raise RequestError(
            403, "this server changes nothing", "start it without --read-only to allow changes"
        )


MayChange = Depends(check_may_change)


def check_may_browse(request: Request, settings: SettingsInUse) -> tuple[Path, ...]:
    """Return the directories below which a caller may choose folders. Raises RequestError where
    that is nobody's or not this caller's right.
    """
    check_may_change(settings)
    if not settings.browse:
        raise RequestError(
            403,
            "no directories of the server's machine may be chosen",
            "start the server with --browse DIR to allow those below DIR",
        )
    if not sees_paths(request):
        raise RequestError(
            403,
            "absolute paths are told to this machine alone",
            "start the server with --show-paths to tell them to others",
        )
    return tuple(Path(os.path.realpath(root)) for root in settings.browse)


BrowsedRoots = Annotated[tuple[Path, ...], Depends(check_may_browse)]


def directory_below(path: str, roots: tuple[Path, ...]) -> Path:
    """Return the real path of a directory that a caller names. Raises RequestError unless it is one
    of the roots or below, both as it is written and behind all links.
    """
    outside = RequestError(
        403, "this directory may not be chosen", "choose one of those that are listed"
    )
    if "\0" in path or not Path(path).is_absolute():
        raise outside
    written = Path(os.path.normpath(path))
    if not is_below(written, roots):  # nothing is asked about it, not even whether it exists
        raise outside
    try:
        real = Path(os.path.realpath(written))
    except ValueError as error:  # no path of this system can be written so
        raise outside from error
    if not is_below(real, roots):
        raise outside
    if not real.is_dir():
        raise RequestError(404, "there is no such directory", "choose one of those that are listed")
    return real


def directories_in(directory: Path, roots: tuple[Path, ...]) -> list[dict[str, str]]:
    """Return the directories in one, by name, without hidden ones and without links that lead out
    of the roots.
    """
    try:
        entries = list(os.scandir(directory))
    except OSError as error:
        raise RequestError(403, "this directory cannot be read", "check its permissions") from error
    found: list[dict[str, str]] = []
    for entry in sorted(entries, key=lambda entry: entry.name.casefold()):
        if entry.name.startswith(".") or len(found) == MOST_LISTED or not _is_directory(entry):
            continue
        if not entry.is_symlink() or is_below(Path(os.path.realpath(entry.path)), roots):
            found.append({"name": entry.name, "path": entry.path})
    return found


def is_below(path: Path, roots: tuple[Path, ...]) -> bool:
    """Return whether the path is one of the roots or below, by its parts alone."""
    return any(path.is_relative_to(root) for root in roots)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads nowhere, or a drive that is gone
        return False
