"""What photos are put in order by."""

from collections.abc import Sequence
from pathlib import PurePath

from sqlalchemy import func, select

from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import FILE, FOLDER, PHOTO

_NEWEST = select(func.max(PHOTO.c.id))  # made once, because every search asks it


class OrderReader(Reader):
    """Questions about what photos are put in order by."""

    def newest_photo(self) -> int:
        """Return the highest id of a photo; 0 without photos."""
        with self._connect() as connection:
            return connection.scalar(_NEWEST) or 0

    def dates(self, ids: Sequence[int]) -> dict[int, str | None]:
        """Return the local time of each photo in ISO 8601, as precise as its source; None where it
        is not known. The order of these texts is that of the times.
        """
        return dict(self._photo_columns(ids, PHOTO.c.taken_at))

    def ratings(self, ids: Sequence[int]) -> dict[int, int | None]:
        """Return the stars of each photo, -1 for a rejected one; None where it has none."""
        return dict(self._photo_columns(ids, PHOTO.c.rating))

    def first_paths(self, ids: Sequence[int]) -> dict[int, str]:
        """Return the absolute path of the first file of each photo that has one; a file that was
        there at the last run comes before missing ones.
        """
        missing = FILE.c.missing_since.is_not(None)
        query = (
            select(FILE.c.photo_id, FOLDER.c.path, FILE.c.path, missing)
            .join(FOLDER, FOLDER.c.id == FILE.c.folder_id)
            .where(self._dialect.is_among(FILE.c.photo_id, "ids"))
        )
        found: dict[int, tuple[bool, str]] = {}
        with self._connect() as connection:
            for chunk in statement_chunks(ids):
                rows = connection.execute(query, {"ids": self._dialect.ids(chunk)})
                for id_, root, path, gone in rows:
                    file = (bool(gone), str(PurePath(root, path)))
                    found[id_] = min(file, found.get(id_, file))
        return {id_: path for id_, (_, path) in found.items()}
