"""Every change of the catalog."""

from __future__ import annotations

import os
import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import ColumnElement, Delete, bindparam, delete, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from sigseek.storage.catalog.models import (
    Base,
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
from sigseek.storage.records import (
    CheckpointRecord,
    EmbeddingRecord,
    FailureRecord,
    FolderRecord,
    PhotoFacts,
    YardstickRecord,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.storage.catalog.catalog import Floats, Ids

_T = TypeVar("_T")
_CHUNK = 10_000  # values in one statement; SQLite takes 32,766 parameters


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
        return checkpoint_record(row)

    def set_dimension(self, checkpoint_id: int, dimension: int) -> None:
        """The checkpoint's embeddings have so many dimensions."""
        self._session.get_one(Checkpoint, checkpoint_id).dimension = dimension

    def add_folder(self, path: Path) -> tuple[FolderRecord, PurePath]:
        """The folder that holds `path`, and where in it `path` lies ("." for the folder itself).

        A path inside a known folder belongs to that one; a path above known ones takes them in,
        files and all. So no file is ever known twice.
        """
        known = locate(self._session, path)
        if known:
            return known
        new = Folder(path=str(path), indexed_at=None)
        self._session.add(new)
        self._session.flush()
        record = FolderRecord(new.id, new.path, None)
        for folder in self._session.scalars(select(Folder).where(Folder.id != new.id)).all():
            if Path(folder.path).is_relative_to(path):
                self._move_files(
                    folder.id, PurePath(), record.id, PurePath(folder.path).relative_to(path)
                )
                self.remove_folder(folder.id)
        return record, PurePath()

    def relocate(self, old: Path, new: Path) -> int:
        """All that is known to lie in the directory `old` lies in `new`, just so; how many files. 0
        when nothing is known there.

        Where `new` has a file that is known already, what is known of that one stays.
        """
        known = locate(self._session, old)
        if known is None:
            return 0
        folder, inside = known
        others = self._session.scalars(select(Folder.path).where(Folder.id != folder.id))
        if inside == PurePath() and not any(_related(Path(other), new) for other in others):
            self._session.get_one(Folder, folder.id).path = str(new)
            return (
                self._session.scalar(select(func.count()).where(File.folder_id == folder.id)) or 0
            )
        target, to = self.add_folder(new)
        source, inside = locate(self._session, old) or known  # a target above it has taken it in
        count = self._move_files(source.id, inside, target.id, to)
        if inside == PurePath() and source.id != target.id:
            self.remove_folder(source.id)
        return count

    def _move_files(self, source_id: int, inside: PurePath, target_id: int, to: PurePath) -> int:
        """Files and failures below `inside` of one folder come to lie below `to` of another; how
        many files.

        By way of a folder of their own: on the way to where others move away from, one path could
        be there twice.
        """
        between = Folder(path=f"on the way {secrets.token_hex(8)}", indexed_at=None)
        self._session.add(between)
        self._session.flush()
        before, after = beginning(inside), beginning(to)
        count = 0
        for table in (File, Failure):
            rows = self._session.execute(
                select(table.id, table.path).where(table.folder_id == source_id)
            )
            moved = [
                {"row": id_, "to": after + path[len(before) :]}
                for id_, path in rows
                if path.startswith(before)
            ]
            if moved:
                statement = (
                    update(table)
                    .where(table.id == bindparam("row"))
                    .values(folder_id=between.id, path=bindparam("to"))
                )
                self._session.connection().execute(statement, moved)
            if table is File:
                count = len(moved)
            arrived = (
                update(table)
                .prefix_with("OR IGNORE")
                .where(table.folder_id == between.id)
                .values(folder_id=target_id)
            )
            self._session.execute(arrived, execution_options={"synchronize_session": False})
        self.remove_folder(between.id)
        return count

    def remove_folder(self, folder_id: int) -> None:
        """Forget the folder with its files and failures."""
        self._session.execute(delete(Folder).where(Folder.id == folder_id))

    def add_photo(self, facts: PhotoFacts) -> int:
        """The id of the photo with these contents, added if it is new."""
        known = self._session.scalar(select(Photo.id).where(Photo.digest == facts.digest))
        if known is not None:
            return known
        columns = {name: value for name, value in vars(facts).items() if name != "keywords"}
        row = Photo(**columns)
        self._session.add(row)
        self._session.flush()
        self._session.add_all(Keyword(photo_id=row.id, name=name) for name in facts.keywords)
        return row.id

    def add_embeddings(self, checkpoint_id: int, embeddings: Mapping[int, EmbeddingRecord]) -> None:
        """Keep embeddings by photo id, as a new generation of the checkpoint."""
        checkpoint = self._session.get_one(Checkpoint, checkpoint_id)
        checkpoint.generation += 1
        halves = {
            photo_id: embedding.vector.astype("<f2").tobytes()
            for photo_id, embedding in embeddings.items()
        }
        rows = [
            {
                "checkpoint_id": checkpoint_id,
                "photo_id": photo_id,
                "vector": halves[photo_id],
                "checksum": zlib.crc32(halves[photo_id]),
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
            [
                {"checkpoint_id": checkpoint_id, "photo_id": id_, "value": value}
                for id_, value in rows
            ],
        )

    def put_yardstick(self, checkpoint_id: int, yardstick: YardstickRecord) -> None:
        """Keep what hits of the checkpoint are judged by."""
        values = {
            "checkpoint_id": checkpoint_id,
            "version": yardstick.version,
            "generation": yardstick.generation,
            "embeddings": yardstick.embeddings,
            "pictures": yardstick.pictures.astype("<f2").tobytes(),
            "absent_evidence": yardstick.absent_evidence.astype("<f4").tobytes(),
        }
        self._put(Reference, ["checkpoint_id"], [values])

    def put_calibration(self, checkpoint_id: int, fitted: str) -> None:
        """Keep the JSON of a calibration in place of an earlier one."""
        self._put(
            Calibration, ["checkpoint_id"], [{"checkpoint_id": checkpoint_id, "fitted": fitted}]
        )

    def put_tag(
        self, name: str, checkpoint_id: int, ids: Ids, probabilities: npt.NDArray[np.float64]
    ) -> None:
        """These photos bear the tag, and no others any more."""
        self.remove_tag(name)
        rows = zip(ids.tolist(), probabilities.tolist(), strict=True)
        self._put(
            Tag,
            ["name", "photo_id"],
            [
                {
                    "name": name,
                    "photo_id": id_,
                    "checkpoint_id": checkpoint_id,
                    "probability": value,
                }
                for id_, value in rows
            ],
        )

    def remove_tag(self, name: str) -> None:
        """No photo bears the tag any more."""
        self._session.execute(delete(Tag).where(Tag.name == name))

    def put_files(self, folder_id: int, files: Sequence[tuple[str, int, int, int]]) -> None:
        """Each path, relative to the folder, is there and holds this photo; failures noted for it
        are over.

        A file is its path, the photo's id, its size in bytes and its mtime in ns.
        """
        rows = [
            {
                "folder_id": folder_id,
                "path": path,
                "photo_id": photo_id,
                "size": size,
                "mtime_ns": mtime_ns,
                "missing_since": None,
            }
            for path, photo_id, size, mtime_ns in files
        ]
        self._put(File, ["folder_id", "path"], rows)
        self.remove_failures(folder_id, [path for path, *_ in files])

    def _put(self, table: type[Base], keys: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
        """Rows added, or written over those of the same keys, all in one statement."""
        if rows:
            statement = insert(table)
            others = {name: statement.excluded[name] for name in rows[0] if name not in keys}
            self._session.connection().execute(
                statement.on_conflict_do_update(index_elements=keys, set_=others), rows
            )

    def remove_files(self, folder_id: int, paths: Sequence[str]) -> None:
        """Forget these files."""
        for chunk in chunks(paths):
            self._session.execute(
                delete(File).where(File.folder_id == folder_id, File.path.in_(chunk))
            )

    def mark_missing(self, folder_id: int, paths: Sequence[str]) -> None:
        """These files were not found. Their photos and embeddings stay."""
        self._mark(
            folder_id, paths, File.missing_since.is_(None), datetime.now(UTC).replace(tzinfo=None)
        )

    def mark_present(self, folder_id: int, paths: Sequence[str]) -> None:
        """These files are back, unchanged."""
        self._mark(folder_id, paths, File.missing_since.is_not(None), None)

    def put_failure(self, folder_id: int, failure: FailureRecord) -> None:
        """Note that a path, relative to the folder, could not be used."""
        values = {
            "reason": failure.reason,
            "size": failure.size,
            "mtime_ns": failure.mtime_ns,
            "kind": failure.kind.value,
            "pixels": failure.pixels,
            "tried_at": failure.tried_at or datetime.now(UTC).replace(tzinfo=None),
        }
        statement = insert(Failure).values(folder_id=folder_id, path=failure.path, **values)
        self._session.execute(
            statement.on_conflict_do_update(index_elements=["folder_id", "path"], set_=values)
        )

    def remove_failures(self, folder_id: int, paths: Sequence[str]) -> None:
        """These paths are fine now, or gone."""
        for chunk in chunks(paths):
            self._session.execute(
                delete(Failure).where(Failure.folder_id == folder_id, Failure.path.in_(chunk))
            )

    def finish_folder(self, folder_id: int) -> None:
        """A run over the folder is complete."""
        self._session.get_one(Folder, folder_id).indexed_at = datetime.now(UTC).replace(tzinfo=None)

    def remove_photos_without_files(self) -> int:
        """Forget photos whose every file now holds something else, or is forgotten; how many.

        Their embeddings go with them: a new generation of every checkpoint, so that no index file
        made without them can be taken for one of the time before.
        """
        gone = self._deleted(
            delete(Photo).where(~select(File.id).where(File.photo_id == Photo.id).exists())
        )
        if gone:
            self._session.execute(update(Checkpoint).values(generation=Checkpoint.generation + 1))
        return gone

    def remove_embeddings(self, checkpoint_id: int, photo_ids: Sequence[int]) -> None:
        """Forget these photos' embeddings by the checkpoint, as a new generation of it."""
        self._session.get_one(Checkpoint, checkpoint_id).generation += 1
        for chunk in chunks(photo_ids):
            self._session.execute(
                delete(Embedding).where(
                    Embedding.checkpoint_id == checkpoint_id, Embedding.photo_id.in_(chunk)
                )
            )

    def recount_embeddings(self, checkpoint_id: int) -> None:
        """Count the checkpoint's embeddings anew."""
        count = (
            select(func.count()).where(Embedding.checkpoint_id == checkpoint_id).scalar_subquery()
        )
        self._session.execute(
            update(Checkpoint).where(Checkpoint.id == checkpoint_id).values(embeddings=count)
        )

    def remove_yardstick(self, checkpoint_id: int) -> None:
        """Have the checkpoint's embeddings measured anew by what hits are judged by."""
        self._session.execute(delete(Reference).where(Reference.checkpoint_id == checkpoint_id))

    def remove_dangling(self, name: str) -> None:
        """Remove the rows of a table that refer to something that is not there."""
        table = Base.metadata.tables[name]
        for constraint in table.foreign_key_constraints:
            same = [element.column == element.parent for element in constraint.elements]
            self._session.execute(
                delete(table).where(~exists().where(*same).select_from(constraint.referred_table))
            )

    def remove_checkpoint(self, checkpoint_id: int) -> None:
        """Forget the checkpoint with its embeddings and all that rests on them."""
        self._session.execute(delete(Checkpoint).where(Checkpoint.id == checkpoint_id))

    def _deleted(self, statement: Delete) -> int:
        result: Any = self._session.execute(
            statement, execution_options={"synchronize_session": False}
        )
        return int(result.rowcount)

    def _mark(
        self,
        folder_id: int,
        paths: Sequence[str],
        where: ColumnElement[bool],
        since: datetime | None,
    ) -> None:
        for chunk in chunks(paths):
            self._session.execute(
                update(File)
                .where(File.folder_id == folder_id, File.path.in_(chunk), where)
                .values(missing_since=since)
            )


def locate(session: Session, path: Path) -> tuple[FolderRecord, PurePath] | None:
    """The known folder that `path` is or lies in, and where in it; None when there is none."""
    for folder in session.scalars(select(Folder)):
        if path.is_relative_to(folder.path):
            return FolderRecord(folder.id, folder.path, folder.indexed_at), path.relative_to(
                folder.path
            )
    return None


def beginning(inside: PurePath) -> str:
    """What paths of files below a directory begin with, both relative to the folder; nothing for
    the folder itself.
    """
    return "" if inside == PurePath() else f"{inside}{os.sep}"


def _related(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """The values in parts that one statement takes."""
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def checkpoint_record(row: Checkpoint) -> CheckpointRecord:
    """The row as a plain value."""
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
