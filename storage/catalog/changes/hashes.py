"""Changes of perceptual hashes, and of pairs that a person called no duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, or_, select, update

from sigseek.storage.catalog.changes.embedding_pairs import forget_looks
from sigseek.storage.catalog.changes.writer import Writer
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.paths import statement_chunks
from sigseek.storage.catalog.tables import DISTINCT_PAIR, NEAR_PAIR, PHOTO, SKETCH
from sigseek.storage.records.hashes import HashRecord

SKETCH_KEY = ("photo_id", "is_inner")


class HashWriter(Writer):
    """Changes of perceptual hashes, and of pairs that a person called no duplicates."""

    def put_hashes(self, hashes: Mapping[int, HashRecord | None], version: int) -> None:
        """Keep the hashes of photos by id, all of this version. None is for a photo whose files
        give no picture any more. These photos are compared again. Photos that another writer has
        removed meanwhile are passed over.
        """
        present = self._lock_photos(hashes, change=True)
        hashes = {id_: hashes[id_] for id_ in sorted(present)}
        several = [id_ for id_, record in hashes.items() if record and record.several_pictures]
        is_one_of = self._dialect.is_one_of
        # Nothing refers yet to photos that this transaction has added.
        for chunk in statement_chunks([id_ for id_ in hashes if id_ not in self._added]):
            self._connection.execute(delete(SKETCH).where(is_one_of(SKETCH.c.photo_id, chunk)))
            for photo in (NEAR_PAIR.c.first_id, NEAR_PAIR.c.second_id):
                self._connection.execute(delete(NEAR_PAIR).where(is_one_of(photo, chunk)))
            forget_looks(self._connection, self._dialect, chunk)
        for chunk in statement_chunks(list(hashes)):
            values = {"hash_version": version, "pairs_version": 0, "several_pictures": False}
            of_photos = update(PHOTO).where(is_one_of(PHOTO.c.id, chunk))
            self._connection.execute(of_photos.values(values))
        colors = [
            {"photo": id_, "value": record.color}
            for id_, record in hashes.items()
            if record is not None and record.color is not None
        ]
        if colors:
            of_photo = update(PHOTO).where(PHOTO.c.id == bindparam("photo"))
            self._connection.execute(of_photo.values(color=bindparam("value")), colors)
        for chunk in statement_chunks(several):
            self._connection.execute(
                update(PHOTO).where(PHOTO.c.id.in_(chunk)).values(several_pictures=True)
            )
        self._put(SKETCH, SKETCH_KEY, sketch_rows(hashes))

    def put_near_pairs(
        self, photo_ids: Sequence[int], pairs: Iterable[tuple[int, int]], version: int
    ) -> None:
        """Note that this version of the comparison compared these photos with each other and with
        all that it had compared before, and which pairs look like one shot.
        """
        rows = [{"first_id": min(pair), "second_id": max(pair)} for pair in pairs]
        keys = ["first_id", "second_id"]
        self._dialect.put(self._connection, NEAR_PAIR, keys, rows, overwrite=False)
        compared = update(PHOTO).where(self._dialect.is_among(PHOTO.c.id, "ids"))
        for chunk in statement_chunks(photo_ids):
            ids = {"ids": self._dialect.ids(chunk)}
            self._connection.execute(compared.values(pairs_version=version), ids)

    def remove_near_pairs(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Note that these pairs do not look like one shot."""
        for first, second in pairs:
            same = (NEAR_PAIR.c.first_id == first) & (NEAR_PAIR.c.second_id == second)
            self._connection.execute(delete(NEAR_PAIR).where(same))

    def forget_near_pairs(self, version: int) -> None:
        """Remove the pairs of other versions of the comparison than this one."""
        others = PHOTO.c.pairs_version.not_in([0, version])
        if self._connection.scalar(select(exists().where(others))):
            self._connection.execute(delete(NEAR_PAIR))
            self._connection.execute(update(PHOTO).values(pairs_version=0))

    def put_distinct_pairs(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Note that a person called the two photos of each pair no duplicates."""
        put_distinct_pairs(self._connection, self._dialect, pairs)

    def remove_distinct_pairs(self, pairs: Iterable[tuple[int, int]]) -> int:
        """Note that a person takes back that the two photos of each pair are no duplicates. Returns
        of how many pairs that had been said.
        """
        said = 0
        for one, other in pairs:
            same = (DISTINCT_PAIR.c.first_id == min(one, other)) & (
                DISTINCT_PAIR.c.second_id == max(one, other)
            )
            said += self._connection.execute(delete(DISTINCT_PAIR).where(same)).rowcount
        return said


def hash_columns(record: HashRecord | None, version: int) -> dict[str, Any]:
    """Return the columns of a new photo's row that its hash gives; None is for a photo without."""
    return {
        "hash_version": version if record else 0,
        "several_pictures": bool(record and record.several_pictures),
        "color": record.color if record else None,
    }


def sketch_rows(hashes: Mapping[int, HashRecord | None]) -> list[dict[str, Any]]:
    """Return the rows of sketches that the hashes of photos, by id, give."""
    return [
        {
            "photo_id": photo_id,
            "is_inner": sketch is record.inner,
            "margins": sketch.margins,
            "quality": sketch.quality,
            "bits": sketch.bits,
            "variants": sketch.variants,
            "levels": sketch.levels,
        }
        for photo_id, record in hashes.items()
        if record is not None
        for sketch in (record.whole, record.inner)
        if sketch is not None
    ]


def put_distinct_pairs(
    connection: Connection, dialect: Dialect, pairs: Iterable[tuple[int, int]]
) -> None:
    """Note pairs of photos that are not duplicates. A photo is never paired with itself."""
    rows = [{"first_id": min(pair), "second_id": max(pair)} for pair in pairs if pair[0] != pair[1]]
    keys = ["first_id", "second_id"]
    dialect.put(connection, DISTINCT_PAIR, keys, rows, overwrite=False)


def copy_distinct_pairs(
    connection: Connection, dialect: Dialect, photos: Iterable[tuple[int, int]]
) -> None:
    """Let what a person said of the first photo of each pair hold for the second, too: of whatever
    photo the first was called no duplicate, the second is none.
    """
    for photo, other in photos:
        said = select(DISTINCT_PAIR.c.first_id, DISTINCT_PAIR.c.second_id).where(
            or_(DISTINCT_PAIR.c.first_id == photo, DISTINCT_PAIR.c.second_id == photo)
        )
        found = connection.execute(said).all()
        pairs = [(other, second if first == photo else first) for first, second in found]
        put_distinct_pairs(connection, dialect, pairs)
