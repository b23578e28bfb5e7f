"""Changes of files and failures."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import PurePath
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Executable,
    bindparam,
    delete,
    insert,
    null,
    select,
    union_all,
    update,
)

from sigseek.storage.catalog.changes.former_order import FormerOrderWriter
from sigseek.storage.catalog.changes.hashes import copy_distinct_pairs
from sigseek.storage.catalog.changes.tags import copy_hand_tags
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.paths import is_below, statement_chunks
from sigseek.storage.catalog.tables import FAILURE, FILE, OTHER_FILE, PHOTO
from sigseek.storage.records import FailureRecord, OtherFile, ReadFile


class _Held(NamedTuple):
    """What a file held before."""

    photo_id: int
    digest: bytes | None
    missing_since: datetime | None


class FileWriter(FormerOrderWriter):
    """Changes of files and failures."""

    def put_other_files(
        self, folder_id: int, gone: Sequence[str], files: Sequence[OtherFile]
    ) -> None:
        """Keep files that indexing passes over. Those at these paths, and at the paths in `gone`,
        are removed first.
        """
        paths = [*gone, *(file.path for file in files)]
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(OTHER_FILE.c.path, chunk)
            self._connection.execute(
                delete(OTHER_FILE).where(OTHER_FILE.c.folder_id == folder_id, among)
            )
        rows = [{"folder_id": folder_id, **file._asdict()} for file in files]
        if rows:
            self._connection.execute(insert(OTHER_FILE), rows)

    def put_files(self, folder_id: int, files: Sequence[ReadFile]) -> None:
        """Note that each file is there and holds its photo. Failures noted for it are removed.

        A file is left out if its photo was removed since somebody looked for the id; the next run
        reads it again. Photos whose files may say something else now are marked stale. When a
        file's picture was edited, what a person said of the old photo holds for the new one.
        """
        present = self._lock_photos([file.photo_id for file in files])
        files = [file for file in files if file.photo_id in present]
        known, failed = self._known(folder_id, [file.path for file in files])
        self._keep_decisions({path: held.photo_id for path, held in known.items()}, files)
        self._keep_changed(folder_id, known, files)
        # Missing files said nothing of their photos.
        before = {
            path: (held.photo_id, held.digest)
            for path, held in known.items()
            if held.missing_since is None
        }
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
        self._put(FILE, ["folder_id", "path"], rows)
        self.remove_failures(folder_id, failed)
        changed = [file for file in files if before.get(file.path) != (file.photo_id, file.digest)]
        now = {file.path: file.photo_id for file in changed}
        lost = {old for path, (old, _) in before.items() if now.get(path, old) != old}
        fresh = {file.photo_id for file in files if file.gave_facts}
        stale = {file.photo_id for file in changed} - fresh | lost
        self._mark_facts_stale(stale, fresh - self._of_one_file(files))

    def put_sidecars(self, folder_id: int, sidecars: Mapping[str, str | None]) -> None:
        """Note the sidecars of files by path. The metadata of their photos has to be read again."""
        for chunk in statement_chunks(list(sidecars)):
            among = self._dialect.is_path_among(FILE.c.path, chunk)
            query = select(FILE.c.id, FILE.c.path, FILE.c.photo_id)
            found = self._connection.execute(
                query.where(FILE.c.folder_id == folder_id, among)
            ).all()
            if not found:
                continue
            self._connection.execute(
                update(FILE)
                .where(FILE.c.id == bindparam("file"))
                .values(sidecars=bindparam("beside")),
                [{"file": id_, "beside": sidecars[path]} for id_, path, _ in found],
            )
            self._connection.execute(
                update(PHOTO)
                .where(PHOTO.c.id.in_([photo_id for _, _, photo_id in found]))
                .values(facts_version=0)
            )

    def remove_files(self, folder_id: int, paths: Sequence[str]) -> None:
        """Remove these files."""
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FILE.c.path, chunk)
            of_files = (FILE.c.folder_id == folder_id) & among
            self._remove_files(of_files)

    def remove_files_below(self, folder_id: int, inside: PurePath) -> None:
        """Remove all files below the directory `inside` of the folder."""
        self._remove_files((FILE.c.folder_id == folder_id) & is_below(FILE.c.path, inside))

    def _remove_files(self, which: ColumnElement[bool]) -> None:
        self._mark_copied_stale(select(FILE.c.photo_id).where(which))
        self._keep_files(which)
        self._connection.execute(delete(FILE).where(which))

    def note_ctimes(self, folder_id: int, ctimes: Mapping[str, int]) -> None:
        """Note the ctime in ns, by path, of files that were not looked at since schema 0011."""
        if ctimes:
            statement = update(FILE).where(
                FILE.c.folder_id == folder_id, FILE.c.path == bindparam("file")
            )
            values = [{"file": path, "noted": ctime} for path, ctime in ctimes.items()]
            self._connection.execute(statement.values(ctime_ns=bindparam("noted")), values)

    def mark_missing(self, folder_id: int, paths: Sequence[str]) -> None:
        """Note that these files were not found. Their photos and embeddings stay."""
        self._mark(folder_id, paths, FILE.c.missing_since.is_(None), self._now())

    def mark_present(self, folder_id: int, paths: Sequence[str]) -> None:
        """Note that these files were found again, unchanged. What they say of photos that other
        files hold as well may have been left out meanwhile.
        """
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FILE.c.path, chunk)
            found = select(FILE.c.photo_id).where(FILE.c.folder_id == folder_id, among)
            self._mark_copied_stale(found)
        self._mark(folder_id, paths, FILE.c.missing_since.is_not(None), None)

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
            "tried_at": failure.tried_at or self._now(),
            "decoder_version": failure.decoder_version,
        }
        self._put(FAILURE, ["folder_id", "path"], [row])

    def remove_failures(self, folder_id: int, paths: Sequence[str]) -> None:
        """Remove the failures of these paths, which can be used now or are gone."""
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FAILURE.c.path, chunk)
            self._connection.execute(delete(FAILURE).where(FAILURE.c.folder_id == folder_id, among))

    def _keep_decisions(self, before: Mapping[str, int], files: Sequence[ReadFile]) -> None:
        """Let what a person said of a photo hold for the new photo, too, where the picture in a
        file was edited. A file that was missing may have been edited where it was.
        """
        # A photo that was known before was moved here: it is not an edit of what was here. Its own
        # file may hold another one by now, as after two files have swapped their names.
        pairs = [
            (before[file.path], file.photo_id)
            for file in files
            if file.path in before and file.photo_id in self._added
        ]
        copy_hand_tags(self._connection, self._dialect, pairs)
        copy_distinct_pairs(self._connection, self._dialect, pairs)

    def _keep_changed(
        self, folder_id: int, known: Mapping[str, _Held], files: Sequence[ReadFile]
    ) -> None:
        """Keep what was at those of the paths that are about to hold another photo, or to be there
        again. Of a new photo in a new place nothing was known before.
        """
        held: dict[str, tuple[int | None, bool]] = {}
        for file in files:
            before = known.get(file.path)
            if before is None:
                if file.photo_id not in self._added:
                    held[file.path] = None, False
            elif before.photo_id != file.photo_id or before.missing_since is not None:
                held[file.path] = before.photo_id, before.missing_since is not None
        self._keep_paths(folder_id, held)

    def _known(self, folder_id: int, paths: Sequence[str]) -> tuple[dict[str, _Held], list[str]]:
        """Return what those of these files held that are known, by path, and the paths with
        failures.
        """
        known: dict[str, _Held] = {}
        failed: list[str] = []
        for chunk in statement_chunks(paths):
            values = {"folder": folder_id, "paths": self._dialect.paths(chunk)}
            rows: Sequence[Any] = self._connection.execute(_held(self._dialect), values).all()
            for path, photo_id, digest, since in rows:
                if photo_id is None:
                    failed.append(path)
                else:
                    known[path] = _Held(photo_id, digest, since)
        return known, failed

    def _of_one_file(self, files: Sequence[ReadFile]) -> set[int]:
        """Return those of the files' photos that nobody else can know, and that no other file of
        this transaction holds.
        """
        counts = Counter(file.photo_id for file in files)
        alone = {id_ for id_, count in counts.items() if count == 1}
        found = (alone & self._added) - self._filed
        self._filed.update({file.path: file.photo_id for file in files}.values())
        return found

    def _mark_facts_stale(self, stale: Collection[int], fresh: Collection[int]) -> None:
        """Have metadata read again of the photos in `stale`, and of those in `fresh` that have
        several files: a file of theirs has just given them, and the others may say more.
        """
        if stale:
            self._mark_stale(self._dialect.is_one_of(PHOTO.c.id, stale))
        if fresh:
            among = self._dialect.is_one_of(PHOTO.c.id, fresh)
            self._mark_copied_stale(select(PHOTO.c.id).where(among))

    def _mark(
        self,
        folder_id: int,
        paths: Sequence[str],
        where: ColumnElement[bool],
        since: datetime | None,
    ) -> None:
        for chunk in statement_chunks(paths):
            among = self._dialect.is_path_among(FILE.c.path, chunk)
            which = (FILE.c.folder_id == folder_id) & among & where
            self._keep_files(which)
            self._connection.execute(update(FILE).where(which).values(missing_since=since))
            self._mark_copied_stale(
                select(FILE.c.photo_id).where(FILE.c.folder_id == folder_id, among)
            )


@lru_cache(maxsize=1)
def _held(dialect: Dialect) -> Executable:
    """Return the statement that selects what some files of a folder hold, and the paths among these
    that have failures. It is one round trip to a server.

    SQLAlchemy takes as long to make it as to execute it.
    """
    files = select(FILE.c.path, FILE.c.photo_id, FILE.c.digest, FILE.c.missing_since)
    failures = select(FAILURE.c.path, null(), null(), null())
    return union_all(
        files.where(dialect.is_file_among(FILE)), failures.where(dialect.is_file_among(FAILURE))
    )
