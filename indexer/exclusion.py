"""What a scan leaves out of a folder, and why.

Three kinds of rules say what is left out: the patterns that the catalog keeps for the folder, the
files `.sigseekignore` and `.nomedia` in its directories, and the names of directories that hold
other programs' previews or deleted files. A rule of the user may take the latter in again.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from sigseek.indexer.errors import PatternError
from sigseek.paths import OTHER_BINS, SYSTEM_BINS
from sigseek.storage.catalog.paths import literal_pattern

IGNORE_FILE = ".sigseekignore"
NO_MEDIA = ".nomedia"
_LARGEST = 1_000_000
"""Bytes of an ignore file that are read."""
_LONGEST_PATTERN = 4_096
"""Characters of a line of an ignore file that may be a pattern. Paths are no longer than that, and
a pattern of a megabyte takes seconds to understand.
"""
_SYSTEM = SYSTEM_BINS | frozenset(
    {
        "@eadir",
        "#snapshot",
        "system volume information",
        "__macosx",
        "lost+found",
    }
)
_OTHERS = {
    **dict.fromkeys(sorted(OTHER_BINS), "it holds deleted files"),
    "@recently-snapshot": "it holds earlier versions of files",
    "@__thumb": "it holds another program's previews",
    "thumbs": "it holds another program's previews",
    "thumbnails": "it holds another program's previews",
    "_thumbs": "it holds another program's previews",
    "_thumbnails": "it holds another program's previews",
}
"""Why directories with these names, here in lower case, are left out."""
_PREVIEWS = (".lrdata", ".cocatalogdb", ".fcpbundle", ".imovielibrary", ".theater", ".app")
_BUNDLES = (
    ".photoslibrary",
    ".photolibrary",
    ".migratedphotolibrary",
    ".aplibrary",
    ".migratedaplibrary",
)
"""The ends of the names of directories in which a photo program keeps originals among other
files.
"""
_ORIGINALS = ("originals", "masters")


@dataclass(frozen=True)
class _Patterns:
    """Patterns in gitignore's syntax, for the paths that begin with `prefix`."""

    source: str
    prefix: str
    spec: object

    def decide(self, path: str, *, directory: bool) -> tuple[bool | None, str]:
        """Return whether the path is left out (None where no pattern is about it), and the
        pattern.
        """
        from pathspec import GitIgnoreSpec

        assert isinstance(self.spec, GitIgnoreSpec)
        below = _composed(path[len(self.prefix) :].replace(os.sep, "/"))
        found = self.spec.check_file(below + "/" if directory else below)
        if found.index is None:
            return None, ""
        pattern = str(getattr(self.spec.patterns[found.index], "pattern", ""))
        # "a/**" is about what is in the directory a; one of those files may be taken in again
        if directory and pattern.endswith("/**") and self.spec.check_file(below).index is None:
            return None, ""
        return found.include, pattern


class Rules:
    """The rules for a directory and for everything below it."""

    def __init__(self, patterns: Sequence[_Patterns] = ()) -> None:
        self._patterns = tuple(patterns)

    @classmethod
    def of_folder(cls, patterns: Sequence[str]) -> Rules:
        """Return the rules that the user gave for a whole folder."""
        return cls((_Patterns("excluded by", "", compiled(patterns)),) if patterns else ())

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def with_ignore_file(self, directory: str, text: str) -> Rules:
        """Return these rules with those of the directory's ignore file, which win over those of the
        directories above.
        """
        prefix = "" if directory == "." else directory + os.sep
        lines = [line for line in text.splitlines() if len(line) <= _LONGEST_PATTERN]
        new = _Patterns(f"{prefix}{IGNORE_FILE}:", prefix, compiled(lines))
        own = [one for one in self._patterns if not one.prefix and one.source == "excluded by"]
        rest = [one for one in self._patterns if one not in own]
        return Rules((*own, new, *rest))

    def why_left_out(self, path: str, *, directory: bool) -> str | None:
        """Return why a file or directory is left out; None if it is not."""
        for patterns in self._patterns:
            left_out, pattern = patterns.decide(path, directory=directory)
            if left_out is not None:
                return f"{patterns.source} {pattern}" if left_out else None
        return _why_by_name(path) if directory else None


def compiled(lines: Iterable[str]) -> object:
    """Return the patterns as an object that matches paths whose accents are composed. Raises
    PatternError for one that is not gitignore's.
    """
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(map(_composed, lines))
    except ValueError as error:
        found = f"a pattern is not understood ({error})"
        raise PatternError(found, "see gitignore's syntax") from error


def checked_pattern(pattern: str, root: Path, inside: PurePath) -> str:
    """Return a pattern that the user gave for the directory `inside` of the folder `root`, as one
    for that directory. An absolute path in it becomes one within the directory.
    """
    given, pattern = pattern, _composed(pattern)
    place = _composed(Path(root, inside).as_posix())
    if pattern.startswith(f"{place}/"):
        pattern = pattern[len(place) :]
        if os.path.lexists(given):  # a name, whatever signs are in it, and no pattern
            slash = "/" if pattern.endswith("/") else ""
            pattern = literal_pattern(PurePath(pattern)) + slash
    if not pattern.strip("!/ ") or pattern.startswith("#") or len(pattern.splitlines()) != 1:
        raise PatternError(
            f"the pattern {pattern!r} names no files", "use one such as *.png or raw/"
        )
    compiled([pattern])
    return pattern


def _composed(text: str) -> str:
    """Return the text in that of Unicode's two spellings which keyboards give. Names on a disk may
    have the other.
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def is_junk(name: str) -> bool:
    """Return whether a file or directory of this name is hidden or some system's own."""
    return name.startswith(".") or name.lower() in _SYSTEM


def read_ignore_file(path: Path) -> str:
    """Return the text of an ignore file. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        return file.read(_LARGEST).decode("utf-8-sig", "surrogateescape")


def _why_by_name(path: str) -> str | None:
    """Return why a directory is left out for its name, or for the bundle that it is in."""
    above, _, name = path.rpartition(os.sep)
    name = name.lower()
    if above.lower().endswith(_BUNDLES) and name not in _ORIGINALS:
        return "it is in a photo program's library, and holds no originals"
    if name.endswith(_PREVIEWS):
        return "it holds another program's files"
    return _OTHERS.get(name)
