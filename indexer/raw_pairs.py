"""Camera RAW files and the pictures of the same shot, which a camera wrote beside them.

A pair is one photo, and the picture stands for it. Names make two files candidates. What the files
say of their capture then decides whether they are a pair.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from pathlib import PurePath
from typing import TYPE_CHECKING

from sigseek.indexer.decoding.formats import RAW
from sigseek.indexer.decoding.same_shot import is_same_shot
from sigseek.storage import PhotoRecord

if TYPE_CHECKING:
    from sigseek.indexer.decoding.metadata import Metadata

_PICTURES = (".jpg", ".jpeg", ".jpe", ".jfif", ".heic", ".heif", ".hif")
"""The formats that cameras write beside RAW, the preferred one first."""
_PIXEL = re.compile(r"\.raw-\d+(\.mp)?\.(cover|original)$")
"""What Pixel phones add to the name of a shot: ".RAW-01.COVER" and ".RAW-02.ORIGINAL"."""


def find_candidates(paths: Iterable[str], raw_directories: Collection[str]) -> dict[str, str]:
    """Return the RAW files among these paths that have a picture of the same name beside them or in
    the directory above, each with the path of that picture.

    `raw_directories` has the directories in which RAW files are.
    """
    above = {directory_of(directory) for directory in raw_directories}
    pictures: dict[tuple[str, str], str] = {}
    raw_files = []
    for path in paths:
        directory = directory_of(path)
        if directory not in raw_directories and directory not in above:
            continue
        suffix = PurePath(path).suffix.lower()
        if suffix in RAW:
            raw_files.append(path)
        elif suffix in _PICTURES:
            key = (directory, _shot(path))
            other = pictures.get(key)
            if other is None or _rank(path) < _rank(other):
                pictures[key] = path
    found = {}
    for path in raw_files:
        directory, shot = directory_of(path), _shot(path)
        picture = pictures.get((directory, shot))
        if picture is None and directory:
            picture = pictures.get((directory_of(directory), shot))
        if picture:
            found[path] = picture
    return found


def are_pair(raw_path: str, raw: Metadata, picture_path: str, picture: PhotoRecord) -> bool:
    """Return whether the RAW file and the picture are of the same shot, by what both say."""
    same_directory = directory_of(raw_path) == directory_of(picture_path)
    return is_same_shot(raw, picture, same_directory=same_directory)


def directory_of(path: str) -> str:
    """Return the directory of a path, as text: pathlib would be slow for a million files."""
    return path.rpartition(os.sep)[0]


def _shot(path: str) -> str:
    """Return what the names of a shot's files have in common."""
    return _PIXEL.sub("", PurePath(path).stem.lower())


def _rank(path: str) -> int:
    return _PICTURES.index(PurePath(path).suffix.lower())
