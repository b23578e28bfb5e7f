"""What a scan of a folder found."""

from dataclasses import dataclass, field
from typing import NamedTuple


class FoundFile(NamedTuple):
    """A picture that a scan found: its path relative to the folder, its size in bytes and its times
    of change.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int | None = None
    """When the system noted a change; None where it has no such time."""


@dataclass
class Listing:
    """What a scan found, or a part of it. `unreadable` has the directories and links that could not
    be looked into, and why.
    """

    files: dict[str, tuple[int, int, int | None]] = field(default_factory=dict)
    """Size in bytes, mtime and ctime in ns, by path relative to the folder. A million `FoundFile`
    objects would keep the garbage collector busy.
    """
    unreadable: dict[str, str] = field(default_factory=dict)
    raw_pairs: dict[FoundFile, str] = field(default_factory=dict)
    """Camera RAW files that are not in `files`, each with the path of the picture that is likely to
    be of the same shot. `sigseek.indexer.raw_pairs` tells more.
    """
    raw_directories: set[str] = field(default_factory=set)
    """The directories in which RAW files were found."""

    sidecars: dict[str, str] = field(default_factory=dict)
    """What `sigseek.indexer.sidecars.described` says of the sidecars of a picture, by its path."""
    raw_sidecars: dict[str, str] = field(default_factory=dict)
    """Sidecars, by path, of pictures whose RAW file lies in a directory below with sidecars of its
    own. These are among the picture's.
    """
    excluded: dict[str, str] = field(default_factory=dict)
    """Directories and pictures that a rule leaves out, and why. They leave the library."""
    passed_over: dict[str, str] = field(default_factory=dict)
    """Hidden and system directories, hidden pictures, and what is not a file, and why."""
    other_files: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size in bytes and mtime in ns, by path, of files without a picture's extension that may hold
    a picture.
    """
    directory_links: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Size in bytes and mtime in ns of links to directories, by path."""
    complete_before: str | None = None
    """With the parts of the scan before this one, everything was listed whose path is UTF-8 and
    comes before this one, character by character; "" where that is not known. None means that the
    scan has ended.
    """

    later_directories: list[str] = field(default_factory=list)
    """Directories that are listed later and whose paths are not UTF-8: `complete_before` says
    nothing of them.
    """

    @property
    def size(self) -> int:
        """How many files and directories it tells of, as far as there may be very many."""
        return len(self.files) + len(self.raw_pairs) + len(self.excluded) + len(self.passed_over)

    def add(self, other: "Listing") -> None:
        """Add what was found in other directories."""
        self.raw_pairs.update(other.raw_pairs)
        self.sidecars.update(other.sidecars)
        self.raw_sidecars.update(other.raw_sidecars)
        self.excluded.update(other.excluded)
        self.passed_over.update(other.passed_over)
        self.other_files.update(other.other_files)
        self.directory_links.update(other.directory_links)
        self.files.update(other.files)
        self.unreadable.update(other.unreadable)
        self.raw_directories.update(other.raw_directories)
