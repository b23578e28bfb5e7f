"""Changes of the numbers of photos and files. Triggers make most of them."""

from sqlalchemy import Connection, delete, func, insert, literal, select

from sigseek.storage.catalog.reading.counts import is_held
from sigseek.storage.catalog.tables import COUNT_CHANGE, FILE, PHOTO, UNHELD_PHOTO


def recount(connection: Connection) -> None:
    """Count all photos and files, and find all photos without files. Nobody else may change them
    meanwhile.
    """
    connection.execute(delete(COUNT_CHANGE))
    connection.execute(delete(UNHELD_PHOTO))
    none = literal(0)
    photos = select(none, func.count(), none, none).select_from(PHOTO)
    files = select(FILE.c.folder_id, none, func.count(), func.count(FILE.c.missing_since))
    names = ["folder_id", "photos", "files", "missing"]
    for counted in (photos, files.group_by(FILE.c.folder_id)):
        connection.execute(insert(COUNT_CHANGE).from_select(names, counted))
    without = select(PHOTO.c.id).where(~is_held())
    connection.execute(insert(UNHELD_PHOTO).from_select(["photo_id"], without))
