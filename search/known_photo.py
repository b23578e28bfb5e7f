"""Photos of the library that a query names by a file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownPhoto:
    """A photo that a query names and that the library knows."""

    id: int
    named: frozenset[str]
    """The absolute paths that the name in the query may stand for."""
    has_copies: bool
    """Whether the library has the photo in another file than the named one."""
    include_self: bool = False
    """Whether the photo is to be listed even if the named file is its only one."""

    @property
    def listed(self) -> bool:
        """Whether the photo may be among the hits: as itself, or as an exact copy."""
        return self.include_self or self.has_copies

    def files_to_show(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the photo's paths by which it may be listed, the preferred ones first."""
        own = tuple(path for path in paths if path in self.named)
        others = tuple(path for path in paths if path not in self.named)
        return (own + others if self.include_self else others) or paths
