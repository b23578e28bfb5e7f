"""Changes of photos."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, delete, exists, insert, or_, select, update

from sigseek.storage.catalog.changes.counts import recount
from sigseek.storage.catalog.changes.embeddings import forget_removals
from sigseek.storage.catalog.changes.hashes import SKETCH_KEY, hash_columns, sketch_rows
from sigseek.storage.catalog.changes.pictures import PictureWriter
from sigseek.storage.catalog.columns import storable
from sigseek.storage.catalog.dialect import PLANNED_ANEW
from sigseek.storage.catalog.local_time import split_offset
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.reading.counts import is_held
from sigseek.storage.catalog.reading.photos import present_files
from sigseek.storage.catalog.tables import (
    CHECKPOINT,
    FILE,
    KEYWORD,
    PERSON,
    PHOTO,
    PHOTO_KEYWORD,
    PHOTO_PERSON,
    SKETCH,
    UNHELD_PHOTO,
)
from sigseek.storage.records import PhotoFacts, PhotoFile, PhotoMetadata
from sigseek.storage.records.hashes import HashRecord

_IDENTITY = ("digest", "digest_version", "width", "height", "format", "damaged")
_FACTS = tuple(
    field.name for field in fields(PhotoMetadata) if field.name not in ("keywords", "people")
)


class PhotoWriter(PictureWriter):
    """Changes of photos."""

    def add_photo(self, facts: PhotoFacts) -> int:
        """Return the id of the photo with this digest, added if it is new."""
        return self.add_photos([facts])[facts.digest]

    def add_photos(
        self,
        photos: Sequence[PhotoFacts],
        hashes: Mapping[bytes, HashRecord] | None = None,
        hash_version: int = 0,
    ) -> dict[bytes, int]:
        """Return the ids of the photos with these digests, added where they are new.

        `hashes` has perceptual hashes by the photos' digests, all of this version. Only those of
        new photos are kept. No other writer can remove the photos before the transaction ends.
        """
        by_digest = {facts.digest: facts for facts in photos}
        known: dict[bytes, int] = {}
        attempt = None
        while attempt is None:
            known = self._find([digest for digest in by_digest if digest not in self._unknown])
            new = [facts for digest, facts in by_digest.items() if digest not in known]
            attempt = self._add_together(new, hashes or {}, hash_version)
        added, others = attempt
        self._add_words({id_: by_digest[digest] for digest, id_ in added.items()})
        kept = {id_: (hashes or {}).get(digest) for digest, id_ in added.items()}
        self._dialect.put(self._connection, SKETCH, SKETCH_KEY, sketch_rows(kept), overwrite=False)
        return known | others | added

    def _add_together(
        self, photos: Sequence[PhotoFacts], hashes: Mapping[bytes, HashRecord], hash_version: int
    ) -> tuple[dict[bytes, int], dict[bytes, int]] | None:
        """Add photos and return the ids by digest: of the added ones, and of those that another
        writer had just added. Return None, with none of them added, where yet another one has
        removed such a photo since.

        To add only that one again would be out of the order in which all writers add photos, and
        two of them could wait for each other.
        """
        if not photos:
            return {}, {}
        rows = [
            _columns(facts)
            | _identity(facts)
            | hash_columns(hashes.get(facts.digest), hash_version)
            for facts in photos
        ]
        safe = self._safe.copy()
        with self._connection.begin_nested() as attempt:
            found = self._dialect.add(
                self._connection, PHOTO, ["digest"], rows, [PHOTO.c.digest, PHOTO.c.id]
            )
            added: dict[bytes, int] = dict(found)
            others = self._find([one.digest for one in photos if one.digest not in added])
            if len(added) + len(others) == len(photos):
                self._added.update(added.values())
                self._safe.update(added.values())
                return added, others
            attempt.rollback()
        self._safe = safe
        self._unknown.clear()
        return None

    def put_metadata(self, photos: Mapping[int, PhotoMetadata]) -> None:
        """Replace what is known of the photos with these ids by what their files say now. Photos
        that another writer has removed meanwhile are passed over.
        """
        present = self._lock_photos(photos, change=True)
        photos = {id_: photos[id_] for id_ in sorted(present)}
        if not photos:
            return
        rows = [{"photo": id_} | _columns(metadata) for id_, metadata in photos.items()]
        self._keep_photos({row["photo"]: (row["taken_at"], row["rating"]) for row in rows})
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

    def with_files(self, read: Mapping[int, Collection[PhotoFile]]) -> set[int]:
        """Return those of the photos with these ids whose present files are still those that are
        given. Another writer that changes the files of one of them waits then, so that it marks the
        photo's metadata as out of date after this transaction has put them.
        """
        locked = self._lock_photos(read, change=True)
        now = present_files(self._connection, sorted(locked))
        return {id_ for id_ in locked if set(now.get(id_, ())) == set(read[id_])}

    def mark_metadata_read(self, photo_ids: Sequence[int], version: int) -> None:
        """Note that the reader of this version found nothing new about these photos."""
        for chunk in statement_chunks(photo_ids):
            self._connection.execute(
                update(PHOTO).where(PHOTO.c.id.in_(chunk)).values(facts_version=version)
            )

    def remove_photos_without_files(
        self, keep: Collection[int] = (), among: Collection[int] | None = None
    ) -> int:
        """Remove photos that no file holds any more, except those to `keep`, and return how many.
        With `among`, only photos with these ids are removed.

        Their embeddings go too, so every checkpoint gets a new generation: an index file of before
        cannot be taken for one of now.
        """
        self.note_unheld()
        if among is None:
            among = self._connection.scalars(select(UNHELD_PHOTO.c.photo_id).distinct()).all()
        removed = self._remove_unused(PHOTO, is_held(), keep, among)
        self._added.clear()
        self._safe.clear()
        if removed:
            self.remove_unused_words()
            self._connection.execute(
                update(CHECKPOINT).values(generation=CHECKPOINT.c.generation + 1)
            )
            forget_removals(self._connection)
            self.forget_held()
        return removed

    def note_unheld(self) -> None:
        """Note which of the photos that this transaction added have no file. Triggers note those
        that lose one.
        """
        rows = [{"photo_id": id_} for id_ in sorted(self._added - self._filed)]
        if rows:
            self._connection.execute(insert(UNHELD_PHOTO), rows)

    def forget_held(self) -> None:
        """Forget which photos may have no file, but for those that have none. A photo that loses a
        file at this moment gets a new row, which stays.
        """
        # "Not among the photos without files" would be shorter, and quadratic on PostgreSQL.
        is_there = exists().where(PHOTO.c.id == UNHELD_PHOTO.c.photo_id)
        has_file = exists().where(FILE.c.photo_id == UNHELD_PHOTO.c.photo_id)
        self._connection.execute(delete(UNHELD_PHOTO).where(or_(has_file, ~is_there)))

    def recount(self) -> None:
        """Count all photos and files, and find all photos without files."""
        recount(self._connection)

    def remove_unused_words(self) -> None:
        """Remove the keywords and people that no photo bears any more."""
        self._remove_unused(KEYWORD, exists().where(PHOTO_KEYWORD.c.keyword_id == KEYWORD.c.id))
        self._remove_unused(PERSON, exists().where(PHOTO_PERSON.c.person_id == PERSON.c.id))

    def _remove_unused(
        self,
        table: Table,
        is_used: ColumnElement[bool],
        keep: Collection[int] = (),
        among: Collection[int] | None = None,
    ) -> int:
        """Remove the rows that are not used, except those with the ids to `keep`, and return how
        many. With `among`, only rows with these ids are removed.

        Another writer may be about to use a row. It has locked the row then, which stays; to wait
        could be to wait for each other. Whether a row is used is asked again when it is locked: it
        may have come into use just before.
        """
        unused = select(table.c.id).where(~is_used).order_by(table.c.id)
        queries = [unused]
        if among is not None:
            parts = statement_chunks(sorted(among))
            queries = [unused.where(self._dialect.is_one_of(table.c.id, part)) for part in parts]
        meant = [
            id_
            for query in queries
            for id_ in self._connection.scalars(
                query.with_for_update(skip_locked=True), execution_options={PLANNED_ANEW: True}
            )
            if id_ not in keep
        ]
        return sum(
            self._deleted(delete(table).where(table.c.id.in_(part), ~is_used))
            for part in statement_chunks(meant)
        )

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
        missing = sorted({storable(name) for photo in words for name in photo})
        found: dict[str, int] = {}
        while missing:
            rows = [{"name": name} for name in missing]
            self._dialect.put(self._connection, table, ["name"], rows, overwrite=False)
            for chunk in statement_chunks(missing):
                query = select(table.c.name, table.c.id).where(table.c.name.in_(chunk))
                locked = query.order_by(table.c.name).with_for_update(read=True, key_share=True)
                found.update(self._connection.execute(locked).all())
            # Another writer may have removed one that was there, before it was locked.
            missing = [name for name in missing if name not in found]
        return found


def _identity(facts: PhotoFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in _IDENTITY}


def _columns(metadata: PhotoMetadata) -> dict[str, Any]:
    """Return the columns of a photo's row that hold its metadata."""
    columns = {name: getattr(metadata, name) for name in _FACTS}
    columns["taken_at"], columns["utc_offset"] = split_offset(metadata.taken_at)
    return columns
