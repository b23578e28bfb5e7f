"""Changes of what photos are known by, which may show that two of them are one picture."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import delete, select, update

from sigseek.storage.catalog.changes.embedding_pairs import remove_embedding_pairs
from sigseek.storage.catalog.changes.former_order import FormerOrderWriter
from sigseek.storage.catalog.changes.hashes import copy_distinct_pairs
from sigseek.storage.catalog.changes.tags import copy_hand_tags
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import (
    BIAS,
    CHECKPOINT,
    EMBEDDING,
    FILE,
    PHOTO,
    REMOVED_EMBEDDING,
    TAG,
)


class PictureWriter(FormerOrderWriter):
    """Changes of what photos are known by."""

    def find_photos(self, digests: Iterable[bytes]) -> dict[bytes, int]:
        """Return the ids of the photos with these digests, as far as there are any.

        No other writer can remove them before the transaction ends.
        """
        return self._find(sorted(digests))

    def identify_photos(self, pictures: Mapping[bytes, bytes], version: int) -> dict[bytes, int]:
        """Have photos that are known by a digest of an earlier version, or by that of all bytes, be
        known by that of their picture, and photos that are known by it already be of this version.

        `pictures` holds the digest of the picture, made by the reader of this version, by the
        earlier one. Photos that turn out to be one picture become one. It has the files and tags of
        both, and of two embeddings by a checkpoint the one that it had.

        Returns what `find_photos` returns for the digests of the pictures.
        """
        known = self._find(list({*pictures, *pictures.values()}))
        as_before = True
        outdated = self._outdated([*known.values()], version)
        merged: dict[int, int] = {}
        for earlier, picture in pictures.items():
            photo = known.get(earlier, known.get(picture))
            if photo is None:
                continue
            other = known.get(picture, photo)
            if other != photo:
                merged[photo] = other
                continue
            known[picture] = photo
            if photo in outdated:
                outdated.remove(photo)
                row = update(PHOTO).where(PHOTO.c.id == photo)
                self._connection.execute(row.values(digest=picture, digest_version=version))
                as_before = as_before and picture == earlier
        for photo, other in merged.items():
            self._merge(photo, other)
        if merged:
            self._connection.execute(delete(PHOTO).where(PHOTO.c.id.in_(merged)))
            self._safe.difference_update(merged)
            self._connection.execute(
                update(CHECKPOINT).values(generation=CHECKPOINT.c.generation + 1)
            )
        if merged or not as_before:
            return self.find_photos(pictures.values())
        return {picture: known[picture] for picture in pictures.values() if picture in known}

    def _merge(self, photo: int, other: int) -> None:
        """Give what belongs to a photo to another one, which is the same picture."""
        self._keep_files(FILE.c.photo_id == photo)
        self._connection.execute(
            update(FILE).where(FILE.c.photo_id == photo).values(photo_id=other)
        )
        self._connection.execute(update(PHOTO).where(PHOTO.c.id == other).values(facts_version=0))
        tags = select(TAG.c.name, TAG.c.checkpoint_id, TAG.c.probability)
        rows = [
            {"name": name, "photo_id": other, "checkpoint_id": checkpoint, "probability": value}
            for name, checkpoint, value in self._connection.execute(tags.filter_by(photo_id=photo))
        ]
        self._dialect.put(self._connection, TAG, ["name", "photo_id"], rows, overwrite=False)
        copy_hand_tags(self._connection, self._dialect, [(photo, other)])
        copy_distinct_pairs(self._connection, self._dialect, [(photo, other)])
        embedded = select(EMBEDDING.c.checkpoint_id).order_by(EMBEDDING.c.checkpoint_id)
        there = self._connection.scalars(embedded.filter_by(photo_id=other)).all()
        for checkpoint in self._connection.scalars(embedded.filter_by(photo_id=photo)).all():
            if checkpoint not in there:
                self._move_embedding(checkpoint, photo, other)

    def _move_embedding(self, checkpoint_id: int, photo: int, other: int) -> None:
        """Give a photo's embedding to another one. It is measured again as what is new is."""
        key = {"checkpoint_id": checkpoint_id, "photo_id": photo}
        self._connection.execute(delete(BIAS).filter_by(**key))
        remove_embedding_pairs(self._connection, checkpoint_id, [photo])
        generation = self._next_generation(checkpoint_id)
        self._connection.execute(
            update(EMBEDDING).filter_by(**key).values(photo_id=other, generation=generation)
        )
        removed = {"checkpoint_id": checkpoint_id, "generation": generation, "photo_id": photo}
        self._connection.execute(REMOVED_EMBEDDING.insert(), removed)

    def _outdated(self, photos: Sequence[int], version: int) -> set[int]:
        """Return the photos whose digest was made by a reader older than `version`."""
        older = select(PHOTO.c.id).where(PHOTO.c.digest_version < version)
        return {
            id_
            for chunk in statement_chunks(photos)
            for id_ in self._connection.scalars(
                older.where(self._dialect.is_one_of(PHOTO.c.id, chunk))
            )
        }

    def _find(self, digests: Sequence[bytes]) -> dict[bytes, int]:
        """Return the ids of known photos by digest, their rows locked against removal."""
        found: dict[bytes, int] = {}
        for chunk in statement_chunks(digests):
            query = select(PHOTO.c.digest, PHOTO.c.id).where(
                self._dialect.is_one_of(PHOTO.c.digest, chunk)
            )
            locked = query.order_by(PHOTO.c.id).with_for_update(read=True, key_share=True)
            found.update(self._connection.execute(locked).all())
        self._safe.update(found.values())
        self._unknown.update(digest for digest in digests if digest not in found)
        return found
