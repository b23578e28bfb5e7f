"""Paths as people type them. Every room may import this module; it imports no room.

An accented letter has two spellings in Unicode: as one character (NFC, which keyboards give) and as
a letter with a mark behind it (NFD, which older Macs wrote into file names). To most file systems
these are two different names, and to people they are one.
"""

import itertools
import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from sigseek.disk import ask

LIBRARY_BESIDE_PHOTOS = ".sigseek"
"""The name of a library's directory in a folder of photos."""

SYSTEM_BINS = frozenset({"$recycle.bin", "#recycle"})
"""The names, in lower case, of directories to which systems move deleted files, and which nobody
else would give.
"""
OTHER_BINS = frozenset({"@recycle", "recycler", "recycled"})
"""The names, in lower case, of more such directories. A person may have given these, too."""
BINS = SYSTEM_BINS | OTHER_BINS | {
    ".trash", ".trashes", ".recycle", "trash", "recycle bin", "deleted items", "papierkorb",
    "corbeille", "papelera",
}  # fmt: skip
"""The names, in lower case, of directories in which deleted files are, those included that people
see.
"""

_MOST_SPELLINGS = 64
_DATABASES = ("postgresql:", "postgres:")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def is_database(library: str) -> bool:
    """Return whether the name of a library is the address of a database, and not a path.

    It is one even if a slash is missing. As a path, messages would show its password.
    """
    return library.startswith(_DATABASES)


def is_address(library: str) -> bool:
    """Return whether the name of a library is an address, such as postgresql://me@server/photos,
    and not a path. Addresses of other kinds than `is_database` knows are among them.
    """
    return is_database(library) or _ADDRESS.match(library) is not None


def is_utf8(path: str) -> bool:
    """Return whether the path is text. On Linux a name may be any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def typed_path(path: str | os.PathLike[str]) -> Path:
    """Return the path that a person means.

    A leading `~` or `~user` becomes the home directory; a name that merely begins so, of no user,
    stays as it is. A name that is not there is replaced by the name beside it that differs only in
    the Unicode spelling of its letters. The path of a disk that does not answer stays as typed.
    """
    expanded = Path(os.path.expanduser(path))  # Path.expanduser raises where there is no such user
    if str(expanded).isascii():
        return expanded
    return ask(expanded.absolute().parent, lambda: _spelled_as_there(expanded), expanded)


def _spelled_as_there(expanded: Path) -> Path:
    """Return the path, its names spelled as they are on the disk."""
    if os.path.lexists(expanded):
        return expanded
    place = Path(expanded.anchor)
    for name in expanded.parts[1 if expanded.anchor else 0 :]:
        place /= name if os.path.lexists(place / name) else _same_name(place, name)
    return place


def spellings(path: Path) -> Iterator[Path]:
    """Yield the path as it is, and then its other Unicode spellings."""
    forms = [
        dict.fromkeys((name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))))
        for name in path.parts
    ]
    for names in itertools.islice(itertools.product(*forms), _MOST_SPELLINGS):
        yield Path(*names)


def _same_name(directory: Path, name: str) -> str:
    """Return the name in the directory that is spelled another way; the same name without one."""
    if name.isascii():
        return name
    wanted = unicodedata.normalize("NFC", name)
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if unicodedata.normalize("NFC", entry.name) == wanted:
                    return entry.name
    except OSError:  # it is not there, or may not be read; whoever opens the path will say so
        pass
    return name
