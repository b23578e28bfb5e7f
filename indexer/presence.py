"""Whether files and folders are really there, gone for good, or on a drive that is unplugged.

No function here raises, as some of pathlib do when a drive fails, and none waits for ever.
"""

import os
from pathlib import Path, PurePath

from sigseek.disk import ask


def is_online(root: Path) -> bool:
    """Return whether a folder that had photos is really there. An unmounted drive leaves an empty
    directory, or none. A disk that does not answer counts as not there.
    """
    return ask(root, lambda: _holds_something(root), None) is True


def is_directory(root: Path) -> bool:
    """Return whether the folder exists and its disk answers."""
    return ask(root, lambda: os.path.isdir(root), False)


def is_empty(directory: Path) -> bool:
    """Return whether the directory exists, can be read, and holds nothing."""
    return ask(directory, lambda: _holds_something(directory), None) is False


def is_unplugged(root: Path, directory: str) -> bool:
    """Return whether `directory`, a path within the folder `root`, or one of its parents below
    `root` exists and is empty, as an unmounted drive leaves its mount point.
    """
    return any(is_empty(root / inside) for inside in PurePath(directory, "file").parents[:-1])


def real_path(path: Path) -> Path:
    """Return the absolute path without links; as it is where its disk does not answer."""
    absolute = path.absolute()
    return ask(absolute, lambda: Path(os.path.realpath(absolute)), absolute)


def may_be_there(path: Path) -> bool:
    """Return whether something of that name exists, or nobody can tell because a parent directory
    may not be entered or the disk does not answer.
    """

    def is_there() -> bool:
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True
        return True

    return ask(path.parent, is_there, True)


def _holds_something(directory: Path) -> bool | None:
    """Return whether the directory has entries; None when it cannot be read."""
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is not None
    except OSError:
        return None
