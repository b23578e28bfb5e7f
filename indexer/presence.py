"""Whether files and folders are really there, gone for good, or on a drive that is unplugged.

Files are asked for in ways that never raise: what cannot be looked at raises in pathlib when a
drive fails.
"""

import os
from pathlib import Path, PurePath


def is_online(root: Path) -> bool:
    """Whether a folder that had photos is really there. An unmounted drive leaves an empty
    directory, or none.
    """
    try:
        with os.scandir(root) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def is_empty(directory: Path) -> bool:
    """Whether the directory exists, can be read, and holds nothing."""
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is None
    except OSError:
        return False


def is_unplugged(root: Path, directory: str) -> bool:
    """Whether `directory`, a path within the folder `root`, or one of its parents below `root`
    exists and is empty, as an unmounted drive leaves its mount point.
    """
    return any(is_empty(root / inside) for inside in PurePath(directory, "file").parents[:-1])


def may_be_there(path: Path) -> bool:
    """Whether something of that name exists, or nobody can tell because a parent directory may not
    be entered.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
