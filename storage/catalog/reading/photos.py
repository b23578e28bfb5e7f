"""Questions about photos."""

import os
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Literal

from sqlalchemy import (
    Column,
    Connection,
    Executable,
    Select,
    exists,
    func,
    literal,
    null,
    select,
    union_all,
)

from sigseek.storage.catalog.local_time import join_offset
from sigseek.storage.catalog.paths import containing_folder, statement_chunks
from sigseek.storage.catalog.reading.counts import (
    RowCounts,
    count_photos_with_files,
    count_photos_without_files,
    counted_anew,
    counts_of_triggers,
    is_held,
    photos_without_files,
)
from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.reading.tags import UNDECIDED
from sigseek.storage.catalog.tables import (
    DISTINCT_PAIR,
    FILE,
    FOLDER,
    HAND_TAG,
    KEYWORD,
    PERSON,
    PHOTO,
    PHOTO_KEYWORD,
    PHOTO_PERSON,
    TAG,
)
from sigseek.storage.records import (
    DamagedFile,
    FileLocation,
    PhotoFile,
    PhotoMetadata,
    PhotoRecord,
    PhotoTag,
    PictureRecord,
)

StalePart = Literal["metadata", "hash"]
"""What of a photo may have been made by an earlier version of the program."""


class PhotoReader(Reader):
    """Questions about photos."""

    def photo_count(self) -> int:
        """Return the number of photos with a file, present or missing."""
        with self._connect() as connection:
            return count_photos_with_files(connection)

    def damaged_files(self) -> list[DamagedFile]:
        """Return the files of damaged photos that were there at the last run, by path."""
        query = (
            select(FOLDER.c.path, FILE.c.path, PHOTO.c.id)
            .join(FILE, FILE.c.folder_id == FOLDER.c.id)
            .join(PHOTO, PHOTO.c.id == FILE.c.photo_id)
            .where(PHOTO.c.damaged, FILE.c.missing_since.is_(None))
        )
        with self._connect() as connection:
            found = [
                DamagedFile(str(PurePath(root, path)), id_)
                for root, path, id_ in connection.execute(query)
            ]
        return sorted(found, key=lambda file: file.path)

    def count_damaged(self) -> int:
        """Return the number of damaged photos with a file, present or missing."""
        query = select(func.count()).select_from(PHOTO).where(PHOTO.c.damaged, is_held())
        with self._connect() as connection:
            return connection.scalar(query) or 0

    def count_photos_without_files(self) -> int:
        """Return the number of photos that no file holds any more."""
        with self._connect() as connection:
            return count_photos_without_files(connection)

    def photos_without_files(self) -> list[int]:
        """Return the ids of the photos that no file holds any more."""
        with self._connect() as connection:
            return list(connection.scalars(photos_without_files()))

    def row_counts(self) -> tuple[RowCounts, RowCounts]:
        """Return the numbers that triggers keep, and those that are counted now, which reads an
        index of each table. They are of one moment in a snapshot alone.
        """
        with self._connect() as connection:
            return counts_of_triggers(connection), counted_anew(connection)

    def count_with_judged_tags(self, ids: Collection[int]) -> int:
        """Return how many of the photos with these ids have tags that a checkpoint judged."""
        return len(self._among(select(TAG.c.photo_id), TAG.c.photo_id, ids))

    def tagged_by_hand(self, ids: Collection[int]) -> set[int]:
        """Return those of the photos with these ids to which a person gave tags."""
        given = select(HAND_TAG.c.photo_id).where(HAND_TAG.c.given)
        return self._among(given, HAND_TAG.c.photo_id, ids)

    def decided_by_hand(self, ids: Collection[int]) -> set[int]:
        """Return those of the photos with these ids to which a person gave tags, or which a person
        called no duplicates of other photos.
        """
        found = self.tagged_by_hand(ids)
        for photo_id in (DISTINCT_PAIR.c.first_id, DISTINCT_PAIR.c.second_id):
            found |= self._among(select(photo_id), photo_id, ids)
        return found

    def count_with_tags(self, ids: Collection[int]) -> int:
        """Return how many of the photos with these ids have tags, whoever gave them."""
        judged = self._among(select(TAG.c.photo_id), TAG.c.photo_id, ids)
        return len(judged | self.tagged_by_hand(ids))

    def _among(self, query: Select[int], column: Column[int], ids: Collection[int]) -> set[int]:
        """Return those of the ids that the query selects by this column."""
        with self._connect() as connection:
            return {
                id_
                for chunk in statement_chunks(list(ids))
                for id_ in connection.scalars(query.where(column.in_(chunk)))
            }

    def find_photo_of_file(self, path: Path) -> int | None:
        """Return the id of the photo that the file at this absolute path held when it was last
        seen.
        """
        with self._connect() as connection:
            found = containing_folder(connection, path)
            if found is None:
                return None
            folder, inside = found
            query = select(FILE.c.photo_id).where(FILE.c.folder_id == folder.id)
            among = self._dialect.is_path_among(FILE.c.path, [str(inside)])
            return connection.scalar(query.where(among))

    def photo_paths(self, photo_id: int) -> list[FileLocation]:
        """Return where the photo's files are, missing ones too."""
        query = (
            select(FOLDER.c.id, FOLDER.c.path, FILE.c.path)
            .join(FILE, FILE.c.folder_id == FOLDER.c.id)
            .where(FILE.c.photo_id == photo_id)
        )
        with self._connect() as connection:
            return [FileLocation(*row) for row in connection.execute(query)]

    def stale_photos(self, what: StalePart, folder_ids: Sequence[int], version: int) -> list[int]:
        """Return the photos of which this part is missing, or was made by a reader older than
        `version`, and that have a file in one of the folders that was there at the last run.
        """
        made_by = {"metadata": PHOTO.c.facts_version, "hash": PHOTO.c.hash_version}[what]
        there = exists().where(
            FILE.c.photo_id == PHOTO.c.id,
            FILE.c.folder_id.in_(folder_ids),
            FILE.c.missing_since.is_(None),
        )
        query = select(PHOTO.c.id).where(made_by < version, there)
        with self._connect() as connection:
            return list(connection.scalars(query.order_by(PHOTO.c.id)))

    def present_files(self, ids: Sequence[int]) -> dict[int, list[PhotoFile]]:
        """Return the files of the photos with these ids that were there at the last run, by photo
        id.
        """
        with self._connect() as connection:
            return present_files(connection, ids)

    def picture(self, photo_id: int) -> PictureRecord | None:
        """Return the picture of the photo with this id; None unless the photo has a file, present
        or missing.
        """
        return self.pictures([photo_id]).get(photo_id)

    def pictures(self, ids: Sequence[int]) -> dict[int, PictureRecord]:
        """Return the pictures of those of the photos with these ids that have a file, by id."""
        found: dict[int, PictureRecord] = {}
        with self._connect() as connection:
            for chunk in statement_chunks(ids):
                rows = connection.execute(self._pictures, {"ids": self._dialect.ids(chunk)})
                found |= {id_: PictureRecord(*row) for id_, *row in rows}
        return found

    def photos(self, ids: Sequence[int]) -> dict[int, PhotoRecord]:
        """Return those of the photos with these ids that have a file, by id."""
        found: dict[int, PhotoRecord] = {}
        with self._connect() as connection:
            for chunk in statement_chunks(ids):
                among = {"ids": self._dialect.ids(chunk)}
                paths: dict[int, list[tuple[bool, str]]] = defaultdict(list)
                values: dict[int, Sequence[Any]] = {}
                words: dict[tuple[str, int], list[str]] = defaultdict(list)
                # By place: every search reads these, and to ask a row for each column by its name
                # takes longer than to read it.
                for kind, id_, word, folder, file, is_missing, *columns in connection.execute(
                    self._files_and_words, among
                ):
                    if kind != _FILE:
                        words[kind, id_].append(word)
                        continue
                    path = os.path.join(folder, file)  # noqa: PTH118 - a fifth of PurePath's time
                    paths[id_].append((is_missing, path))
                    values[id_] = columns
                found |= {
                    id_: _record(id_, paths[id_], columns, words) for id_, columns in values.items()
                }
        return found

    # Every search asks these, and to make the statements again would take longer than they take.

    @cached_property
    def _files_and_words(self) -> Executable:
        """The statement that selects the files of photos, each with its photo's columns, and the
        keywords, people and tags of these photos: the kind of row, the photo's id, and the word.

        One statement, because a round trip to a server takes longer than to read a photo once more
        for each of its files, and the columns that are empty beside a word.
        """
        files = (
            select(
                literal(_FILE).label("kind"),
                PHOTO.c.id,
                null().label("word"),
                FOLDER.c.path.label("folder_path"),
                FILE.c.path.label("file_path"),
                FILE.c.missing_since.is_not(None).label("is_missing"),
                *(PHOTO.c[name] for name in _COLUMNS),
            )
            .join_from(FILE, PHOTO, PHOTO.c.id == FILE.c.photo_id)
            .join(FOLDER, FOLDER.c.id == FILE.c.folder_id)
            .where(self._dialect.is_among(FILE.c.photo_id, "ids"))
        )
        return union_all(
            files,
            self._words("keyword", PHOTO_KEYWORD.c.photo_id, KEYWORD.c.name).join(
                KEYWORD, KEYWORD.c.id == PHOTO_KEYWORD.c.keyword_id
            ),
            self._words("person", PHOTO_PERSON.c.photo_id, PERSON.c.name).join(
                PERSON, PERSON.c.id == PHOTO_PERSON.c.person_id
            ),
            self._words("tag", TAG.c.photo_id, TAG.c.name).where(UNDECIDED),
            self._words("hand tag", HAND_TAG.c.photo_id, HAND_TAG.c.name).where(HAND_TAG.c.given),
        )

    def _words(self, kind: str, photo_id: Column[int], word: Column[str]) -> Select[Any]:
        """Return the query for words of photos, with the columns of their files left empty."""
        empty: list[Any] = [null()] * (3 + len(_COLUMNS))
        return select(literal(kind), photo_id, word, *empty).where(
            self._dialect.is_among(photo_id, "ids")
        )

    @cached_property
    def _pictures(self) -> Executable:
        """The statement that selects what `PictureRecord` has, after the photo's id."""
        held = exists().where(FILE.c.photo_id == PHOTO.c.id)
        return select(
            PHOTO.c.id,
            PHOTO.c.digest,
            PHOTO.c.width,
            PHOTO.c.height,
            PHOTO.c.format,
            PHOTO.c.color,
        ).where(self._dialect.is_among(PHOTO.c.id, "ids"), held)


