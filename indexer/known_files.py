"""The files that the catalog knows of a folder, in the order of their paths."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from sigseek.paths import is_utf8
from sigseek.storage import FileRecord, FileTuple


class KnownFiles:
    """The files of folders, handed out once, up to where a scan has come.

    `folders` has what the paths of a folder's files begin with, and its files. The folders and the
    files of each are in the order of their paths, character by character.

    Databases disagree about where paths belong that are not UTF-8. These files are handed out at
    the end.
    """

    def __init__(self, folders: Sequence[tuple[str, Iterable[FileTuple]]]) -> None:
        self._rows = chain.from_iterable(
            _below(before, rows) if before else rows for before, rows in folders
        )
        self._next: list[FileTuple] = []
        """The file that came after the last one that was handed out."""
        self._not_utf8: list[FileTuple] = []

    def before(self, path: str) -> Iterator[FileTuple]:
        """Yield the files that come before this path and were not handed out yet."""
        for row in chain(self._take_next(), self._rows):
            name = row[0]
            if name.__class__ is bytes:  # no call to spare: there may be ten million
                row = FileRecord.of(row)
                if not is_utf8(row.path):
                    self._not_utf8.append(row)
                    continue
                name = row.path
            if name >= path:
                self._next.append(row)
                return
            yield row

    def rest(self) -> Iterator[FileTuple]:
        """Yield all files that were not handed out yet."""
        yield from self._take_next()
        for row in self._rows:
            yield FileRecord.of(row) if row[0].__class__ is bytes else row
        yield from self._not_utf8

    def _take_next(self) -> list[FileTuple]:
        taken, self._next = self._next, []
        return taken


def _below(before: str, rows: Iterable[FileTuple]) -> Iterator[FileTuple]:
    """Yield the files of a folder with paths that begin at a folder above it."""
    is_text = is_utf8(before)
    for path, *others in rows:
        if is_text and not isinstance(path, bytes):
            yield (before + path, *others)
        else:
            yield (os.fsencode(before) + os.fsencode(path), *others)
