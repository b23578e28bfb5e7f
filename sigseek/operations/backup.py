"""A copy of the catalog, which is the truth of a library; everything else is made anew from it."""

import contextlib
import os
from pathlib import Path

from sigseek.operations.paths import expand
from sigseek.storage import Catalog, LibraryError


def back_up(catalog: Catalog, file: Path) -> Path:
    """Write a copy of the catalog to a new file; its absolute path.

    Written aside, flushed and then renamed: a file of that name is a whole copy. LibraryError where
    there is one already, or it cannot be written.
    """
    target = expand(file).absolute()
    if os.path.lexists(target):
        raise LibraryError(f"{target} is there already; name a file that is not")
    if not target.parent.is_dir():
        raise LibraryError(f"no folder {target.parent}; make it, or name another place")
    if not os.access(target.parent, os.W_OK):
        raise LibraryError(
            f"the folder {target.parent} cannot be written; check its permissions, or name another place"
        )
    aside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        catalog.back_up(aside)
        with aside.open("rb+") as copy:
            os.fsync(copy.fileno())
        os.rename(aside, target)  # noqa: PTH104
    except OSError as error:
        said = f"{target} cannot be written ({error.strerror})"
        raise LibraryError(
            f"{said}; check that disk's space, and the folder's permissions"
        ) from error
    except UnicodeEncodeError as error:
        raise LibraryError(
            f"{target} is no name in UTF-8, and SQLite writes to no other; name another"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
    return target
