"""The catalog: every question to and every change of the SQLite database.

numpy comes in where embeddings are read: a run over unchanged folders does without.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from storage.database import describe, open_database, writing
from storage.errors import LibraryError
from storage.models import Base, Bias, Calibration, Checkpoint, Embedding, Failure, File, Folder, Photo, Reference, Tag
from storage.records import (
    CheckpointRecord,
    EmbeddingRecord,
    FailureRecord,
    FileRow,
    FolderRecord,
    PhotoFacts,
    PhotoRecord,
    ReferenceRecord,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids: TypeAlias = npt.NDArray[np.int64]
    Floats: TypeAlias = npt.NDArray[np.float32]
    Halves: TypeAlias = npt.NDArray[np.float16]

FILE_NAME = "catalog.sqlite"
_T = TypeVar("_T")
_ROWS = 256  # embeddings in one chunk: so many stay in the processor's cache while they are converted and scored
_CHUNK = 10_000  # ids in one query; SQLite takes 32,766 parameters


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

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Changes that are kept together or not at all."""
        with self._session(self._writers) as session, session.begin():
            yield Transaction(session)

    # Checkpoints

    def checkpoints(self) -> list[CheckpointRecord]:
        """All checkpoints, the library's first one first."""
        with self._session() as session:
            return [_checkpoint_record(row) for row in session.scalars(select(Checkpoint).order_by(Checkpoint.id))]

    def find_checkpoint(self, fingerprint: str, preprocessing: str) -> CheckpointRecord | None:
        """The checkpoint of these two fingerprints, as it is now."""
        with self._session() as session:
            row = session.scalar(select(Checkpoint).filter_by(fingerprint=fingerprint, preprocessing=preprocessing))
            return _checkpoint_record(row) if row else None

    # Folders, files, failures

    def folders(self) -> list[FolderRecord]:
        """All folders by path."""
        with self._session() as session:
            rows = session.scalars(select(Folder).order_by(Folder.path))
            return [FolderRecord(row.id, row.path, row.indexed_at) for row in rows]

    def files(self, folder_id: int, checkpoint_id: int) -> Iterator[FileRow]:
        """All files of the folder, in no particular order."""
        embedded = (
            select(Embedding.photo_id).where(Embedding.checkpoint_id == checkpoint_id, Embedding.photo_id == File.photo_id).exists()
        )
        columns = (File.path, File.size, File.mtime_ns, embedded, File.missing_since.is_not(None), File.photo_id)
        with self._session() as session:
            # The driver's own rows: SQLAlchemy's take as long again as the query.
            cursor: Any = session.connection().execute(select(*columns).where(File.folder_id == folder_id)).cursor
            for row in cursor:
                yield (os.fsdecode(row[0]), *row[1:]) if isinstance(row[0], bytes) else row

    def file_counts(self) -> dict[int, tuple[int, int]]:
        """By folder id: files that are there, files that are missing."""
        missing = func.count(File.missing_since)
        with self._session() as session:
            rows = session.execute(select(File.folder_id, func.count() - missing, missing).group_by(File.folder_id))
            return {folder: (there, gone) for folder, there, gone in rows}

    def has_files_below(self, directory: Path) -> bool:
        """Whether files below this directory, which lies inside a folder, are known, missing ones among them."""
        with self._session() as session:
            for folder in session.scalars(select(Folder)):
                if directory.is_relative_to(folder.path):
                    first = str(directory.relative_to(folder.path)) + os.sep
                    after = first[:-1] + chr(ord(os.sep) + 1)
                    below = (File.folder_id == folder.id) & (File.path > first) & (File.path < after)
                    return session.scalar(select(File.id).where(below).limit(1)) is not None
            return False

    def failures(self) -> list[FailureRecord]:
        """All failures, their paths absolute, by path."""
        columns = (Folder.path, Failure.path, Failure.reason, Failure.size, Failure.mtime_ns)
        with self._session() as session:
            rows = session.execute(select(*columns).join(Folder, Folder.id == Failure.folder_id))
            return sorted(
                (FailureRecord(str(PurePath(root, path)), reason, size, mtime) for root, path, reason, size, mtime in rows),
                key=lambda failure: failure.path,
            )

    def folder_failures(self, folder_id: int) -> list[FailureRecord]:
        """The folder's failures, their paths relative to it."""
        columns = (Failure.path, Failure.reason, Failure.size, Failure.mtime_ns)
        with self._session() as session:
            return [FailureRecord(*row) for row in session.execute(select(*columns).where(Failure.folder_id == folder_id))]

    # Photos and embeddings

    def photo_count(self) -> int:
        """Photos that have a file, present or missing."""
        with self._session() as session:
            return session.scalar(select(func.count(File.photo_id.distinct()))) or 0

    def find_photo(self, digest: bytes) -> int | None:
        """The id of the photo with these contents."""
        with self._session() as session:
            return session.scalar(select(Photo.id).where(Photo.digest == digest))

    def find_embedded(self, digest: bytes, checkpoint_id: int) -> int | None:
        """The id of the photo with these contents, if the checkpoint has embedded it."""
        embedded = (Embedding.photo_id == Photo.id) & (Embedding.checkpoint_id == checkpoint_id)
        with self._session() as session:
            return session.scalar(select(Photo.id).join(Embedding, embedded).where(Photo.digest == digest))

    def photo_paths(self, photo_id: int) -> list[tuple[int, str, str]]:
        """Where the photo's files lie, missing ones too: the folder's id and path, and the path relative to it."""
        query = select(Folder.id, Folder.path, File.path).join(File, File.folder_id == Folder.id).where(File.photo_id == photo_id)
        with self._session() as session:
            return [(id_, root, path) for id_, root, path in session.execute(query)]

    def photos(self, ids: Sequence[int]) -> dict[int, PhotoRecord]:
        """The photos of these ids that have a file, by id."""
        with self._session() as session:
            rows: dict[int, Photo] = {}
            paths: dict[int, list[tuple[bool, str]]] = {}
            for chunk in _chunks(ids):
                rows |= {photo.id: photo for photo in session.scalars(select(Photo).where(Photo.id.in_(chunk)))}
                columns = (File.photo_id, Folder.path, File.path, File.missing_since.is_not(None))
                for photo_id, root, path, missing in session.execute(
                    select(*columns).join(Folder, Folder.id == File.folder_id).where(File.photo_id.in_(chunk))
                ):
                    paths.setdefault(photo_id, []).append((missing, str(PurePath(root, path))))
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
            )
            for id_, photo in rows.items()
            if id_ in paths
        }

    def embedded_ids(self, checkpoint_id: int) -> Ids:
        """Ids (n,) of the photos that the checkpoint has embedded, ascending."""
        import numpy as np

        query = select(Embedding.photo_id).where(Embedding.checkpoint_id == checkpoint_id).order_by(Embedding.photo_id)
        with self._session() as session:
            return np.fromiter(session.scalars(query), np.int64)

    def precision(self, checkpoint_id: int) -> str | None:
        """The precision of the checkpoint's embeddings, that of any one of them; None without any."""
        with self._session() as session:
            return session.scalar(select(Embedding.precision).where(Embedding.checkpoint_id == checkpoint_id).limit(1))

    def count_embeddings_after(self, checkpoint_id: int, generation: int, most: int) -> int:
        """How many embeddings came after the generation; counted up to `most`, so that it costs no more than that."""
        later = select(Embedding.photo_id).where(Embedding.checkpoint_id == checkpoint_id, Embedding.generation > generation)
        with self._session() as session:
            return session.scalar(select(func.count()).select_from(later.limit(most).subquery())) or 0

    def embeddings(self, checkpoint_id: int, ids: Ids | Sequence[int] | None = None) -> tuple[Ids, Halves]:
        """Photo ids (n,), ascending, and unit-norm embeddings float16 (n, dim): those of `ids`, or all.

        All of it at once: for a whole library take `embedding_chunks`.
        """
        import numpy as np

        chunks = list(self.embedding_chunks(checkpoint_id, ids))
        found, vectors = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
        order = np.argsort(found)
        return found[order], vectors[order]

    def embedding_chunks(
        self, checkpoint_id: int, ids: Ids | Sequence[int] | None = None, after_generation: int | None = None
    ) -> Iterator[tuple[Ids, Halves]]:
        """Photo ids (n,) and embeddings float16 (n, dim), in no particular order, up to 256 at a time, at least one chunk.

        Those of `ids`, or those that came after the generation, or all.
        """
        import numpy as np

        query = select(Embedding.photo_id, Embedding.vector).where(Embedding.checkpoint_id == checkpoint_id)
        if after_generation is not None:
            query = query.where(Embedding.generation > after_generation)
        with self._session() as session:
            dimension = session.scalars(select(Checkpoint.dimension).where(Checkpoint.id == checkpoint_id)).one()
            yield _halves([], dimension)
            for condition in (
                [None] if ids is None else [_one_of(Embedding.photo_id, chunk) for chunk in _chunks(np.asarray(ids).tolist())]
            ):
                # The driver's own rows: a session would read all of them before it gives the first.
                cursor = session.connection().execute(query if condition is None else query.where(condition)).cursor
                while found := cursor.fetchmany(_ROWS):
                    yield _halves(found, dimension)

    # What hits are judged by, and tags

    def measured(self, checkpoint_id: int) -> tuple[int, int, int] | None:
        """Against which version of texts and pictures the checkpoint was measured, up to which generation, by how many photos."""
        columns = (Reference.version, Reference.generation, Reference.embeddings)
        with self._session() as session:
            row = session.execute(select(*columns).filter_by(checkpoint_id=checkpoint_id)).first()
            return (row.version, row.generation, row.embeddings) if row else None

    def reference(self, checkpoint_id: int) -> ReferenceRecord | None:
        """What hits of the checkpoint are judged by; None before it was measured."""
        import numpy as np

        with self._session() as session:
            row = session.get(Reference, checkpoint_id)
            if row is None:
                return None
            dimension = session.get_one(Checkpoint, checkpoint_id).dimension
            pictures = np.frombuffer(row.pictures, "<f2").reshape(-1, dimension).astype(np.float32)
            evidence = np.frombuffer(row.absent_evidence, "<f4")
            return ReferenceRecord(row.version, row.generation, row.embeddings, pictures, evidence)

    def biases(self, checkpoint_id: int, ids: Ids) -> Floats:
        """The bias of each photo, float32 (n,), in the order of `ids`, which ascend; NaN where it was not measured."""
        import numpy as np

        query = select(Bias.photo_id, Bias.value).where(Bias.checkpoint_id == checkpoint_id)
        values = np.full(len(ids), np.nan, np.float32)
        with self._session() as session:
            for chunk in _chunks(ids.tolist()):
                rows = session.connection().execute(query.where(_one_of(Bias.photo_id, chunk))).cursor.fetchall()
                if rows:
                    values[np.searchsorted(ids, [id_ for id_, _ in rows])] = [value for _, value in rows]
        return values

    def calibration(self, checkpoint_id: int) -> str | None:
        """The JSON that was kept for the checkpoint."""
        with self._session() as session:
            return session.scalar(select(Calibration.fitted).where(Calibration.checkpoint_id == checkpoint_id))

    def tags(self) -> dict[str, int]:
        """By name, how many photos bear it; by name in alphabetical order."""
        with self._session() as session:
            rows = session.execute(select(Tag.name, func.count()).group_by(Tag.name).order_by(Tag.name))
            return {row[0]: row[1] for row in rows}

    def tagged(self, name: str) -> Ids:
        """Ids (n,) of the photos with the tag, ascending."""
        import numpy as np

        with self._session() as session:
            query = select(Tag.photo_id).where(Tag.name == name).order_by(Tag.photo_id)
            rows = session.connection().execute(query).cursor.fetchall()  # the driver's own: there may be a million
            return np.fromiter((id_ for (id_,) in rows), np.int64, len(rows))

    @contextmanager
    def _session(self, sessions: sessionmaker[Session] | None = None) -> Iterator[Session]:
        try:
            with (sessions or self._readers)() as session:
                yield session
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise LibraryError(describe(error, self.path)) from error


