"""Facts that name a directory, by its absolute path or by the last parts of it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from sigseek.paths import typed_path
from sigseek.search.errors import printable
from sigseek.search.facts.names import nearest
from sigseek.search.facts.values import FactValueError
from sigseek.storage import CatalogReader
from sigseek.storage.selection import Below, Selection

if TYPE_CHECKING:
    from sigseek.storage.catalog.reading.directories import KnownDirectory

_LISTED = 4
_HERE = re.compile(r"\.{1,2}([/\\]|$)")
"""The beginning of a path that is relative to the current directory."""


@dataclass(frozen=True)
class Directory:
    """A directory and everything below it."""

    path: str
    """The path as typed: absolute, or the last parts of one."""

    def __str__(self) -> str:
        return self.path

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that a file of the photo is in the directory or below it."""
        return Below(self.known(catalog).places)

    def known(self, catalog: CatalogReader) -> KnownDirectory:
        """Return the directory as the library has it.

        Raises FactValueError if no photo has a file in it, or if several directories are meant.
        """
        path: PurePath = PurePath(self.path)
        if self.path.startswith("~"):
            path = typed_path(self.path)
        elif _HERE.match(self.path):
            path = Path.cwd() / self.path
        if path.is_absolute():
            return self._at(catalog, PurePath(os.path.normpath(path)))
        exact, alike = catalog.directories_called(path)
        if len(exact) == 1:
            return self._at(catalog, PurePath(exact[0]))
        if exact:
            raise FactValueError(
                f"'{printable(self.path)}' is the end of {len(exact)} directories",
                f"write more of its path: {_listed(exact)}",
            )
        raise self._unknown(catalog, alike)

    def _at(self, catalog: CatalogReader, path: PurePath) -> KnownDirectory:
        found = catalog.directory(path)
        if found is None:
            raise self._unknown(catalog, [])
        return found

    def _unknown(self, catalog: CatalogReader, alike: list[str]) -> FactValueError:
        """Return the error about a directory that the library does not know. `alike` has the paths
        of directories with nearly the same name.
        """
        found = f"no photo of this library is in a directory '{printable(self.path)}'"
        if alike:
            return FactValueError(found, f"there is {_listed(alike)}")
        folders = [folder.path for folder in catalog.folders()]
        if not folders:
            return FactValueError(found, "this library has no folders yet")
        near = nearest(self.path, folders) or folders
        return FactValueError(found, f"the library's folders are: {_listed(near)}")


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - _LISTED:,} more" if len(paths) > _LISTED else ""
    return printable(", ".join(paths[:_LISTED])) + more
