"""Which of several copies to keep, and why."""

import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path, PurePath

from sigseek import disk
from sigseek.paths import BINS
from sigseek.storage import PhotoFile, PhotoRecord

_FORMATS = (
    ("DNG", "RAW", "CR2", "CR3", "NEF", "ARW", "RAF", "ORF", "RW2"),
    ("HEIF", "JPEG", "MPO"),
    ("TIFF",),
    ("PNG", "JPEG2000", "JXL"),
    ("AVIF", "WEBP"),
)
"""Formats of pictures, those that cameras make first. All others come after them."""
_SAME_TIME = 2_000_000_000
"""Nanoseconds within which two times of change are the same. Some disks keep even seconds."""
_ASKED_TOGETHER = 1_000
"""Files that a disk is asked about in one question."""
_Status = tuple[os.stat_result | None, bool]
"""The status of a file, None where it is not there, and whether the path is a symbolic link."""
_METADATA = (
    "taken_at", "camera", "lens", "latitude", "city", "rating", "title", "description", "keywords",
    "people",
)  # fmt: skip


@dataclass(frozen=True)
class FileNow:
    """A file of a photo, looked at on the disk."""

    path: str
    size: int
    mtime_ns: int
    inode: tuple[int, int] | None
    """The device and number of the file, the same for all of its names; None where it is not there
    now.
    """
    is_changed: bool
    """Whether it was changed since it was last read. It may hold another picture now, which nobody
    has compared with anything.
    """
    is_link: bool
    """Whether the path is a symbolic link, which is nothing without the file that it leads to."""

    @property
    def available(self) -> bool:
        """Whether the file is there and was not changed since it was last read."""
        return self.inode is not None and not self.is_changed


@dataclass(frozen=True)
class Copy:
    """A photo that may be kept."""

    photo: PhotoRecord
    format: str
    content_pixels: float
    """The pixels inside of its plain margins."""
    file: FileNow
    """The best of its files."""


FileRank = tuple[bool, bool, bool, bool, int, int, str]
"""What files of one picture are ordered by: see `file_rank`."""
Criterion = tuple[str, Callable[[Copy], float | str]]
"""A reason to keep a copy, and its measure of a copy, the lower the better."""
Rank = tuple[float | str, ...]
"""What copies are ordered by: all measures of a copy, the weightiest first."""


def criteria(prefer: Sequence[Path]) -> list[Criterion]:
    """Return the reasons to keep one copy rather than another, the weightiest first."""
    return [
        # People delete the others. So nothing makes up for a file that is gone or damaged.
        ("there now", lambda copy: not copy.file.available),
        ("not damaged", lambda copy: copy.photo.damaged),
        ("in the preferred folder", lambda copy: not _is_below(copy.file.path, prefer)),
        ("not in a bin", lambda copy: is_in_bin(copy.file.path)),
        ("most pixels", lambda copy: -copy.content_pixels),
        ("without a frame", lambda copy: copy.photo.width * copy.photo.height),
        ("original format", lambda copy: _format_rank(copy.format)),
        ("most metadata", lambda copy: -metadata_count(copy.photo)),
        ("largest file", lambda copy: -copy.file.size),
        ("oldest", lambda copy: copy.file.mtime_ns),
        ("first by path", lambda copy: copy.file.path),
    ]


def rank(copy: Copy, measures: Sequence[Criterion]) -> Rank:
    """Return what copies are ordered by, the best first."""
    return tuple(measure(copy) for _, measure in measures)


def reason(best: Rank, others: Iterable[Rank], measures: Sequence[Criterion]) -> str:
    """Return why a copy of this rank is kept rather than the next best one."""
    parts = zip(measures, best, min(others), strict=True)
    return next((why for (why, _), one, other in parts if one != other), measures[-1][0])


def file_rank(file: FileNow, prefer: Sequence[Path]) -> FileRank:
    """Return what files of one picture are ordered by, the best first."""
    preferred, in_bin = _is_below(file.path, prefer), is_in_bin(file.path)
    away, path = not file.available, file.path
    return away, not preferred, in_bin, file.is_link, file.mtime_ns, len(path), path


def file_reason(best: FileNow, other: FileNow, prefer: Sequence[Path]) -> str:
    """Return why the first file is kept rather than the other one, which is the next best."""
    names = (
        "there now", "in the preferred folder", "not in a bin", "not a link", "oldest",
        "shortest path",
    )  # fmt: skip
    measures = zip(names, file_rank(best, prefer), file_rank(other, prefer), strict=False)
    return next((name for name, one, two in measures if one != two), "first by path")


def look_at(photos: Mapping[int, Sequence[PhotoFile]]) -> dict[int, list[FileNow]]:
    """Return the files of photos as they are on the disk now, those of each photo by path."""
    every = [file for files in photos.values() for file in files]
    statuses: list[_Status] = []
    for first in range(0, len(every), _ASKED_TOGETHER):
        paths = [file.path for file in every[first : first + _ASKED_TOGETHER]]
        statuses += disk.ask_of_each(paths, _status, (None, False))
    now = iter(map(_now, every, statuses))
    return {
        id_: sorted(islice(now, len(files)), key=lambda file: file.path)
        for id_, files in photos.items()
    }


def is_in_bin(path: str) -> bool:
    """Return whether the file is in a directory of deleted files, at any depth."""
    return _is_bin(os.path.dirname(path))  # noqa: PTH120 - a tenth of PurePath's time


@lru_cache(maxsize=1024)  # most photos of a folder are in a few directories
def _is_bin(directory: str) -> bool:
    return any(
        part.lower() in BINS or part.lower().startswith(".trash-")
        for part in PurePath(directory).parts
    )


def metadata_count(photo: PhotoRecord) -> int:
    """Return how many kinds of metadata the photo has."""
    return sum(bool(getattr(photo, name)) for name in _METADATA)


def _now(file: PhotoFile, found: _Status) -> FileNow:
    status, is_link = found
    inode = _inode(file, status) if status else None
    is_changed = status is not None and _is_changed(file, status)
    return FileNow(file.path, file.size, file.mtime_ns, inode, is_changed, is_link)


def _status(path: str) -> _Status:
    try:
        status = os.lstat(path)
        is_link = stat.S_ISLNK(status.st_mode)
        return Path(path).stat() if is_link else status, is_link
    except OSError:
        return None, False


def _is_changed(file: PhotoFile, status: os.stat_result) -> bool:
    return status.st_size != file.size or abs(status.st_mtime_ns - file.mtime_ns) > _SAME_TIME


def _inode(file: PhotoFile, status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino or hash(file.path)  # some drives number no files


def _is_below(path: str, folders: Sequence[Path]) -> bool:
    return any(PurePath(path).is_relative_to(folder) for folder in folders)


def _format_rank(name: str) -> int:
    known = (number for number, names in enumerate(_FORMATS) if name in names)
    return next(known, len(_FORMATS))
