"""Changes of photos."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Table, bindparam, delete, exists, select, update

from sigseek.storage.catalog.changes.pictures import PictureWriter
from sigseek.storage.catalog.columns import storable
from sigseek.storage.catalog.local_time import split_offset
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import (
    CHECKPOINT,
    FILE,
    KEYWORD,
    PERSON,
    PHOTO,
    PHOTO_KEYWORD,
    PHOTO_PERSON,
)
from sigseek.storage.records import PhotoFacts, PhotoMetadata

_IDENTITY = ("digest", "digest_version", "width", "height", "format", "damaged")


class PhotoWriter(PictureWriter):
    """Changes of photos."""

    def add_photo(self, facts: PhotoFacts) -> int:
        """Return the id of the photo with this digest, added if it is new."""
        return self.add_photos([facts])[facts.digest]

    def add_photos(self, photos: Sequence[PhotoFacts]) -> dict[bytes, int]:
        """Return the ids of the photos with these digests, added where they are new.

        No other writer can remove them before the transaction ends.
        """
        known = self._find([facts.digest for facts in photos])
        new = {facts.digest: facts for facts in photos if facts.digest not in known}
        if not new:
            return known
        rows = [_columns(facts) | _identity(facts) for facts in new.values()]
        # Another writer may have added the same picture since.
        self._dialect.put(self._connection, PHOTO, ["digest"], rows, overwrite=False)
        added = self._find(list(new))
        self._add_words({added[facts.digest]: facts for facts in new.values()})
        return known | added

    def put_metadata(self, photos: Mapping[int, PhotoMetadata]) -> None:
        """Replace what is known of the photos with these ids by what their files say now."""
        if not photos:
            return
        rows = [{"photo": id_} | _columns(metadata) for id_, metadata in photos.items()]
        values: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "photo"}
        self._connection.execute(
            update(PHOTO).where(PHOTO.c.id == bindparam("photo")).values(values), rows
        )
        for chunk in statement_chunks(list(photos)):
            self._connection.execute(
                delete(PHOTO_KEYWORD).where(PHOTO_KEYWORD.c.photo_id.in_(chunk))
            )
            self._connection.execute(delete(PHOTO_PERSON).where(PHOTO_PERSON.c.photo_id.in_(chunk)))
        self._add_words(photos)

    def mark_metadata_read(self, photo_ids: Sequence[int], version: int) -> None:
        """Note that the reader of this version found nothing new about these photos."""
        for chunk in statement_chunks(photo_ids):
            self._connection.execute(
                update(PHOTO).where(PHOTO.c.id.in_(chunk)).values(facts_version=version)
            )

    def remove_photos_without_files(self, keep: Collection[int] = ()) -> int:
        """Remove photos that no file holds any more, except those to `keep`, and return how many.

        Their embeddings go too, so every checkpoint gets a new generation: an index file of before
        cannot be taken for one of now.
        """
        lost = ~select(FILE.c.id).where(FILE.c.photo_id == PHOTO.c.id).exists()
        if keep:
            ids = self._connection.scalars(select(PHOTO.c.id).where(lost)).all()
            removed = sum(
                self._deleted(delete(PHOTO).where(lost, PHOTO.c.id.in_(part)))
                for part in statement_chunks([id_ for id_ in ids if id_ not in keep])
            )
        else:
            removed = self._deleted(delete(PHOTO).where(lost))
        if removed:
            self.remove_unused_words()
            self._connection.execute(
                update(CHECKPOINT).values(generation=CHECKPOINT.c.generation + 1)
            )
        return removed

    def remove_unused_words(self) -> None:
        """Remove the keywords and people that no photo bears any more."""
        borne = exists().where(PHOTO_KEYWORD.c.keyword_id == KEYWORD.c.id)
        self._deleted(delete(KEYWORD).where(~borne))
        named = exists().where(PHOTO_PERSON.c.person_id == PERSON.c.id)
        self._deleted(delete(PERSON).where(~named))

    def _add_words(self, photos: Mapping[int, PhotoMetadata]) -> None:
        """Note the keywords and the people of these photos, which have none so far."""
        keywords = self._word_ids(KEYWORD, (facts.keywords for facts in photos.values()))
        people = self._word_ids(PERSON, (facts.people for facts in photos.values()))
        self._dialect.put(
            self._connection,
            PHOTO_KEYWORD,
            ["keyword_id", "photo_id"],
            [
                {"keyword_id": keywords[storable(name)], "photo_id": id_}
                for id_, facts in photos.items()
                for name in facts.keywords
            ],
            overwrite=False,
        )
        self._dialect.put(
            self._connection,
            PHOTO_PERSON,
            ["person_id", "photo_id"],
            [
                {"person_id": people[storable(name)], "photo_id": id_}
                for id_, facts in photos.items()
                for name in facts.people
            ],
            overwrite=False,
        )

    def _word_ids(self, table: Table, words: Iterable[Sequence[str]]) -> dict[str, int]:
        """Return the ids of the words, which are added where they are new."""
        # In order, so that two writers do not wait for each other.
        names = sorted({storable(name) for photo in words for name in photo})
        rows = [{"name": name} for name in names]
        self._dialect.put(self._connection, table, ["name"], rows, overwrite=False)
        found: dict[str, int] = {}
        for chunk in statement_chunks(names):
            query = select(table.c.name, table.c.id).where(table.c.name.in_(chunk))
            found.update(self._connection.execute(query).all())
        return found


def _identity(facts: PhotoFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in _IDENTITY}


def _columns(metadata: PhotoMetadata) -> dict[str, Any]:
    """Return the columns of a photo's row that hold its metadata."""
    columns = {
        field.name: getattr(metadata, field.name)
        for field in fields(PhotoMetadata)
        if field.name not in ("keywords", "people")
    }
    columns["taken_at"], columns["utc_offset"] = split_offset(metadata.taken_at)
    return columns