class Transaction:
    """The changes a catalog takes; all of one transaction are kept, or none."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_checkpoint(
        self,
        *,
        name: str,
        fingerprint: str,
        preprocessing: str,
        dimension: int,
        image_size: int,
        logit_scale: float,
        logit_bias: float,
    ) -> CheckpointRecord:
        """A new checkpoint, without embeddings."""
        row = Checkpoint(
            name=name,
            fingerprint=fingerprint,
            preprocessing=preprocessing,
            dimension=dimension,
            image_size=image_size,
            logit_scale=logit_scale,
            logit_bias=logit_bias,
            generation=0,
            token=secrets.token_hex(8),
            embeddings=0,
        )
        self._session.add(row)
        self._session.flush()
        return _checkpoint_record(row)

    def add_folder(self, path: Path) -> tuple[FolderRecord, PurePath]:
        """The folder that holds `path`, and where in it `path` lies ("." for the folder itself).

        A path inside a known folder belongs to that one; a path above known ones takes them in, files and all. So no
        file is ever known twice.
        """
        known = [(folder, Path(folder.path)) for folder in self._session.scalars(select(Folder))]
        for folder, root in known:
            if path.is_relative_to(root):
                return FolderRecord(folder.id, folder.path, folder.indexed_at), path.relative_to(root)
        new = Folder(path=str(path), indexed_at=None)
        self._session.add(new)
        self._session.flush()
        for folder, root in known:
            if root.is_relative_to(path):
                inner = root.relative_to(path)
                rows: list[File | Failure] = [*self._session.scalars(select(File).where(File.folder_id == folder.id))]
                rows += self._session.scalars(select(Failure).where(Failure.folder_id == folder.id))
                for row in rows:
                    row.folder_id, row.path = new.id, str(inner / row.path)
                self._session.flush()
                self._session.delete(folder)
        return FolderRecord(new.id, new.path, None), PurePath()

    def add_photo(self, facts: PhotoFacts) -> int:
        """The id of the photo with these contents, added if it is new."""
        known = self._session.scalar(select(Photo.id).where(Photo.digest == facts.digest))
        if known is not None:
            return known
        row = Photo(**vars(facts))
        self._session.add(row)
        self._session.flush()
        return row.id

    def add_embeddings(self, checkpoint_id: int, embeddings: Mapping[int, EmbeddingRecord]) -> None:
        """Keep embeddings by photo id, as a new generation of the checkpoint."""
        checkpoint = self._session.get_one(Checkpoint, checkpoint_id)
        checkpoint.generation += 1
        rows = [
            {
                "checkpoint_id": checkpoint_id,
                "photo_id": photo_id,
                "vector": embedding.vector.astype("<f2").tobytes(),
                "precision": embedding.precision,
                "preprocessing_version": embedding.preprocessing_version,
                "generation": checkpoint.generation,
            }
            for photo_id, embedding in embeddings.items()
        ]
        self._put(Embedding, ["checkpoint_id", "photo_id"], rows)

    def put_biases(self, checkpoint_id: int, ids: Ids, values: Floats) -> None:
        """Keep the bias of each photo."""
        rows = zip(ids.tolist(), values.tolist(), strict=True)
        self._put(
            Bias,
            ["checkpoint_id", "photo_id"],
            [{"checkpoint_id": checkpoint_id, "photo_id": id_, "value": value} for id_, value in rows],
        )

    def put_reference(self, checkpoint_id: int, reference: ReferenceRecord) -> None:
        """Keep what hits of the checkpoint are judged by."""
        values = {
            "checkpoint_id": checkpoint_id,
            "version": reference.version,
            "generation": reference.generation,
            "embeddings": reference.embeddings,
            "pictures": reference.pictures.astype("<f2").tobytes(),
            "absent_evidence": reference.absent_evidence.astype("<f4").tobytes(),
        }
        self._put(Reference, ["checkpoint_id"], [values])

    def put_calibration(self, checkpoint_id: int, fitted: str) -> None:
        """Keep the JSON of a calibration in place of an earlier one."""
        self._put(Calibration, ["checkpoint_id"], [{"checkpoint_id": checkpoint_id, "fitted": fitted}])

    def put_tag(self, name: str, checkpoint_id: int, ids: Ids, probabilities: npt.NDArray[np.float64]) -> None:
        """These photos bear the tag, and no others any more."""
        self.remove_tag(name)
        rows = zip(ids.tolist(), probabilities.tolist(), strict=True)
        self._put(
            Tag,
            ["name", "photo_id"],
            [{"name": name, "photo_id": id_, "checkpoint_id": checkpoint_id, "probability": value} for id_, value in rows],
        )

    def remove_tag(self, name: str) -> None:
        """No photo bears the tag any more."""
        self._session.execute(delete(Tag).where(Tag.name == name))

    def put_files(self, folder_id: int, files: Sequence[tuple[str, int, int, int]]) -> None:
        """Each path, relative to the folder, is there and holds this photo; failures noted for it are over.

        A file is its path, the photo's id, its size in bytes and its mtime in ns.
        """
        rows = [
            {"folder_id": folder_id, "path": path, "photo_id": photo_id, "size": size, "mtime_ns": mtime_ns, "missing_since": None}
            for path, photo_id, size, mtime_ns in files
        ]
        self._put(File, ["folder_id", "path"], rows)
        self.remove_failures(folder_id, [path for path, *_ in files])

    def _put(self, table: type[Base], keys: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        """Rows added, or written over those of the same keys, all in one statement."""
        if rows:
            statement = insert(table)
            others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
            self._session.connection().execute(statement.on_conflict_do_update(index_elements=keys, set_=others), rows)

    def remove_files(self, folder_id: int, paths: Sequence[str]) -> None:
        """Forget these files."""
        for chunk in _chunks(paths):
            self._session.execute(delete(File).where(File.folder_id == folder_id, File.path.in_(chunk)))

    def mark_missing(self, folder_id: int, paths: Sequence[str]) -> None:
        """These files were not found. Their photos and embeddings stay."""
        self._mark(folder_id, paths, File.missing_since.is_(None), datetime.now(UTC).replace(tzinfo=None))

    def mark_present(self, folder_id: int, paths: Sequence[str]) -> None:
        """These files are back, unchanged."""
        self._mark(folder_id, paths, File.missing_since.is_not(None), None)

    def put_failure(self, folder_id: int, failure: FailureRecord) -> None:
        """Note that a path, relative to the folder, could not be used."""
        values = {"reason": failure.reason, "size": failure.size, "mtime_ns": failure.mtime_ns}
        statement = insert(Failure).values(folder_id=folder_id, path=failure.path, **values)
        self._session.execute(statement.on_conflict_do_update(index_elements=["folder_id", "path"], set_=values))

    def remove_failures(self, folder_id: int, paths: Sequence[str]) -> None:
        """These paths are fine now, or gone."""
        for chunk in _chunks(paths):
            self._session.execute(delete(Failure).where(Failure.folder_id == folder_id, Failure.path.in_(chunk)))

    def finish_folder(self, folder_id: int) -> None:
        """A run over the folder is complete."""
        self._session.get_one(Folder, folder_id).indexed_at = datetime.now(UTC).replace(tzinfo=None)

    def remove_photos_without_files(self) -> None:
        """Photos whose every file now holds something else."""
        self._session.execute(delete(Photo).where(~select(File.id).where(File.photo_id == Photo.id).exists()))

    def _mark(self, folder_id: int, paths: Sequence[str], where: ColumnElement[bool], since: datetime | None) -> None:
        for chunk in _chunks(paths):
            self._session.execute(
                update(File).where(File.folder_id == folder_id, File.path.in_(chunk), where).values(missing_since=since)
            )


def _chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _one_of(column: InstrumentedAttribute[int], ids: Sequence[int]) -> ColumnElement[bool]:
    """The column is one of these ids: one parameter however many there are, for a statement that is compiled once."""
    given = func.json_each(json.dumps(ids)).table_valued("value")
    return column.in_(select(given.c.value))


def _halves(rows: Sequence[Any], dimension: int) -> tuple[Ids, Halves]:
    """Arrays of rows of an id and an embedding's bytes."""
    import numpy as np

    vectors = np.frombuffer(b"".join([vector for _, vector in rows]), "<f2")
    return np.array([id_ for id_, _ in rows], np.int64), vectors.reshape(len(rows), dimension)


def _checkpoint_record(row: Checkpoint) -> CheckpointRecord:
    return CheckpointRecord(
        row.id,
        row.name,
        row.fingerprint,
        row.preprocessing,
        row.dimension,
        row.logit_scale,
        row.logit_bias,
        row.generation,
        row.token,
        row.embeddings,
    )
