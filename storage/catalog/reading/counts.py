"""The numbers of photos and files. Triggers keep them, so nobody has to count."""

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select

from sigseek.storage.catalog.tables import COUNT_CHANGE, FILE, PHOTO, UNHELD_PHOTO
from sigseek.storage.records import FileCounts


class RowCounts(NamedTuple):
    """The numbers of rows that a catalog keeps."""

    photos: int
    without_files: int
    """Photos that no file holds any more."""
    by_folder: dict[int, FileCounts]
    """The files of each folder that has any, by the folder's id."""


def count_photos(connection: Connection) -> int:
    """Return the number of photos, with and without files."""
    return _sum(connection, COUNT_CHANGE.c.photos)


def count_files(connection: Connection) -> int:
    """Return the number of files, missing ones too."""
    return _sum(connection, COUNT_CHANGE.c.files)


def count_files_by_folder(connection: Connection) -> dict[int, FileCounts]:
    """Return how many files each folder has, by the folder's id; folders without files are left
    out.
    """
    sums = [func.sum(column) for column in (COUNT_CHANGE.c.files, COUNT_CHANGE.c.missing)]
    query = select(COUNT_CHANGE.c.folder_id, *sums).group_by(COUNT_CHANGE.c.folder_id)
    return {
        folder: FileCounts(int(files - missing), int(missing))
        for folder, files, missing in map(tuple, connection.execute(query))
        if files or missing
    }


def count_photos_with_files(connection: Connection) -> int:
    """Return the number of photos with a file, present or missing."""
    return count_photos(connection) - count_photos_without_files(connection)


def count_photos_without_files(connection: Connection) -> int:
    """Return the number of photos that no file holds any more."""
    without = photos_without_files().subquery()
    return connection.scalar(select(func.count()).select_from(without)) or 0


def photos_without_files() -> Select[int]:
    """Return the statement that selects the ids of the photos that no file holds any more."""
    return select(PHOTO.c.id).where(PHOTO.c.id.in_(select(UNHELD_PHOTO.c.photo_id)), ~is_held())


def counts_of_triggers(connection: Connection) -> RowCounts:
    """Return the numbers that triggers keep."""
    return RowCounts(
        count_photos(connection),
        count_photos_without_files(connection),
        count_files_by_folder(connection),
    )


def counted_anew(connection: Connection) -> RowCounts:
    """Return the numbers of the rows that there are, which reads both tables or their indexes."""
    photos = connection.scalar(select(func.count()).select_from(PHOTO)) or 0
    without = select(func.count()).select_from(PHOTO).where(~is_held())
    missing = func.count(FILE.c.missing_since)
    files = select(FILE.c.folder_id, func.count() - missing, missing).group_by(FILE.c.folder_id)
    by_folder = {
        folder: FileCounts(present, gone) for folder, present, gone in connection.execute(files)
    }
    return RowCounts(photos, connection.scalar(without) or 0, by_folder)


def is_held() -> ColumnElement[bool]:
    """Return whether a photo has a file, present or missing."""
    return exists().where(FILE.c.photo_id == PHOTO.c.id)


def _sum(connection: Connection, column: ColumnElement[int]) -> int:
    # PostgreSQL's sums of 64-bit integers have more digits, so they are no integers for Python.
    return int(connection.scalar(select(func.sum(column))) or 0)
