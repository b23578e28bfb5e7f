"""The files that an ingest takes in, and the transactions that tell what became of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from sigseek.indexer.comparison import Comparison
from sigseek.indexer.listing import FoundFile
from sigseek.storage import Catalog, FileRecord

if TYPE_CHECKING:
    from sigseek.storage.catalog.transaction import Transaction

_Result = TypeVar("_Result")


class Work(Protocol):
    """Files of one folder that are to be taken in."""

    def files(self) -> Iterator[FoundFile]:
        """Yield the files. There may be more of them whenever the next one is asked for."""
        ...

    def before(self, path: str) -> FileRecord | None:
        """Return what the catalog knew of a file that was yielded; None for a new file."""
        ...

    def settle(
        self, paths: Collection[str], write: Callable[[Transaction, Collection[str]], _Result]
    ) -> _Result:
        """Have `write` write what became of these files, in one transaction, and return what it
        returns.

        `write` is given those of the files that are still this process's to deal with. It may be
        called again after its changes were undone.
        """
        ...


class ListedWork:
    """Files that this process has listed and takes in alone."""

    def __init__(self, catalog: Catalog, found: Comparison) -> None:
        self._catalog = catalog
        self._found = found
        self._known: dict[str, FileRecord] = {}
        """What the catalog knew of those files that were yielded and are not settled."""

    def files(self) -> Iterator[FoundFile]:
        """Yield the files that have to be read."""
        for file in self._found.changed:
            if file.before is not None:
                self._known[file.found.path] = file.before
            yield file.found

    def before(self, path: str) -> FileRecord | None:
        """Return what the catalog knew of the file when the folder was compared with it."""
        return self._known.get(path)

    def settle(
        self, paths: Collection[str], write: Callable[[Transaction, Collection[str]], _Result]
    ) -> _Result:
        """Write in one transaction."""
        result = self._catalog.commit(lambda transaction: write(transaction, paths), by_index=True)
        for path in paths:
            self._known.pop(path, None)
        return result
