"""The patterns that leave files out of folders: those that the catalog keeps, and their changes."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from sigseek.errors import ErrorKind
from sigseek.indexer.errors import PatternError
from sigseek.indexer.exclusion import checked_pattern
from sigseek.storage import Catalog
from sigseek.storage.catalog.paths import patterns_below


class FolderPatterns:
    """The patterns of each folder, with `exclude` added and `include` taken back.

    `exclude` and `include` are about the directories that a run is about, wherever in a folder
    these are. `catalog` is None where there is no library yet.
    """

    def __init__(
        self, catalog: Catalog | None, exclude: Sequence[str], include: Sequence[str]
    ) -> None:
        self._catalog = catalog
        self._exclude = exclude
        self._include = include

    def check(self, places: Sequence[tuple[Path, PurePath]]) -> None:
        """Raise PatternError for a pattern that is none, or that is to be taken back and is not
        kept.
        """
        for root, inside in places:
            self._changed(self._exclude, root, inside)
        kept = [pattern for root, _ in places for pattern in self._kept(root)]
        for pattern in self._include:
            if not any(
                back in kept
                for root, inside in places
                for back in self._back([pattern], root, inside)
            ):
                known = ", ".join(dict.fromkeys(kept)) or "none"
                raise PatternError(
                    f"no files are left out by {pattern}",
                    f"these patterns are kept: {known}",
                    ErrorKind.NOT_FOUND,
                )

    def of(self, root: Path, inside: PurePath) -> list[str]:
        """Return the patterns of the folder `root` in a run over `inside`."""
        return self.applied(self._kept(root), root, inside)

    def applied(self, kept: Iterable[str], root: Path, inside: PurePath) -> list[str]:
        """Return what a run over `inside` makes of patterns that are kept for the folder `root`."""
        back = self._back(self._include, root, inside)
        still = [pattern for pattern in kept if pattern not in back]
        return list(dict.fromkeys([*still, *self._changed(self._exclude, root, inside)]))

    def _kept(self, root: Path) -> list[str]:
        """Return what the catalog keeps for the folder, or for those that are to become part of
        it.
        """
        folders = self._catalog.folders() if self._catalog else []
        return [
            pattern
            for folder in folders
            if Path(folder.path).is_relative_to(root)
            for pattern in patterns_below(PurePath(folder.path).relative_to(root), folder.excluded)
        ]

    def _back(self, include: Sequence[str], root: Path, inside: PurePath) -> list[str]:
        """Return the patterns of the folder that these patterns mean, which were given for the
        directory or for the folder.
        """
        return [*include, *self._changed(include, root, inside)]

    def _changed(self, patterns: Sequence[str], root: Path, inside: PurePath) -> list[str]:
        checked = [checked_pattern(pattern, root, inside) for pattern in patterns]
        return patterns_below(inside, checked)
