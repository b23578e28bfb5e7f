"""Changes of folders: which there are, where they are, and what is left out of them."""

import secrets
from collections.abc import Sequence
from pathlib import Path, PurePath

from sqlalchemy import Table, bindparam, delete, exists, func, insert, select, update

from sigseek.storage.catalog.changes.former_order import FormerOrderWriter
from sigseek.storage.catalog.paths import (
    containing_folder,
    folder_record,
    is_below,
    path_prefix,
    patterns_below,
    patterns_inside,
)
from sigseek.storage.catalog.tables import FAILURE, FILE, FOLDER
from sigseek.storage.records import FolderRecord


class FolderWriter(FormerOrderWriter):
    """Changes of folders."""

    def add_folder(self, path: Path) -> tuple[FolderRecord, PurePath]:
        """Return the folder that contains `path`, added if there is none, and the path relative to
        it.

        A path inside a known folder belongs to that folder. A new folder takes in the known folders
        inside it, with their files. So no file is ever known twice.
        """
        known = containing_folder(self._connection, path)
        if known:
            return known
        new = self._new_folder(path=str(path), indexed_at=None)
        others = select(FOLDER).where(FOLDER.c.id != new.id)
        for folder in map(folder_record, self._connection.execute(others).all()):
            if Path(folder.path).is_relative_to(path):
                to = PurePath(folder.path).relative_to(path)
                self._move_files(folder.id, PurePath(), new.id, to)
                self._take_patterns(folder.id, new.id, to)
                self.remove_folder(folder.id)
        return self._folder(new.id), PurePath()

    def lock_excluded(self, folder_id: int) -> tuple[str, ...]:
        """Return the patterns of files that are left out. No other writer changes the folder before
        the transaction ends.
        """
        query = select(FOLDER).where(FOLDER.c.id == folder_id).with_for_update(key_share=True)
        return folder_record(self._connection.execute(query).one()).excluded

    def put_excluded(self, folder_id: int, patterns: Sequence[str]) -> None:
        """Keep the patterns of files that the user wants left out, in the place of earlier ones."""
        self._change_folder(folder_id, excluded="\n".join(patterns))

    def split_folder(self, folder_id: int, inside: PurePath) -> None:
        """Make a directory inside of a folder a folder of its own, with the files known in it."""
        source = self._folder(folder_id)
        new = self._new_folder(
            path=str(Path(source.path, inside)),
            indexed_at=source.indexed_at,
            excluded="\n".join(patterns_inside(inside, source.excluded)),
        )
        self._move_files(source.id, inside, new.id, PurePath())

    def remove_folder(self, folder_id: int) -> None:
        """Remove the folder with its files and failures."""
        self._keep_files(FILE.c.folder_id == folder_id)
        self._keep_folder(folder_id)
        self._delete_folder(folder_id)

    def finish_folder(self, folder_id: int) -> None:
        """Note that a run over the folder is complete."""
        self._change_folder(folder_id, indexed_at=self._now())

    def relocate(self, old: Path, new: Path) -> int:
        """Move everything that is known below the directory `old` to `new`, and return the number
        of files; 0 when nothing is known there.

        A file that is already known at its new path stays as it is.
        """
        known = containing_folder(self._connection, old)
        if known is None:
            return 0
        folder, inside = known
        others = self._connection.scalars(select(FOLDER.c.path).where(FOLDER.c.id != folder.id))
        if inside == PurePath() and not any(_overlap(Path(other), new) for other in others):
            self._keep_folder(folder.id)
            self._change_folder(folder.id, path=str(new))
            self._mark_copied_stale(select(FILE.c.photo_id).where(FILE.c.folder_id == folder.id))
            count = select(func.count()).where(FILE.c.folder_id == folder.id)
            return self._connection.scalar(count) or 0
        target, to = self.add_folder(new)
        # A new folder above the old one has taken it in.
        source, inside = containing_folder(self._connection, old) or known
        count_moved = self._move_files(source.id, inside, target.id, to)
        self._mark_copied_stale(select(FILE.c.photo_id).where(FILE.c.folder_id == target.id))
        self.put_excluded(target.id, _with_carried_patterns(source, inside, target, to))
        if inside == PurePath() and source.id != target.id:
            self.remove_folder(source.id)
        return count_moved

    def _folder(self, folder_id: int) -> FolderRecord:
        query = select(FOLDER).where(FOLDER.c.id == folder_id)
        return folder_record(self._connection.execute(query).one())

    def _new_folder(self, **values: object) -> FolderRecord:
        """Add a folder with these columns."""
        query = insert(FOLDER).values(values).returning(FOLDER)
        return folder_record(self._connection.execute(query).one())

    def _change_folder(self, folder_id: int, **values: object) -> None:
        """Change these columns of a folder."""
        self._connection.execute(update(FOLDER).where(FOLDER.c.id == folder_id).values(values))

    def _delete_folder(self, folder_id: int) -> None:
        self._mark_copied_stale(select(FILE.c.photo_id).where(FILE.c.folder_id == folder_id))
        self._connection.execute(delete(FOLDER).where(FOLDER.c.id == folder_id))

    def _take_patterns(self, source_id: int, target_id: int, to: PurePath) -> None:
        """Let the source's patterns hold for the directory `to` of the target."""
        taken = patterns_below(to, self._folder(source_id).excluded)
        excluded = dict.fromkeys([*self._folder(target_id).excluded, *taken])
        self.put_excluded(target_id, list(excluded))

    def _move_files(self, source_id: int, inside: PurePath, target_id: int, to: PurePath) -> int:
        """Move files and failures below `inside` of one folder to below `to` of another, and return
        the number of files.

        They move through a temporary folder: a target path may still be taken by a file that is
        itself about to move.
        """
        self._keep_files((FILE.c.folder_id == source_id) & is_below(FILE.c.path, inside))
        between = self._new_folder(path=f"being moved {secrets.token_hex(8)}", indexed_at=None)
        count = self._move_rows(FILE, source_id, inside, between.id, to)
        self._move_rows(FAILURE, source_id, inside, between.id, to)
        for table in (FILE, FAILURE):
            there = table.alias()
            taken = exists().where(there.c.folder_id == target_id, there.c.path == table.c.path)
            arriving = (table.c.folder_id == between.id) & ~taken
            if table is FILE:
                self._keep_absent(target_id, arriving)
            self._connection.execute(update(table).where(arriving).values(folder_id=target_id))
        self._delete_folder(between.id)
        return count

    def _move_rows(
        self,
        table: Table,
        source_id: int,
        inside: PurePath,
        target_id: int,
        to: PurePath,
    ) -> int:
        """Give rows below `inside` of one folder to another, their paths changed, and return how
        many.
        """
        old, new = path_prefix(inside), path_prefix(to)
        rows = self._connection.execute(
            select(table.c.id, table.c.path).where(
                table.c.folder_id == source_id, is_below(table.c.path, inside)
            )
        )
        moved = [{"row": id_, "to": new + path[len(old) :]} for id_, path in rows]
        if moved:
            statement = (
                update(table)
                .where(table.c.id == bindparam("row"))
                .values(folder_id=target_id, path=bindparam("to"))
            )
            self._connection.execute(statement, moved)
        return len(moved)


def _with_carried_patterns(
    source: FolderRecord, inside: PurePath, target: FolderRecord, to: PurePath
) -> list[str]:
    """Return the target's patterns, and behind them the source's for the directory `inside`, as
    they read for the directory `to` of the target.
    """
    carried = source.excluded
    if source.id == target.id:  # what is about any depth of the folder holds in the new place, too
        carried = tuple(pattern for pattern in carried if "/" in pattern.rstrip("/"))
    new = patterns_below(to, patterns_inside(inside, carried))
    return list(dict.fromkeys([*target.excluded, *new]))


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
