"""What photos are put in order by, now or at an earlier revision."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection, func, select

from sigseek.storage.catalog.paths import CHUNK, statement_chunks
from sigseek.storage.catalog.reading.former import (
    FormerFiles,
    former_files,
    former_photos,
)
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, FOLDER, ORDER_REVISION, PHOTO

_Answer = TypeVar("_Answer")

_SHARE_OF_MANY = 0.25
_NEWEST = select(func.max(PHOTO.c.id))  # made once, because every search asks it
_REVISION = select(ORDER_REVISION.c.number, ORDER_REVISION.c.kept_from)


class OrderRevision(NamedTuple):
    """How often what photos are put in order by has changed."""

    number: int
    kept_from: int
    """The first revision of which it is still known what photos were put in order by."""


class OrderReader(Reader):
    """Questions about what photos are put in order by.

    With `at`, the number of a revision from `kept_from` on, the answers are those of the time in
    which that was the revision. Whoever asks so sees to it that nothing changes meanwhile.
    """

    def newest_photo(self) -> int:
        """Return the highest id of a photo; 0 without photos."""
        with self._connect() as connection:
            return connection.scalar(_NEWEST) or 0

    def order_revision(self) -> OrderRevision:
        """Return the revision of now."""
        with self._connect() as connection:
            row = connection.execute(_REVISION).one_or_none()
        return OrderRevision(*row) if row else OrderRevision(0, 0)

    def dates(self, ids: Sequence[int], at: int | None = None) -> dict[int, str | None]:
        """Return the local time of each photo in ISO 8601, as precise as its source; None where it
        is not known. The order of these texts is that of the times.
        """
        found = dict(self._photo_columns(ids, PHOTO.c.taken_at))
        former = self._former_photos(at)
        return found | {id_: former[id_][0] for id_ in found if id_ in former}

    def ratings(self, ids: Sequence[int], at: int | None = None) -> dict[int, int | None]:
        """Return the stars of each photo, -1 for a rejected one; None where it has none."""
        found = dict(self._photo_columns(ids, PHOTO.c.rating))
        former = self._former_photos(at)
        return found | {id_: former[id_][1] for id_ in found if id_ in former}

    def first_paths(
        self,
        ids: Sequence[int],
        at: int | None = None,
        directories: Sequence[tuple[int, str]] = (),
    ) -> dict[int, str]:
        """Return the absolute path of the first file of each photo that has one.

        A file in one of the `directories`, each the id of a folder and a path in it, comes before
        those elsewhere, and then a file that was there at the last run before missing ones.
        """
        former = self._former_files(at)
        found: dict[int, tuple[bool, bool, str]] = {}

        def consider(id_: int, folder: int, path: str, place: tuple[bool, str]) -> None:
            elsewhere = bool(directories) and not _is_in(directories, folder, path)
            before = found.get(id_)
            if before is None or (elsewhere, *place) < before:
                found[id_] = (elsewhere, *place)

        for id_ in ids:
            for file in former.files.get(id_, ()):
                consider(id_, file.folder_id, file.path, (file.missing, file.absolute))
        with self._connect() as connection:
            roots = dict(connection.execute(select(FOLDER.c.id, FOLDER.c.path)).all())
            roots |= former.roots
            # Texts are joined in a hundredth of the time of `PurePath`: 10 s for a million paths.
            beginnings = {id_: f"{root.rstrip(os.sep)}{os.sep}" for id_, root in roots.items()}
            for id_, folder, path, missing in self._files_of(connection, ids):
                if not former.places or (folder, path) not in former.places:
                    consider(id_, folder, path, (bool(missing), beginnings[folder] + path))
        return {id_: path for id_, (*_, path) in found.items()}

    def _files_of(
        self, connection: Connection, ids: Sequence[int]
    ) -> Iterator[tuple[int, int, str, bool]]:
        """Yield each file of the photos with these ids: the photo's id, the folder's, the path in
        it, and whether it was missing at the last run.
        """
        missing = FILE.c.missing_since.is_not(None)
        query = select(FILE.c.photo_id, FILE.c.folder_id, FILE.c.path, missing)
        # Of many photos, it is faster to read all files in their own order than to look theirs up.
        if _SHARE_OF_MANY * (connection.scalar(_NEWEST) or 0) <= len(ids):
            wanted = frozenset(ids)
            for rows in self._dialect.stream(connection, query, {}, CHUNK):
                for id_, folder, path, is_missing in rows:
                    if id_ in wanted:  # a stream has bytes where a path is not UTF-8
                        yield id_, folder, os.fsdecode(path), is_missing
            return
        query = query.where(self._dialect.is_among(FILE.c.photo_id, "ids"))
        for chunk in statement_chunks(ids):
            yield from connection.execute(query, {"ids": self._dialect.ids(chunk)})

    def _former_photos(self, at: int | None) -> Mapping[int, tuple[str | None, int | None]]:
        return {} if at is None else self._of_revision("photos", former_photos, at)

    def _former_files(self, at: int | None) -> FormerFiles:
        return FormerFiles() if at is None else self._of_revision("files", former_files, at)

    def _of_revision(
        self, kind: str, ask: Callable[[Connection, int], _Answer], at: int
    ) -> _Answer:
        """Return what `ask` returns for the revision, which is kept: a page asks many times."""

        def read() -> _Answer:
            with self._connect() as connection:
                return ask(connection, at)

        return self._once(("former", kind, at), read)


def _is_in(directories: Sequence[tuple[int, str]], folder_id: int, path: str) -> bool:
    """Return whether a path in a folder is below one of the directories; "" is the folder."""
    return any(
        folder == folder_id and (not directory or path.startswith(f"{directory}{os.sep}"))
        for folder, directory in directories
    )