_PLAIN_FIELDS = tuple(
    field.name
    for field in fields(PhotoMetadata)
    if field.name not in ("keywords", "people", "taken_at")
)
"""The fields of the metadata that are columns of a photo."""
_COLUMNS = ("width", "height", "damaged", "taken_at", "utc_offset", *_PLAIN_FIELDS)
"""The columns of a photo that make its record, beside its id."""
_FILE = "file"
"""The kind of the rows that are not words."""


def _record(
    id_: int,
    paths: list[tuple[bool, str]],
    columns: Sequence[Any],
    words: Mapping[tuple[str, int], list[str]],
) -> PhotoRecord:
    """Return the record of a photo, given its files (whether each is missing, and its absolute
    path), the values of `_COLUMNS`, and the words of photos by kind and id.
    """
    width, height, damaged, taken_at, utc_offset, *plain = columns
    return PhotoRecord(
        id_,
        tuple(path for _, path in sorted(paths)),
        width,
        height,
        damaged,
        taken_at=join_offset(taken_at, utc_offset),
        keywords=tuple(sorted(words["keyword", id_])),
        people=tuple(sorted(words["person", id_])),
        tags=tuple(
            sorted(
                [PhotoTag(name, False) for name in words["tag", id_]]
                + [PhotoTag(name, True) for name in words["hand tag", id_]]
            )
        ),
        **dict(zip(_PLAIN_FIELDS, plain, strict=True)),
    )


def present_files(connection: Connection, ids: Sequence[int]) -> dict[int, list[PhotoFile]]:
    """Return what `PhotoReader.present_files` does."""
    query = (
        select(
            FILE.c.photo_id,
            FOLDER.c.path,
            FILE.c.path,
            FILE.c.size,
            FILE.c.mtime_ns,
            FILE.c.sidecars,
        )
        .join(FOLDER, FOLDER.c.id == FILE.c.folder_id)
        .where(FILE.c.missing_since.is_(None))
    )
    found: dict[int, list[PhotoFile]] = defaultdict(list)
    for chunk in statement_chunks(ids):
        rows = connection.execute(query.where(FILE.c.photo_id.in_(chunk)))
        for photo_id, folder, path, size, mtime_ns, sidecars in rows:
            absolute = os.path.join(folder, path)  # noqa: PTH118 - a fifth of PurePath's time
            found[photo_id].append(PhotoFile(absolute, size, mtime_ns, sidecars))
    return found
