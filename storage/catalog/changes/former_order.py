"""What photos were put in order by before a change, which later pages of a list need."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, insert, literal, select, update

from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import (
    FILE,
    FOLDER,
    FORMER_FILE,
    FORMER_FOLDER,
    FORMER_PHOTO,
    ORDER_REVISION,
    PHOTO,
)

_TABLES = (FORMER_PHOTO, FORMER_FILE, FORMER_FOLDER)
_KEPT = timedelta(days=1)
"""What held before a change is kept for so long at least."""
_FORMER_FILE = ("folder_id", "path", "photo_id", "missing")


class FormerOrderWriter(Writer):
    """Keeps what photos were put in order by. Whatever changes that calls one of these methods
    before it does.
    """

    def number_former_order(self) -> None:
        """Give what this transaction has kept of what held before it the number of a new revision.

        Call it last in a transaction. It locks the revision's row, for which other writers then
        wait, so that revisions become visible in their order.
        """
        if not self._former:
            return
        first = {"id": 1, "number": 0, "kept_from": 0, "marked": 0, "marked_at": self._now()}
        self._dialect.put(self._connection, ORDER_REVISION, ["id"], [first], overwrite=False)
        number = self._connection.execute(
            update(ORDER_REVISION)
            .values(number=ORDER_REVISION.c.number + 1)
            .returning(ORDER_REVISION.c.number)
        ).scalar_one()
        for table in self._former:
            # What others have not yet numbered is not seen here.
            of_this = update(table).where(table.c.number.is_(None))
            self._connection.execute(of_this.values(number=number))
        self._former.clear()

    def remove_former_order(self) -> None:
        """Remove what was changed so long ago that no page is expected to need it any more."""
        row = self._connection.execute(select(ORDER_REVISION).with_for_update()).one_or_none()
        now = self._now()
        if row is None or row.number == row.kept_from or abs(now - row.marked_at) < _KEPT:
            return
        for table in _TABLES:
            self._connection.execute(delete(table).where(table.c.number <= row.marked))
        self._connection.execute(
            update(ORDER_REVISION).values(kept_from=row.marked, marked=row.number, marked_at=now)
        )

    def _keep_photos(self, changed: Mapping[int, tuple[str | None, int | None]]) -> None:
        """Keep what the photos with these ids say, as far as their date and their rating are about
        to become others than these.
        """
        columns = select(PHOTO.c.id, PHOTO.c.taken_at, PHOTO.c.rating)
        for chunk in statement_chunks(list(changed)):
            among = self._dialect.is_one_of(PHOTO.c.id, chunk)
            self._keep(
                FORMER_PHOTO,
                [
                    {"photo_id": id_, "taken_at": taken_at, "rating": rating}
                    for id_, taken_at, rating in self._connection.execute(columns.where(among))
                    if (taken_at, rating) != changed[id_]
                ],
            )

    def _keep_files(self, which: ColumnElement[bool]) -> None:
        """Keep which photos these files hold, and which of them are missing."""
        missing = FILE.c.missing_since.is_not(None)
        files = select(FILE.c.folder_id, FILE.c.path, FILE.c.photo_id, missing).where(which)
        self._keep_selected(files)

    def _keep_absent(self, folder_id: int, which: ColumnElement[bool]) -> None:
        """Keep that nothing is in the folder at the paths of these files."""
        nothing = literal(None, FORMER_FILE.c.photo_id.type)
        self._keep_selected(
            select(literal(folder_id), FILE.c.path, nothing, literal(False)).where(which)
        )

    def _keep_selected(self, files: Any) -> None:
        kept = self._connection.execute(insert(FORMER_FILE).from_select(_FORMER_FILE, files))
        if kept.rowcount:
            self._former.add(FORMER_FILE)

    def _keep_paths(self, folder_id: int, held: Mapping[str, tuple[int | None, bool]]) -> None:
        """Keep which photo each of these paths holds, None for none, and whether it is missing."""
        self._keep(
            FORMER_FILE,
            [
                {"folder_id": folder_id, "path": path, "photo_id": photo_id, "missing": missing}
                for path, (photo_id, missing) in held.items()
            ],
        )

    def _keep_folder(self, folder_id: int) -> None:
        """Keep the folder's path."""
        path = self._connection.scalars(select(FOLDER.c.path).where(FOLDER.c.id == folder_id)).one()
        self._keep(FORMER_FOLDER, [{"folder_id": folder_id, "path": path}])

    def _keep(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)
            self._former.add(table)
