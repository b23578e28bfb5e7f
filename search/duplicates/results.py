"""Groups of duplicates, as the Python API returns them and as `--json` prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, overload

from sigseek.errors import Remedy

DuplicateKind = Literal["identical", "near", "alike"]
KINDS: tuple[DuplicateKind, ...] = ("identical", "near", "alike")
"""The kinds of groups, the surest first."""
COPIES: tuple[DuplicateKind, ...] = ("identical", "near")
"""The kinds whose photos are copies of one shot."""


@dataclass(frozen=True, kw_only=True)
class DuplicatePhoto:
    """A photo of a group; in a group of identical ones, a file."""

    id: int
    """The photo's number in its library."""
    path: str
    """The absolute path of one of its files."""
    copies: tuple[str, ...]
    """The photo's other files. In a group of identical ones, these are further names of the very
    same file, such as hard links.
    """
    width: int
    height: int
    bytes: int
    """The size of the file at `path` when it was last read."""
    taken_at: str | None
    keep: bool
    """Whether this is the one to keep. It is always the first of its group."""
    why: str | None
    """What makes it better than the next one; None for all but the one to keep."""
    distance: int | None
    """How many of the 256 bits of its perceptual hash differ from those of the photo to keep, both
    turned alike and with or without their plain margins. None for a photo without a hash.
    """
    cosine: float | None
    """The cosine of its embedding with that of the one to keep; None for a photo without one."""
    available: bool
    """Whether the file at `path` is there now, as it was when it was last read."""


@dataclass(frozen=True)
class DuplicateGroup:
    """Photos that belong together."""

    kind: DuplicateKind
    """ "identical": files of one picture. "near": one shot in several forms. "alike": other shots
    of one scene, which are not copies.
    """
    photos: tuple[DuplicatePhoto, ...]
    """The photos, the one to keep first."""


@dataclass(frozen=True)
class Duplicates(Sequence[DuplicateGroup]):
    """Groups of duplicates as a sequence, the surest kind first, and what was looked at."""

    groups: tuple[DuplicateGroup, ...]
    photos: int
    """How many photos were compared."""
    notes: tuple[Remedy | str, ...] = ()
    """What a reader of this answer should know, a sentence each, without a full stop."""
    query: str | None = None
    """The query with the facts in `within`, as sigseek writes it; None for the whole library."""

    def others(self, kinds: Sequence[DuplicateKind] = COPIES) -> tuple[DuplicatePhoto, ...]:
        """Return the photos besides those to keep, each file once, that are there now. Only groups
        of these kinds count: unless "alike" is named, only copies are returned.
        """
        found = {
            photo.path: photo
            for group in self.groups
            if group.kind in kinds
            for photo in group.photos
            if photo.available and not photo.keep
        }
        return tuple(found.values())

    def __repr__(self) -> str:
        groups = "1 group" if len(self.groups) == 1 else f"{len(self.groups)} groups"
        return f"<Duplicates: {groups} in {self.photos} photos>"

    def __len__(self) -> int:
        return len(self.groups)

    @overload
    def __getitem__(self, place: int) -> DuplicateGroup: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[DuplicateGroup, ...]: ...

    def __getitem__(self, place: int | slice) -> DuplicateGroup | tuple[DuplicateGroup, ...]:
        return self.groups[place]
