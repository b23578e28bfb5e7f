"""The catalog: every question to the SQLite database; `sigseek.storage.catalog.transaction` has the changes.

numpy comes in where embeddings are read: a run over unchanged folders does without.
"""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from sigseek.storage.catalog.database import describe, open_database, writing
from sigseek.storage.catalog.models import (
    Bias,
    Calibration,
    Checkpoint,
    Embedding,
    Failure,
    File,
    Folder,
    Keyword,
    Photo,
    Reference,
    Tag,
)
from sigseek.storage.catalog.transaction import (
    Transaction,
    beginning,
    checkpoint_record,
    chunks,
    locate,
)
from sigseek.storage.errors import LibraryError
from sigseek.storage.records import (
    CheckpointRecord,
    FailureKind,
    FailureRecord,
    FileRow,
    FolderRecord,
    PhotoRecord,
    YardstickRecord,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids: TypeAlias = npt.NDArray[np.int64]
    Floats: TypeAlias = npt.NDArray[np.float32]
    Halves: TypeAlias = npt.NDArray[np.float16]

FILE_NAME = "catalog.sqlite"
# embeddings in one chunk: so many stay in the processor's cache while they are converted and scored
_ROWS = 64

# Made once: to make a statement anew takes a sixth of the time in which a search reads its
# candidates.
_AMONG = select(func.json_each(bindparam("ids")).table_valued("value").c.value)
"""Ids as one parameter, however many there are."""
_VECTORS = select(Embedding.photo_id, Embedding.vector).where(
    Embedding.checkpoint_id == bindparam("checkpoint")
)
_VECTORS_AMONG = _VECTORS.where(Embedding.photo_id.in_(_AMONG))
_VECTORS_AFTER = _VECTORS.where(Embedding.generation > bindparam("generation"))
_DIMENSION = select(Checkpoint.dimension).where(Checkpoint.id == bindparam("checkpoint"))
_BIASES_AMONG = select(Bias.photo_id, Bias.value).where(
    Bias.checkpoint_id == bindparam("checkpoint"), Bias.photo_id.in_(_AMONG)
)


class Catalog:
    """The catalog of the library in `directory`; made when it is not there.

    LibraryError whenever the database cannot be opened, read or written.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._engine = open_database(self.path)
        self._readers = sessionmaker(self._engine, expire_on_commit=False)
        self._writers = sessionmaker(writing(self._engine), expire_on_commit=False)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def compact(self) -> None:
        """Give the space of what was removed back to the disk, where that is a quarter of the file
        or more.
        """
        with self._session() as session:
            connection: Any = session.connection().connection.driver_connection
            (free,), (pages,) = (
                connection.execute(f"PRAGMA {name}").fetchone()
                for name in ("freelist_count", "page_count")
            )
            connection.rollback()
            if free >= pages / 4:
                connection.execute("VACUUM")

    def back_up(self, target: Path) -> None:
        """Write a copy to `target`, which is not there yet: the catalog as it is now, whatever
        others write meanwhile.

        Its checkpoints have new tokens: in the catalog's place it is none that the index files of a
        later time belong to. OSError where it cannot be written.
        """
        with self._session() as session:
            connection: Any = session.connection().connection.driver_connection
            connection.rollback()
            connection.set_progress_handler(
                lambda: 0, 100_000
            )  # Python's signals, Ctrl-C among them, get their turn in it
            try:
                connection.execute("VACUUM INTO ?", (str(target),))
                with closing(sqlite3.connect(target)) as copy, copy:
                    copy.execute("UPDATE checkpoint SET token = lower(hex(randomblob(8)))")
            except sqlite3.Error as error:
                if (
                    error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
                ):  # all that is left of what the signal raised
                    raise KeyboardInterrupt from None
                if error.sqlite_errorcode in (
                    sqlite3.SQLITE_CORRUPT,
                    sqlite3.SQLITE_NOTADB,
                ):  # the catalog itself
                    raise
                raise OSError(errno.EIO, str(error)) from error
            finally:
                connection.set_progress_handler(None, 0)

    def integrity(self) -> list[str]:
        """What SQLite finds wrong with the file, nothing when it is whole."""
        with self._session() as session:
            rows = session.connection().exec_driver_sql("PRAGMA integrity_check").all()
        return [] if rows == [("ok",)] else [str(row[0]) for row in rows]

    def dangling(self) -> dict[str, int]:
        """By table, how many rows refer to something that is not there."""
        with self._session() as session:
            return Counter(
                row[0] for row in session.connection().exec_driver_sql("PRAGMA foreign_key_check")
            )

    def stored_embeddings(self, checkpoint_id: int) -> Iterator[tuple[int, bytes, int]]:
        """Every embedding as it lies in the catalog, whether it is sound or not: photo id, bytes,
        checksum.
        """
        columns = (Embedding.photo_id, Embedding.vector, Embedding.checksum)
        with self._session() as session:
            cursor: Any = (
                session.connection()
                .execute(select(*columns).where(Embedding.checkpoint_id == checkpoint_id))
                .cursor
            )
            yield from cursor

    def bias_count(self, checkpoint_id: int) -> int:
        """How many of the checkpoint's embeddings have their bias measured."""
        with self._session() as session:
            return (
                session.scalar(select(func.count()).where(Bias.checkpoint_id == checkpoint_id)) or 0
            )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Changes that are kept together or not at all."""
        with self._session(self._writers) as session, session.begin():
            yield Transaction(session)

    # Checkpoints

    def checkpoints(self) -> list[CheckpointRecord]:
        """All checkpoints, the library's first one first."""
        with self._session() as session:
            return [
                checkpoint_record(row)
                for row in session.scalars(select(Checkpoint).order_by(Checkpoint.id))
            ]

    def find_checkpoint(self, fingerprint: str, preprocessing: str) -> CheckpointRecord | None:
        """The checkpoint of these two fingerprints, as it is now."""
        with self._session() as session:
            row = session.scalar(
                select(Checkpoint).filter_by(fingerprint=fingerprint, preprocessing=preprocessing)
            )
            return checkpoint_record(row) if row else None

    # Folders, files, failures

    def folders(self) -> list[FolderRecord]:
        """All folders by path."""
        with self._session() as session:
            rows = session.scalars(select(Folder).order_by(Folder.path))
            return [FolderRecord(row.id, row.path, row.indexed_at) for row in rows]

    def files(self, folder_id: int, checkpoint_id: int) -> Iterator[FileRow]:
        """All files of the folder, in no particular order."""
        embedded = (
            select(Embedding.photo_id)
            .where(Embedding.checkpoint_id == checkpoint_id, Embedding.photo_id == File.photo_id)
            .exists()
        )
        columns = (
            File.path,
            File.size,
            File.mtime_ns,
            embedded,
            File.missing_since.is_not(None),
            File.photo_id,
        )
        with self._session() as session:
            # The driver's own rows: SQLAlchemy's take as long again as the query.
            cursor: Any = (
                session.connection()
                .execute(select(*columns).where(File.folder_id == folder_id))
                .cursor
            )
            for row in cursor:
                yield (os.fsdecode(row[0]), *row[1:]) if isinstance(row[0], bytes) else row

    def find_folder(self, path: Path) -> tuple[FolderRecord, PurePath] | None:
        """The known folder that `path` is or lies in, and where in it; None when there is none."""
        with self._session() as session:
            return locate(session, path)

    def paths(self, folder_id: int, inside: PurePath) -> list[str]:
        """Files of the folder below `inside`, missing ones too, relative to the folder."""
        before = beginning(inside)
        with self._session() as session:
            return [
                path
                for path in session.scalars(select(File.path).where(File.folder_id == folder_id))
                if path.startswith(before)
            ]

    def missing_files(self, before: datetime) -> list[tuple[FolderRecord, str]]:
        """Files that are missing since before then (UTC): the folder, and the path relative to
        it.
        """
        query = (
            select(Folder, File.path)
            .join(File, File.folder_id == Folder.id)
            .where(File.missing_since < before)
        )
        with self._session() as session:
            return [
                (FolderRecord(row.id, row.path, row.indexed_at), path)
                for row, path in session.execute(query)
            ]

    def digests(self, folder_id: int) -> Iterator[tuple[str, bytes, int, int]]:
        """Of each file of the folder that was there at the last run: its path, the SHA-256 of its
        photo, its size and mtime.
        """
        columns = (File.path, Photo.digest, File.size, File.mtime_ns)
        query = (
            select(*columns)
            .join(Photo, Photo.id == File.photo_id)
            .where(File.folder_id == folder_id, File.missing_since.is_(None))
        )
        with self._session() as session:
            yield from session.execute(query.execution_options(yield_per=1_000))

    def file_counts(self) -> dict[int, tuple[int, int]]:
        """By folder id: files that are there, files that are missing."""
        missing = func.count(File.missing_since)
        with self._session() as session:
            rows = session.execute(
                select(File.folder_id, func.count() - missing, missing).group_by(File.folder_id)
            )
            return {folder: (there, gone) for folder, there, gone in rows}

    def has_files_below(self, directory: Path) -> bool:
        """Whether files below this directory, which lies inside a folder, are known, missing ones
        among them.
        """
        with self._session() as session:
            known = locate(session, directory)
            if known is None:
                return False
            folder, inside = known
            first, after = (
                f"{inside}{os.sep}",
                f"{inside}{chr(ord(os.sep) + 1)}",
            )  # all that begin with the first lie between
            below = (File.folder_id == folder.id) & (File.path > first) & (File.path < after)
            return session.scalar(select(File.id).where(below).limit(1)) is not None

    def failures(self) -> list[FailureRecord]:
        """All failures, their paths absolute, by path."""
        with self._session() as session:
            rows = session.execute(
                select(Folder.path, Failure).join(Folder, Folder.id == Failure.folder_id)
            )
            return sorted(
                (_failure_record(row, str(PurePath(root, row.path))) for root, row in rows),
                key=lambda failure: failure.path,
            )

    def folder_failures(self, folder_id: int) -> list[FailureRecord]:
        """The folder's failures, their paths relative to it."""
        with self._session() as session:
            rows = session.scalars(select(Failure).where(Failure.folder_id == folder_id))
            return [_failure_record(row, row.path) for row in rows]

    # Photos and embeddings

    def photo_count(self) -> int:
        """Photos that have a file, present or missing."""
        with self._session() as session:
            return session.scalar(select(func.count(File.photo_id.distinct()))) or 0

    def count_photos_without_files(self) -> int:
        """Photos that no file holds any more: counted in the indexes, which is faster than looking
        for one.
        """
        with self._session() as session:
            photos = session.scalar(select(func.count()).select_from(Photo)) or 0
        return photos - self.photo_count()

    def find_photo(self, digest: bytes) -> int | None:
        """The id of the photo with these contents."""
        with self._session() as session:
            return session.scalar(select(Photo.id).where(Photo.digest == digest))

    def find_embedded(self, digest: bytes, checkpoint_id: int) -> int | None:
        """The id of the photo with these contents, if the checkpoint has embedded it."""
        embedded = (Embedding.photo_id == Photo.id) & (Embedding.checkpoint_id == checkpoint_id)
        with self._session() as session:
            return session.scalar(
                select(Photo.id).join(Embedding, embedded).where(Photo.digest == digest)
            )

    def photo_paths(self, photo_id: int) -> list[tuple[int, str, str]]:
        """Where the photo's files lie, missing ones too: the folder's id and path, and the path
        relative to it.
        """
        query = (
            select(Folder.id, Folder.path, File.path)
            .join(File, File.folder_id == Folder.id)
            .where(File.photo_id == photo_id)
        )
        with self._session() as session:
            return [(id_, root, path) for id_, root, path in session.execute(query)]

    def photos(self, ids: Sequence[int]) -> dict[int, PhotoRecord]:
        """The photos of these ids that have a file, by id."""
        with self._session() as session:
            rows: dict[int, Photo] = {}
            paths: dict[int, list[tuple[bool, str]]] = {}
            keywords: dict[int, list[str]] = {}
            for chunk in chunks(ids):
                rows |= {
                    photo.id: photo
                    for photo in session.scalars(select(Photo).where(Photo.id.in_(chunk)))
                }
                columns = (File.photo_id, Folder.path, File.path, File.missing_since.is_not(None))
                for photo_id, root, path, missing in session.execute(
                    select(*columns)
                    .join(Folder, Folder.id == File.folder_id)
                    .where(File.photo_id.in_(chunk))
                ):
                    paths.setdefault(photo_id, []).append((missing, str(PurePath(root, path))))
                given = (
                    select(Keyword.photo_id, Keyword.name)
                    .where(Keyword.photo_id.in_(chunk))
                    .order_by(Keyword.name)
                )
                for photo_id, name in session.execute(given):
                    keywords.setdefault(photo_id, []).append(name)
        return {
            id_: PhotoRecord(
                id_,
                tuple(path for _, path in sorted(paths[id_])),
                photo.width,
                photo.height,
                photo.taken_at,
                photo.camera,
                photo.latitude,
                photo.longitude,
                photo.lens,
                photo.rating,
                photo.description,
                tuple(keywords.get(id_, ())),
            )
            for id_, photo in rows.items()
            if id_ in paths
        }

    def embedded_ids(self, checkpoint_id: int, up_to_generation: int | None = None) -> Ids:
        """Ids (n,) of the photos that the checkpoint has embedded, up to the generation or all,
        ascending.
        """
        import numpy as np

        query = (
            select(Embedding.photo_id)
            .where(Embedding.checkpoint_id == checkpoint_id)
            .order_by(Embedding.photo_id)
        )
        if up_to_generation is not None:
            query = query.where(Embedding.generation <= up_to_generation)
        with self._session() as session:
            return np.fromiter(session.scalars(query), np.int64)

    def precision(self, checkpoint_id: int) -> str | None:
        """The precision of the checkpoint's embeddings, that of any one of them; None without
        any.
        """
        with self._session() as session:
            return session.scalar(
                select(Embedding.precision).where(Embedding.checkpoint_id == checkpoint_id).limit(1)
            )

    def count_embeddings_after(self, checkpoint_id: int, generation: int, most: int) -> int:
        """How many embeddings came after the generation; counted up to `most`, so that it costs no
        more than that.
        """
        later = select(Embedding.photo_id).where(
            Embedding.checkpoint_id == checkpoint_id, Embedding.generation > generation
        )
        with self._session() as session:
            return (
                session.scalar(select(func.count()).select_from(later.limit(most).subquery())) or 0
            )

    def embeddings(
        self, checkpoint_id: int, ids: Ids | Sequence[int] | None = None
    ) -> tuple[Ids, Halves]:
        """Photo ids (n,), ascending, and unit-norm embeddings float16 (n, dim): those of `ids`, or
        all.

        All of it at once: for a whole library take `embedding_chunks`.
        """
        import numpy as np

        parts = list(self.embedding_chunks(checkpoint_id, ids))
        found, vectors = (np.concatenate(side) for side in zip(*parts, strict=True))
        order = np.argsort(found)
        return found[order], vectors[order]

    def embedding_chunks(
        self,
        checkpoint_id: int,
        ids: Ids | Sequence[int] | None = None,
        after_generation: int | None = None,
    ) -> Iterator[tuple[Ids, Halves]]:
        """Photo ids (n,) and embeddings float16 (n, dim), in no particular order, up to 64 at a
        time, at least one chunk.

        Those of `ids`, or those that came after the generation, or all.
        """
        import numpy as np

        given: dict[str, Any] = {"checkpoint": checkpoint_id}
        if ids is not None:
            queries = [
                (_VECTORS_AMONG, given | {"ids": json.dumps(chunk)})
                for chunk in chunks(np.asarray(ids).tolist())
            ]
        elif after_generation is not None:
            queries = [(_VECTORS_AFTER, given | {"generation": after_generation})]
        else:
            queries = [(_VECTORS, given)]
        with self._session() as session:
            connection = session.connection()
            dimension: int = connection.execute(_DIMENSION, given).scalar_one()
            yield _halves([], dimension)
            for query, values in queries:
                # The driver's own rows: SQLAlchemy would read all of them before it gives the
                # first.
                cursor = connection.execute(query, values).cursor
                while found := cursor.fetchmany(_ROWS):
                    yield _halves(found, dimension)

    # What hits are judged by, and tags

    def measured(self, checkpoint_id: int) -> tuple[int, int, int] | None:
        """Against which version of texts and pictures the checkpoint was measured, up to which
        generation, by how many photos.
        """
        columns = (Reference.version, Reference.generation, Reference.embeddings)
        with self._session() as session:
            row = session.execute(select(*columns).filter_by(checkpoint_id=checkpoint_id)).first()
            return (row.version, row.generation, row.embeddings) if row else None

    def yardstick(self, checkpoint_id: int) -> YardstickRecord | None:
        """What hits of the checkpoint are judged by; None before it was measured."""
        import numpy as np

        with self._session() as session:
            row = session.get(Reference, checkpoint_id)
            if row is None:
                return None
            dimension = session.get_one(Checkpoint, checkpoint_id).dimension
            pictures = np.frombuffer(row.pictures, "<f2").reshape(-1, dimension).astype(np.float32)
            evidence = np.frombuffer(row.absent_evidence, "<f4")
            return YardstickRecord(row.version, row.generation, row.embeddings, pictures, evidence)

    def biases(self, checkpoint_id: int, ids: Ids) -> Floats:
        """The bias of each photo, float32 (n,), in the order of `ids`, which ascend; NaN where it
        was not measured.
        """
        import numpy as np

        values = np.full(len(ids), np.nan, np.float32)
        with self._session() as session:
            for chunk in chunks(ids.tolist()):
                given = {"checkpoint": checkpoint_id, "ids": json.dumps(chunk)}
                rows = session.connection().execute(_BIASES_AMONG, given).cursor.fetchall()
                if rows:
                    values[np.searchsorted(ids, [id_ for id_, _ in rows])] = [
                        value for _, value in rows
                    ]
        return values

    def calibration(self, checkpoint_id: int) -> str | None:
        """The JSON that was kept for the checkpoint."""
        with self._session() as session:
            return session.scalar(
                select(Calibration.fitted).where(Calibration.checkpoint_id == checkpoint_id)
            )

    def tags(self) -> dict[str, int]:
        """By name, how many photos bear it; by name in alphabetical order."""
        with self._session() as session:
            rows = session.execute(
                select(Tag.name, func.count()).group_by(Tag.name).order_by(Tag.name)
            )
            return {row[0]: row[1] for row in rows}

    def tagged(self, name: str) -> Ids:
        """Ids (n,) of the photos with the tag, ascending."""
        import numpy as np

        with self._session() as session:
            query = select(Tag.photo_id).where(Tag.name == name).order_by(Tag.photo_id)
            rows = (
                session.connection().execute(query).cursor.fetchall()
            )  # the driver's own: there may be a million
            return np.fromiter((id_ for (id_,) in rows), np.int64, len(rows))

    @contextmanager
    def _session(self, sessions: sessionmaker[Session] | None = None) -> Iterator[Session]:
        try:
            with (sessions or self._readers)() as session:
                yield session
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise LibraryError(describe(error, self.path)) from error


def _failure_record(row: Failure, path: str) -> FailureRecord:
    kind = FailureKind(row.kind)
    return FailureRecord(path, row.reason, row.size, row.mtime_ns, kind, row.pixels, row.tried_at)


def _halves(rows: Sequence[Any], dimension: int) -> tuple[Ids, Halves]:
    """Arrays of rows of an id and an embedding's bytes."""
    import numpy as np

    if any(len(vector) != 2 * dimension for _, vector in rows):
        raise LibraryError(
            "an embedding in the catalog has another length than it should; to have it mended: sigseek verify --repair"
        )
    vectors = np.frombuffer(b"".join([vector for _, vector in rows]), "<f2")
    return np.array([id_ for id_, _ in rows], np.int64), vectors.reshape(len(rows), dimension)
