"""Questions about folders, files and failures."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path, PurePath

from sqlalchemy import exists, func, select

from sigseek.storage.catalog.models import (
    EmbeddingRow,
    FailureRow,
    FileRow,
    FolderRow,
    OtherFileRow,
    PhotoRow,
)
from sigseek.storage.catalog.paths import containing_folder, folder_record, is_below
from sigseek.storage.catalog.reading.reader import Reader
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
        with self._session() as session:
            records = [folder_record(row) for row in session.scalars(select(FolderRow))]
        return sorted(records, key=lambda folder: folder.path)

    def find_folder(self, path: Path) -> tuple[FolderRecord, PurePath] | None:
        """Return the known folder that `path` is or is inside of, and the path relative to it; None
        without one.
        """
        with self._session() as session:
            return containing_folder(session, path)

    def file_rows(self, folder_id: int, checkpoint_id: int) -> Iterator[FileTuple]:
        """Yield all files of the folder, in no particular order, as `FileRecord.of` takes them."""
        embedded = (
            select(EmbeddingRow.photo_id)
            .where(
                EmbeddingRow.checkpoint_id == checkpoint_id,
                EmbeddingRow.photo_id == FileRow.photo_id,
            )
            .exists()
        )
        query = select(
            FileRow.path,
            FileRow.size,
            FileRow.mtime_ns,
            FileRow.ctime_ns,
            embedded,
            FileRow.missing_since.is_not(None),
            FileRow.photo_id,
            FileRow.sidecars,
        ).where(FileRow.folder_id == folder_id)
        with self._session() as session:
            for rows in self._dialect.stream(session.connection(), query, {}, _FETCHED):
                yield from rows

    def files(self, folder_id: int, checkpoint_id: int) -> Iterator[FileRecord]:
        """Yield all files of the folder, in no particular order."""
        return map(FileRecord.of, self.file_rows(folder_id, checkpoint_id))

    def paths(self, folder_id: int, inside: PurePath) -> list[str]:
        """Return the paths of all files of the folder below `inside`, those of missing ones too."""
        query = select(FileRow.path).where(
            FileRow.folder_id == folder_id, is_below(FileRow.path, inside)
        )
        with self._session() as session:
            return list(session.scalars(query))

    def has_files_below(self, directory: Path) -> bool:
        """Return whether the library knows files, present or missing, below this directory inside
        of a folder.
        """
        with self._session() as session:
            known = containing_folder(session, directory)
            if known is None:
                return False
            folder, inside = known
            query = select(FileRow.id).where(
                FileRow.folder_id == folder.id, is_below(FileRow.path, inside)
            )
            return session.scalar(query.limit(1)) is not None

    def missing_files(self, before: datetime) -> list[tuple[FolderRecord, str]]:
        """Return files that have been missing since before then (UTC), each with its folder."""
        query = (
            select(FolderRow, FileRow.path)
            .join(FileRow, FileRow.folder_id == FolderRow.id)
            .where(FileRow.missing_since < before)
        )
        with self._session() as session:
            return [(folder_record(row), path) for row, path in session.execute(query)]

    def digests(self, folder_id: int) -> Iterator[FileDigestRecord]:
        """Yield what is known of the contents of each file of the folder that was there at the last
        run.
        """
        columns = (getattr(FileRow, name) for name in FileDigestRecord._fields)
        query = select(*columns).where(
            FileRow.folder_id == folder_id,
            FileRow.missing_since.is_(None),
            FileRow.digest.is_not(None),
        )
        with self._session() as session:
            rows = session.execute(query.execution_options(yield_per=_FETCHED))
            yield from map(FileDigestRecord._make, rows)

    def file_digest(self, folder_id: int, path: str) -> bytes | None:
        """Return the SHA-256 of the file's bytes when it was last read; None if it is not known."""
        among = self._dialect.is_path_among(FileRow.path, [path])
        query = select(FileRow.digest).where(FileRow.folder_id == folder_id, among)
        with self._session() as session:
            return session.scalar(query)

    def files_to_identify(self, folder_id: int, version: int, most: int) -> list[str]:
        """Return the paths of files that are there and whose photos' digests are of an earlier
        version, for up to `most` photos.

        One file of each photo is enough if all are the same byte by byte. Otherwise they may turn
        out to be different pictures, so all are returned.
        """
        there = (FileRow.folder_id == folder_id) & FileRow.missing_since.is_(None)
        # Begun at the photos, whose index tells at once that there are none.
        photos = (
            select(PhotoRow.id)
            .where(
                PhotoRow.digest_version < version,
                exists().where(FileRow.photo_id == PhotoRow.id, there),
            )
            .limit(most)
        )
        paths: defaultdict[int, list[str]] = defaultdict(list)
        digests: defaultdict[int, set[bytes | None]] = defaultdict(set)
        with self._session() as session:
            ids = session.scalars(photos).all()
            if not ids:  # nearly always; SQLite would look through all files of the folder
                return []
            files = select(FileRow.photo_id, FileRow.path, FileRow.digest).order_by(FileRow.id)
            for photo_id, path, digest in session.execute(
                files.where(FileRow.photo_id.in_(ids), there)
            ):
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
        missing = func.count(FileRow.missing_since)
        query = select(FileRow.folder_id, func.count() - missing, missing)
        with self._session() as session:
            rows = session.execute(query.group_by(FileRow.folder_id))
            return {folder: FileCounts(present, gone) for folder, present, gone in rows}

    def other_files(self, folder_id: int, inside: PurePath) -> dict[str, OtherFile]:
        """Return the files below `inside` of the folder that indexing passes over, by path."""
        query = select(
            OtherFileRow.path, OtherFileRow.size, OtherFileRow.mtime_ns, OtherFileRow.holds
        ).where(OtherFileRow.folder_id == folder_id, is_below(OtherFileRow.path, inside))
        with self._session() as session:
            return {row[0]: OtherFile(*row) for row in session.execute(query)}

    def skipped_files(self) -> list[tuple[str, OtherFile]]:
        """Return the files that seem to hold photos and are passed over, each with the path of its
        folder, by path.
        """
        query = (
            select(FolderRow.path, OtherFileRow)
            .join(FolderRow, FolderRow.id == OtherFileRow.folder_id)
            .where(OtherFileRow.holds.is_not(None))
        )
        with self._session() as session:
            found = [
                (root, OtherFile(row.path, row.size, row.mtime_ns, row.holds))
                for root, row in session.execute(query)
            ]
        return sorted(found, key=lambda one: (one[0], one[1].path))

    def failures(self) -> list[LibraryFailure]:
        """Return all failures by path."""
        query = select(FolderRow.path, FailureRow).join(
            FolderRow, FolderRow.id == FailureRow.folder_id
        )
        with self._session() as session:
            found = [
                LibraryFailure(
                    str(PurePath(root, row.path)),
                    row.reason,
                    FailureKind(row.kind),
                    row.pixels,
                    row.tried_at,
                )
                for root, row in session.execute(query)
            ]
        return sorted(found, key=lambda failure: failure.path)

    def folder_failures(self, folder_id: int) -> list[FailureRecord]:
        """Return the failures of one folder."""
        query = select(FailureRow).where(FailureRow.folder_id == folder_id)
        with self._session() as session:
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
                for row in session.scalars(query)
            ]
