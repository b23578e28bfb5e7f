"""Questions about folders, files and failures."""

import os
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from pathlib import Path, PurePath
from typing import Any

from sqlalchemy import Connection, Select, exists, func, select, true

from sigseek.storage.catalog.paths import (
    containing_folder,
    folder_record,
    is_below,
    statement_chunks,
)
from sigseek.storage.catalog.reading.counts import count_files_by_folder, count_photos
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import (
    CHECKPOINT,
    EMBEDDING,
    FAILURE,
    FILE,
    FOLDER,
    OTHER_FILE,
    PHOTO,
)
from sigseek.storage.records import (
    FailureKind,
    FailureRecord,
    FileCounts,
    FileDigestRecord,
    FileRecord,
    FileTuple,
    FolderRecord,
    LibraryFailure,
    OtherFile,
)

_FETCHED = 200
"""The rows that are fetched at a time. From 700 new tuples on Python looks for garbage, which takes
a tenth of a rescan's time.
"""


class FileReader(Reader):
    """Questions about folders, files and failures."""

    def folders(self) -> list[FolderRecord]:
        """Return all folders by path."""
        with self._connect() as connection:
            records = [folder_record(row) for row in connection.execute(select(FOLDER))]
        return sorted(records, key=lambda folder: folder.path)

    def find_folder(self, path: Path) -> tuple[FolderRecord, PurePath] | None:
        """Return the known folder that `path` is or is inside of, and the path relative to it; None
        without one.
        """
        with self._connect() as connection:
            return containing_folder(connection, path)

    def file_rows(
        self, folder_id: int, checkpoint_id: int, inside: PurePath
    ) -> Generator[FileTuple, None, None]:
        """Yield all files of the folder that are below `inside`, and what is known of `inside` as a
        file, as `FileRecord.of` takes them.

        They come in the order of their paths, character by character, except for paths that are not
        UTF-8. An index of SQLite has this order. PostgreSQL sorts the files on its disk.
        """
        here = is_below(FILE.c.path, inside)
        if inside != PurePath():
            here |= FILE.c.path == str(inside)
        with self._connect() as connection:
            query = self._select_files(connection, folder_id, checkpoint_id)
            query = query.where(here).order_by(FILE.c.path)
            for rows in self._dialect.stream(connection, query, {}, _FETCHED):
                yield from rows

    def files(
        self, folder_id: int, checkpoint_id: int, paths: Sequence[str] | None = None
    ) -> Iterator[FileRecord]:
        """Yield the files of the folder with these paths, or all."""
        if paths is None:
            yield from map(FileRecord.of, self.file_rows(folder_id, checkpoint_id, PurePath()))
            return
        with self._connect() as connection:
            query = self._select_files(connection, folder_id, checkpoint_id)
            for chunk in statement_chunks(paths):
                among = self._dialect.is_path_among(FILE.c.path, chunk)
                yield from map(FileRecord._make, connection.execute(query.where(among)))

    def _select_files(
        self, connection: Connection, folder_id: int, checkpoint_id: int
    ) -> Select[*tuple[Any, ...]]:
        """Return the statement that selects what a `FileRecord` has of all files of the folder."""
        embedded = exists().where(
            EMBEDDING.c.checkpoint_id == checkpoint_id, EMBEDDING.c.photo_id == FILE.c.photo_id
        )
        embeddings = connection.scalar(select(CHECKPOINT.c.embeddings).filter_by(id=checkpoint_id))
        # To look for the embedding of each photo takes a fifth of the time.
        known = embeddings == count_photos(connection)
        return select(
            FILE.c.path,
            FILE.c.size,
            FILE.c.mtime_ns,
            FILE.c.ctime_ns,
            true() if known else embedded,
            FILE.c.missing_since.is_not(None),
            FILE.c.photo_id,
            FILE.c.sidecars,
        ).where(FILE.c.folder_id == folder_id)

    def paths(self, folder_id: int, inside: PurePath) -> Iterator[str]:
        """Yield the paths of all files of the folder below `inside`, those of missing ones too."""
        query = select(FILE.c.path).where(
            FILE.c.folder_id == folder_id, is_below(FILE.c.path, inside)
        )
        with self._connect() as connection:
            for rows in self._dialect.stream(connection, query, {}, _FETCHED):
                for (path,) in rows:
                    yield os.fsdecode(path)

    def count_files_below(self, folder_id: int, inside: PurePath) -> int:
        """Return the number of files of the folder below `inside`, missing ones too."""
        query = select(func.count()).where(
            FILE.c.folder_id == folder_id, is_below(FILE.c.path, inside)
        )
        with self._connect() as connection:
            return connection.scalar(query) or 0

    def has_files_below(self, directory: Path) -> bool:
        """Return whether the library knows files, present or missing, below this directory inside
        of a folder.
        """
        with self._connect() as connection:
            known = containing_folder(connection, directory)
            if known is None:
                return False
            folder, inside = known
            query = select(FILE.c.id).where(
                FILE.c.folder_id == folder.id, is_below(FILE.c.path, inside)
            )
            return connection.scalar(query.limit(1)) is not None

    def missing_files(self, before: datetime) -> list[tuple[FolderRecord, str]]:
        """Return files that have been missing since before then (UTC), each with its folder."""
        query = (
            select(FOLDER, FILE.c.path.label("file"))
            .join(FILE, FILE.c.folder_id == FOLDER.c.id)
            .where(FILE.c.missing_since < before)
        )
        with self._connect() as connection:
            return [(folder_record(row), row.file) for row in connection.execute(query)]

    def digests(self, folder_id: int) -> Iterator[FileDigestRecord]:
        """Yield what is known of the contents of each file of the folder that was there at the last
        run.
        """
        columns = (FILE.c[name] for name in FileDigestRecord._fields)
        query = select(*columns).where(
            FILE.c.folder_id == folder_id,
            FILE.c.missing_since.is_(None),
            FILE.c.digest.is_not(None),
        )
        with self._connect() as connection:
            rows = connection.execute(query.execution_options(yield_per=_FETCHED))
            yield from map(FileDigestRecord._make, rows)

    def file_digest(self, folder_id: int, path: str) -> bytes | None:
        """Return the SHA-256 of the file's bytes when it was last read; None if it is not known."""
        among = self._dialect.is_path_among(FILE.c.path, [path])
        query = select(FILE.c.digest).where(FILE.c.folder_id == folder_id, among)
        with self._connect() as connection:
            return connection.scalar(query)

    def files_to_identify(
        self, folder_id: int, version: int, hash_version: int, most: int
    ) -> list[str]:
        """Return the paths of files that are there and whose photos' digests are of an earlier
        version: for up to `most` photos, and for all whose hash is older than `hash_version`, since
        they have to be read for that anyway.

        One file of each photo is enough if all are the same byte by byte. Otherwise they may turn
        out to be different pictures, so all are returned.
        """
        there = (FILE.c.folder_id == folder_id) & FILE.c.missing_since.is_(None)
        # Begun at the photos, whose index tells at once that there are none.
        photos = select(PHOTO.c.id).where(
            PHOTO.c.digest_version < version,
            exists().where(FILE.c.photo_id == PHOTO.c.id, there),
        )
        hashed = photos.where(PHOTO.c.hash_version >= hash_version).limit(most)
        paths: defaultdict[int, list[str]] = defaultdict(list)
        digests: defaultdict[int, set[bytes | None]] = defaultdict(set)
        with self._connect() as connection:
            ids = list(connection.scalars(hashed))
            ids += connection.scalars(photos.where(PHOTO.c.hash_version < hash_version))
            if not ids:  # nearly always; SQLite would look through all files of the folder
                return []
            files = select(FILE.c.photo_id, FILE.c.path, FILE.c.digest).order_by(FILE.c.id)
            files = files.where(self._dialect.is_among(FILE.c.photo_id, "ids"), there)
            given = {"ids": self._dialect.ids(ids)}
            for photo_id, path, digest in connection.execute(files, given):
                paths[photo_id].append(path)
                digests[photo_id].add(digest)
        return [
            path
            for photo_id, of_photo in paths.items()
            for path in (of_photo if len(digests[photo_id]) > 1 else of_photo[:1])
        ]

    def file_counts(self) -> dict[int, FileCounts]:
        """Return how many files each folder has, by the folder's id; folders without files are left
        out.
        """
        with self._connect() as connection:
            return count_files_by_folder(connection)

    def other_files(self, folder_id: int, inside: PurePath) -> dict[str, OtherFile]:
        """Return the files below `inside` of the folder that indexing passes over, by path."""
        query = select(
            OTHER_FILE.c.path, OTHER_FILE.c.size, OTHER_FILE.c.mtime_ns, OTHER_FILE.c.holds
        ).where(OTHER_FILE.c.folder_id == folder_id, is_below(OTHER_FILE.c.path, inside))
        with self._connect() as connection:
            return {row[0]: OtherFile(*row) for row in connection.execute(query)}

    def skipped_files(self) -> list[tuple[str, OtherFile]]:
        """Return the files that seem to hold photos and are passed over, each with the path of its
        folder, by path.
        """
        query = (
            select(FOLDER.c.path.label("root"), OTHER_FILE)
            .join(FOLDER, FOLDER.c.id == OTHER_FILE.c.folder_id)
            .where(OTHER_FILE.c.holds.is_not(None))
        )
        with self._connect() as connection:
            found = [
                (row.root, OtherFile(row.path, row.size, row.mtime_ns, row.holds))
                for row in connection.execute(query)
            ]
        return sorted(found, key=lambda one: (one[0], one[1].path))

    def failures(self) -> list[LibraryFailure]:
        """Return all failures by path."""
        query = select(FOLDER.c.path.label("root"), FAILURE).join(
            FOLDER, FOLDER.c.id == FAILURE.c.folder_id
        )
        with self._connect() as connection:
            found = [
                LibraryFailure(
                    str(PurePath(row.root, row.path)),
                    row.reason,
                    FailureKind(row.kind),
                    row.pixels,
                    row.tried_at,
                )
                for row in connection.execute(query)
            ]
        return sorted(found, key=lambda failure: failure.path)

    def count_failures(self) -> int:
        """Return the number of failures."""
        with self._connect() as connection:
            return connection.scalar(select(func.count()).select_from(FAILURE)) or 0

    def folder_failures(self, folder_id: int) -> list[FailureRecord]:
        """Return the failures of one folder."""
        query = select(FAILURE).where(FAILURE.c.folder_id == folder_id)
        with self._connect() as connection:
            return [
                FailureRecord(
                    row.path,
                    row.reason,
                    row.size,
                    row.mtime_ns,
                    FailureKind(row.kind),
                    row.pixels,
                    row.tried_at,
                    row.decoder_version,
                )
                for row in connection.execute(query)
            ]
