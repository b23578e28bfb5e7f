"""Which files beside a photo tell something about it: XMP files, and JSON files of Google Takeout.

They are found by their names. Whether they really belong to the photo is decided when they are
read (`sigseek.indexer.decoding.sidecars`).
"""

import os
import re
import unicodedata
from pathlib import PurePath
from typing import NamedTuple

EXTENSIONS = (".xmp", ".json")
"""The extensions of sidecars, in lower case."""

_TAKEOUT = ".supplemental-metadata"
_TAKEOUT_LENGTH = 46
"""Takeout cuts the name before ".json" after so many characters."""
_TAKEOUT_LONGEST = 51
"""Later it counted ".json" among so many."""
_NUMBERED = re.compile(r"(.*)(\(\d+\))$")
_EDITED = re.compile(
    r"(.+)-(?:edited|bearbeitet|modifié|modificado|editado|modificato|bewerkt|redigerad|edytowane)$"
)
"""Takeout gives the edit of a photo no file of its own."""


class Sidecar(NamedTuple):
    """A file that may be one of a photo's sidecars, as a scan finds it."""

    name: str
    size: int
    mtime_ns: int
    ctime_ns: int | None = None


class DirectorySidecars:
    """The files of one directory that may be sidecars."""

    def __init__(self, found: list[Sidecar]) -> None:
        self._by_name = {_comparable(sidecar.name): sidecar for sidecar in reversed(found)}
        self._has_takeout = any(name.endswith(".json") for name in self._by_name)

    def of(self, name: str) -> list[Sidecar]:
        """Return the sidecars of the photo of this name, those first that count first."""
        path = PurePath(_comparable(name))
        xmp = (f"{path.name}.xmp", f"{path.stem}.xmp")
        found = [self._by_name[other] for other in xmp if other in self._by_name]
        if not self._has_takeout:
            return found
        takeout = next(filter(None, map(self._by_name.get, _takeout_names(path))), None)
        return [*found, takeout] if takeout else found


def _comparable(name: str) -> str:
    """Return the name as others are compared with. Archives that were unpacked on a Mac may spell
    the accents of one file in another way than those of the other.
    """
    return unicodedata.normalize("NFC", name).lower()


def described(sidecars: list[Sidecar]) -> str | None:
    """Return the sidecars as text, by which a change of any of them is noticed; None for none.

    Those whose names have a line break are left out, for each is a line.
    """
    lines = (
        f"{sidecar.size} {_times(sidecar)} {sidecar.name}"
        for sidecar in sidecars
        if "\n" not in sidecar.name
    )
    return "\n".join(lines) or None


def with_raw(own: str | None, raw: str | None, directory: str = "") -> str | None:
    """Return the sidecars of a picture as text, and behind them those of the RAW file of the same
    name, and that file itself, by which a reader can tell whether both are of the same shot.
    `directory` is the directory of that file below the picture's, "" for the same one.
    """
    lines = _lines(own)
    for line in _lines(raw):
        size, times, name = line.split(" ", 2)
        other = f"{size} {times} {PurePath(directory, name)}"
        if other not in lines:
            lines.append(other)
    return "\n".join(lines) or None


def beside(text: str | None) -> str | None:
    """Return the sidecars as text, without those that lie in a directory below the picture's."""
    lines = _lines(text)
    return "\n".join(line for line in lines if os.sep not in line.split(" ", 2)[2]) or None


def _lines(text: str | None) -> list[str]:
    return text.split("\n") if text else []


def names_in(text: str | None) -> tuple[str, ...]:
    """Return the names of the sidecars that `described` gave as text."""
    return tuple(line.split(" ", 2)[2] for line in _lines(text))


def changes_in(text: str | None) -> tuple[int, ...]:
    """Return the times of change of the sidecars that `described` gave as text."""
    return tuple(int(line.split(" ", 2)[1].partition("/")[0]) for line in _lines(text))


def _times(sidecar: Sidecar) -> str:
    """Return the times that tell of a change. Programs can keep the first one as it was."""
    noted = "" if sidecar.ctime_ns is None else f"/{sidecar.ctime_ns}"
    return f"{sidecar.mtime_ns}{noted}"


def _takeout_names(path: PurePath) -> list[str]:
    """Return the names that Takeout may have given to the JSON file of this photo, the most likely
    first.

    The number of a name that occurs twice moves to the end: "a(1).jpg" has "a.jpg(1).json".
    """
    stem, suffix = path.stem, path.suffix
    edited = _EDITED.match(stem)
    numbered = _NUMBERED.match(stem)
    originals = [(path.name, "")]
    if numbered:
        originals.insert(0, (numbered[1] + suffix, numbered[2]))
        edited = edited or _EDITED.match(numbered[1])
    if edited:
        originals.append((edited[1] + suffix, numbered[2] if numbered else ""))
    names = []
    for original, number in originals:
        whole = original + _TAKEOUT
        least = min(len(original), _TAKEOUT_LENGTH)
        longest = min(len(whole), _TAKEOUT_LONGEST)
        names += [f"{whole[:end]}{number}.json" for end in range(longest, least - 1, -1)]
    return [*names, f"{stem}.json"]
