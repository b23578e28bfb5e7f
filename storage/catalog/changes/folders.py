"""Changes of folders: which there are, where they are, and what is left out of them."""

import secrets
from collections.abc import Sequence
from pathlib import Path, PurePath

from sqlalchemy import bindparam, delete, exists, func, select, update
from sqlalchemy.orm import aliased

from sigseek.storage.catalog.changes.writer import Writer, now
from sigseek.storage.catalog.models import FailureRow, FileRow, FolderRow
from sigseek.storage.catalog.paths import (
    containing_folder,
    folder_record,
    is_below,
    path_prefix,
    patterns_below,
    patterns_inside,
)
from sigseek.storage.records import FolderRecord


class FolderWriter(Writer):
    """Changes of folders."""

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
        self._session.get_one(FolderRow, folder_id).indexed_at = now()

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

    def _take_patterns(self, source: FolderRow, target: FolderRow, to: PurePath) -> None:
        """Let the source's patterns hold for the directory `to` of the target."""
        taken = patterns_below(to, source.excluded.splitlines())
        target.excluded = "\n".join(dict.fromkeys([*target.excluded.splitlines(), *taken]))

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
