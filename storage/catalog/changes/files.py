"""Changes of folders, files and failures."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.orm import aliased

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.models import FailureRow, FileRow, FolderRow, OtherFileRow, PhotoRow
from sigseek.storage.catalog.paths import (
    containing_folder,
    folder_record,
    is_below,
    path_prefix,
    patterns_below,
    patterns_inside,
    statement_chunks,
)
from sigseek.storage.records import FailureRecord, FolderRecord, OtherFile, ReadFile


class FileWriter(Writer):
    """Changes of folders, files and failures."""

    def add_folder(self, path: Path) -> tuple[FolderRecord, PurePath]:
        """Return the folder that contains `path`, added if there is none, and the path relative to
        it.

        A path inside a known folder belongs to that folder. A new folder takes in the known folders
        inside it, with their files. So no file is ever known twice.
        """
        known = containing_folder(self._session, path)
        if known:
            return known
        new = FolderRow(path=str(path), indexed_at=None)
        self._session.add(new)
        self._session.flush()
        others = select(FolderRow).where(FolderRow.id != new.id)
        for folder in self._session.scalars(others).all():
            if Path(folder.path).is_relative_to(path):
                to = PurePath(folder.path).relative_to(path)
                self._move_files(folder.id, PurePath(), new.id, to)
                self._take_patterns(folder, new, to)
                self.remove_folder(folder.id)
        return folder_record(new), PurePath()

    def put_excluded(self, folder_id: int, patterns: Sequence[str]) -> None:
        """Keep the patterns of files that the user wants left out, in the place of earlier ones."""
        self._session.get_one(FolderRow, folder_id).excluded = "\n".join(patterns)

    def put_other_files(
        self, folder_id: int, gone: Sequence[str], files: Sequence[OtherFile]
    ) -> None:
        """Keep files that indexing passes over. Those at these paths, and at the paths in `gone`,
        are removed first.
        """
        paths = [*gone, *(file.path for file in files)]
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(OtherFileRow.path, chunk)
            self._session.execute(
                delete(OtherFileRow).where(OtherFileRow.folder_id == folder_id, among)
            )
        rows = [{"folder_id": folder_id, **file._asdict()} for file in files]
        if rows:
            self._session.execute(insert(OtherFileRow), rows)

    def _take_patterns(self, source: FolderRow, target: FolderRow, to: PurePath) -> None:
        """Let the source's patterns hold for the directory `to` of the target."""
        taken = patterns_below(to, source.excluded.splitlines())
        target.excluded = "\n".join(dict.fromkeys([*target.excluded.splitlines(), *taken]))

    def split_folder(self, folder_id: int, inside: PurePath) -> None:
        """Make a directory inside of a folder a folder of its own, with the files known in it."""
        source = self._session.get_one(FolderRow, folder_id)
        new = FolderRow(
            path=str(Path(source.path, inside)),
            indexed_at=source.indexed_at,
            excluded="\n".join(patterns_inside(inside, source.excluded.splitlines())),
        )
        self._session.add(new)
        self._session.flush()
        self._move_files(source.id, inside, new.id, PurePath())

    def remove_folder(self, folder_id: int) -> None:
        """Remove the folder with its files and failures."""
        self._mark_copied_stale(select(FileRow.photo_id).where(FileRow.folder_id == folder_id))
        self._session.execute(delete(FolderRow).where(FolderRow.id == folder_id))

    def finish_folder(self, folder_id: int) -> None:
        """Note that a run over the folder is complete."""
        self._session.get_one(FolderRow, folder_id).indexed_at = _now()

    def relocate(self, old: Path, new: Path) -> int:
        """Move everything that is known below the directory `old` to `new`, and return the number
        of files; 0 when nothing is known there.

        A file that is already known at its new path stays as it is.
        """
        known = containing_folder(self._session, old)
        if known is None:
            return 0
        folder, inside = known
        others = self._session.scalars(select(FolderRow.path).where(FolderRow.id != folder.id))
        if inside == PurePath() and not any(_overlap(Path(other), new) for other in others):
            self._session.get_one(FolderRow, folder.id).path = str(new)
            self._mark_copied_stale(select(FileRow.photo_id).where(FileRow.folder_id == folder.id))
            count = select(func.count()).where(FileRow.folder_id == folder.id)
            return self._session.scalar(count) or 0
        target, to = self.add_folder(new)
        # A new folder above the old one has taken it in.
        source, inside = containing_folder(self._session, old) or known
        count_moved = self._move_files(source.id, inside, target.id, to)
        self._mark_copied_stale(select(FileRow.photo_id).where(FileRow.folder_id == target.id))
        if inside == PurePath() and source.id != target.id:
            rows = [self._session.get_one(FolderRow, one.id) for one in (source, target)]
            self._take_patterns(rows[0], rows[1], to)
            self.remove_folder(source.id)
        return count_moved

    def put_files(self, folder_id: int, files: Sequence[ReadFile]) -> None:
        """Note that each file is there and holds its photo. Failures noted for it are removed.

        A file is left out if its photo was removed since somebody looked for the id; the next run
        reads it again. Photos whose files may say something else now are marked stale.
        """
        present = self._present_photos([file.photo_id for file in files])
        files = [file for file in files if file.photo_id in present]
        before = self._held(folder_id, [file.path for file in files])
        rows = [
            {
                "folder_id": folder_id,
                "path": file.path,
                "photo_id": file.photo_id,
                "size": file.size,
                "mtime_ns": file.mtime_ns,
                "ctime_ns": file.ctime_ns,
                "digest": file.digest,
                "missing_since": None,
            }
            for file in files
        ]
        self._put(FileRow, ["folder_id", "path"], rows)
        self.remove_failures(folder_id, [file.path for file in files])
        changed = [file for file in files if before.get(file.path) != (file.photo_id, file.digest)]
        lost = {before[file.path][0] for file in changed if file.path in before}
        self._mark_facts_stale(changed, lost)

    def put_sidecars(self, folder_id: int, sidecars: Mapping[str, str | None]) -> None:
        """Note the sidecars of files by path. The metadata of their photos has to be read again."""
        for chunk in statement_chunks(list(sidecars)):
            among = self._dialect.is_path_among(FileRow.path, chunk)
            query = select(FileRow.id, FileRow.path, FileRow.photo_id)
            found = self._session.execute(query.where(FileRow.folder_id == folder_id, among)).all()
            if not found:
                continue
            self._session.connection().execute(
                update(FileRow)
                .where(FileRow.id == bindparam("file"))
                .values(sidecars=bindparam("beside")),
                [{"file": id_, "beside": sidecars[path]} for id_, path, _ in found],
            )
            self._session.execute(
                update(PhotoRow)
                .where(PhotoRow.id.in_([photo_id for _, _, photo_id in found]))
                .values(facts_version=0)
            )

    def remove_files(self, folder_id: int, paths: Sequence[str]) -> None:
        """Remove these files."""
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FileRow.path, chunk)
            of_files = (FileRow.folder_id == folder_id) & among
            self._mark_copied_stale(select(FileRow.photo_id).where(of_files))
            self._session.execute(delete(FileRow).where(of_files))

    def note_ctimes(self, folder_id: int, ctimes: Mapping[str, int]) -> None:
        """Note the ctime in ns, by path, of files that were not looked at since schema 0011."""
        if ctimes:
            statement = update(FileRow).where(
                FileRow.folder_id == folder_id, FileRow.path == bindparam("file")
            )
            values = [{"file": path, "noted": ctime} for path, ctime in ctimes.items()]
            self._session.connection().execute(
                statement.values(ctime_ns=bindparam("noted")), values
            )

    def mark_missing(self, folder_id: int, paths: Sequence[str]) -> None:
        """Note that these files were not found. Their photos and embeddings stay."""
        self._mark(folder_id, paths, FileRow.missing_since.is_(None), _now())

    def mark_present(self, folder_id: int, paths: Sequence[str]) -> None:
        """Note that these files were found again, unchanged. What they say of photos that other
        files hold as well may have been left out meanwhile.
        """
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FileRow.path, chunk)
            found = select(FileRow.photo_id).where(FileRow.folder_id == folder_id, among)
            self._mark_copied_stale(found)
        self._mark(folder_id, paths, FileRow.missing_since.is_not(None), None)

    def put_failure(self, folder_id: int, failure: FailureRecord) -> None:
        """Note that a file or directory could not be used, now unless `tried_at` says when."""
        row = {
            "folder_id": folder_id,
            "path": failure.path,
            "reason": failure.reason,
            "size": failure.size,
            "mtime_ns": failure.mtime_ns,
            "kind": failure.kind.value,
            "pixels": failure.pixels,
            "tried_at": failure.tried_at or _now(),
            "decoder_version": failure.decoder_version,
        }
        self._put(FailureRow, ["folder_id", "path"], [row])

    def remove_failures(self, folder_id: int, paths: Sequence[str]) -> None:
        """Remove the failures of these paths, which can be used now or are gone."""
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FailureRow.path, chunk)
            self._session.execute(
                delete(FailureRow).where(FailureRow.folder_id == folder_id, among)
            )

    def _present_photos(self, ids: Sequence[int]) -> set[int]:
        """Return those of the photos that exist, which no other writer can remove before the
        transaction ends.
        """
        found: set[int] = set()
        for chunk in statement_chunks(ids):
            query = select(PhotoRow.id).where(PhotoRow.id.in_(chunk)).order_by(PhotoRow.id)
            found.update(self._session.scalars(query.with_for_update(read=True, key_share=True)))
        return found

    def _held(self, folder_id: int, paths: Sequence[str]) -> dict[str, tuple[int, bytes | None]]:
        """Return the photo and the digest of those of these files that are there, by path."""
        found: dict[str, tuple[int, bytes | None]] = {}
        for chunk in statement_chunks(paths):
            query = select(FileRow.path, FileRow.photo_id, FileRow.digest).where(
                FileRow.folder_id == folder_id,
                FileRow.missing_since.is_(None),
                self._dialect.is_path_among(FileRow.path, chunk),
            )
            rows = self._session.execute(query)
            found.update({path: (photo_id, digest) for path, photo_id, digest in rows})
        return found

    def _mark_facts_stale(self, changed: Sequence[ReadFile], lost: Collection[int]) -> None:
        """Have metadata read again of the photos of changed files, and of photos that lost a file.

        A photo's metadata are what its files say together. They need not be read again if its only
        file has just given them.
        """
        fresh = {file.photo_id for file in changed if file.gave_facts}
        stale = {file.photo_id for file in changed} - fresh | set(lost)
        if stale:
            self._mark_stale(PhotoRow.id.in_(stale))
        if fresh:
            self._mark_copied_stale(select(PhotoRow.id).where(PhotoRow.id.in_(fresh)))

    def _mark_copied_stale(self, photos: Select[int]) -> None:
        """Have metadata read again of those of the photos that have several files, because these
        may say something else together now.
        """
        copied = (
            select(FileRow.photo_id)
            .where(FileRow.photo_id.in_(photos))
            .group_by(FileRow.photo_id)
            .having(func.count() > 1)
        )
        self._mark_stale(PhotoRow.id.in_(copied))

    def _mark_stale(self, which: ColumnElement[bool]) -> None:
        self._session.execute(
            update(PhotoRow).where(which, PhotoRow.facts_version != 0).values(facts_version=0),
            execution_options={"synchronize_session": False},
        )

    def _mark(
        self,
        folder_id: int,
        paths: Sequence[str],
        where: ColumnElement[bool],
        since: datetime | None,
    ) -> None:
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FileRow.path, chunk)
            self._session.execute(
                update(FileRow)
                .where(FileRow.folder_id == folder_id, among, where)
                .values(missing_since=since)
            )
            self._mark_copied_stale(
                select(FileRow.photo_id).where(FileRow.folder_id == folder_id, among)
            )

    def _move_files(self, source_id: int, inside: PurePath, target_id: int, to: PurePath) -> int:
        """Move files and failures below `inside` of one folder to below `to` of another, and return
        the number of files.

        They move through a temporary folder: a target path may still be taken by a file that is
        itself about to move.
        """
        between = FolderRow(path=f"being moved {secrets.token_hex(8)}", indexed_at=None)
        self._session.add(between)
        self._session.flush()
        count = self._move_rows(FileRow, source_id, inside, between.id, to)
        self._move_rows(FailureRow, source_id, inside, between.id, to)
        tables: tuple[type[FileRow] | type[FailureRow], ...] = (FileRow, FailureRow)
        for table in tables:
            there = aliased(table)
            taken = exists().where(there.folder_id == target_id, there.path == table.path)
            arrive = update(table).where(table.folder_id == between.id, ~taken)
            self._session.execute(
                arrive.values(folder_id=target_id),
                execution_options={"synchronize_session": False},
            )
        self.remove_folder(between.id)
        return count

    def _move_rows(
        self,
        table: type[FileRow] | type[FailureRow],
        source_id: int,
        inside: PurePath,
        target_id: int,
        to: PurePath,
    ) -> int:
        """Give rows below `inside` of one folder to another, their paths changed, and return how
        many.
        """
        old, new = path_prefix(inside), path_prefix(to)
        rows = self._session.execute(
            select(table.id, table.path).where(
                table.folder_id == source_id, is_below(table.path, inside)
            )
        )
        moved = [{"row": id_, "to": new + path[len(old) :]} for id_, path in rows]
        if moved:
            statement = (
                update(table)
                .where(table.id == bindparam("row"))
                .values(folder_id=target_id, path=bindparam("to"))
            )
            self._session.connection().execute(statement, moved)
        return len(moved)


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
