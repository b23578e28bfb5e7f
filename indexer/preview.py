"""What an indexing run would take of a folder, and what not and why. Nothing is written."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from sigseek.indexer.comparison import left_out
from sigseek.indexer.folder_patterns import FolderPatterns
from sigseek.indexer.other_files import directory_links, look_into, reason
from sigseek.indexer.scan import scan_folder
from sigseek.progress import Stop


@dataclass(frozen=True)
class ListedFile:
    """A file or directory as an indexing run would see it."""

    path: str
    """The absolute path."""
    taken: bool
    reason: str | None
    """Why it would not be taken; None for a file that would."""
    leaving: int = 0
    """How many files of the library, itself or below it, would leave the library for that reason.
    """


def preview(
    root: Path, inside: PurePath, patterns: FolderPatterns, stop: Stop, known: Iterable[str] = ()
) -> Iterator[ListedFile]:
    """List the pictures below `inside` of the folder `root`, and what is left out there, by path.
    `known` has the paths in the folder of the files that the library knows.

    Files that are not pictures are not listed, nor is what is in a directory that is left out.
    """
    listing = scan_folder(root, inside, stop, patterns.of(root, inside))
    found: dict[str, str | None] = dict.fromkeys(listing.files)
    for raw, jpeg in listing.raw_pairs.items():
        found[raw.path] = f"{PurePath(jpeg).name} stands for it"
    found |= listing.excluded | listing.passed_over | listing.unreadable
    others = look_into(root, listing.other_files, {}, stop)
    for other in (*others, *directory_links(listing.directory_links)):
        if other.holds:
            found[other.path] = reason(other.holds)
    unlisted = (path for path in known if path not in listing.files)
    leaving = Counter(left_out(inside, listing, unlisted).values())
    for path, why in sorted(found.items()):
        yield ListedFile(str(Path(root, path)), why is None, why, leaving[path])
