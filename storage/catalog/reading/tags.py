"""Questions about tags.

A checkpoint judges which photos a label fits, and a person may have said something else. The
person's word counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, exists, func, select, union, union_all

from sigseek.storage.catalog.reading.reader import Reader
from sigseek.storage.catalog.tables import HAND_TAG, HAND_TAG_NAME, TAG, TAG_NAME

if TYPE_CHECKING:
    from sigseek.storage.records.arrays import Ids

_FETCHED = 1_000

UNDECIDED: ColumnElement[bool] = ~exists().where(
    HAND_TAG.c.name == TAG.c.name, HAND_TAG.c.photo_id == TAG.c.photo_id
)
"""Whether no person said that the judged photo has the tag, or has it not."""


class TagReader(Reader):
    """Questions about tags."""

    def tags(self) -> dict[str, int]:
        """Return the number of photos with each tag, by the tag's name in alphabetical order; 0 for
        a tag that no photo has.
        """
        counts: dict[str, int] = {}
        with self._connect() as connection:
            for names in (select(TAG_NAME.c.name), select(HAND_TAG_NAME.c.name)):
                counts |= dict.fromkeys(connection.scalars(names), 0)
            judged = _by_name(judged_photos(), TAG.c.name)
            given = _by_name(given_photos(), HAND_TAG.c.name)
            for query in (judged, given):
                for name, photos in connection.execute(query):
                    counts[name] = counts.get(name, 0) + photos
        return dict(sorted(counts.items()))

    def tag_names(self) -> list[str]:
        """Return the names of all tags in alphabetical order, also of those that no photo has."""
        with self._connect() as connection:
            return sorted(connection.scalars(names_of_tags()))

    def tags_by_hand(self) -> dict[str, int]:
        """Return how many photos were given each tag by hand; tags without any are left out."""
        with self._connect() as connection:
            return dict(connection.execute(_by_name(given_photos(), HAND_TAG.c.name)).all())

    def count_tagged(self, name: str) -> tuple[int, int]:
        """Return the number of photos with the tag, and how many of them were given it by hand."""
        judged = select(func.count()).select_from(judged_photos(name).subquery())
        given = select(func.count()).select_from(given_photos(name).subquery())
        with self._connect() as connection:
            by_hand = connection.scalar(given) or 0
            return (connection.scalar(judged) or 0) + by_hand, by_hand

    def tagged(self, name: str) -> Ids:
        """Return the ids (n,), ascending, of the photos with the tag."""
        import numpy as np

        query = union_all(judged_photos(name), given_photos(name)).order_by("photo_id")
        with self._connect() as connection:
            chunks = self._dialect.stream(connection, query, {}, _FETCHED)
            return np.fromiter((id_ for rows in chunks for (id_,) in rows), np.int64)


def names_of_tags() -> CompoundSelect[str]:
    """Select the names of all tags, also of those that no photo has."""
    return union(select(TAG_NAME.c.name), select(HAND_TAG_NAME.c.name))


def judged_photos(name: str | None = None) -> Select[int]:
    """Select the photos that have a tag, or this one, because a checkpoint found that it fits."""
    query = select(TAG.c.photo_id).where(UNDECIDED)
    return query if name is None else query.where(TAG.c.name == name)


def given_photos(name: str | None = None) -> Select[int]:
    """Select the photos that have a tag, or this one, because a person gave it to them."""
    query = select(HAND_TAG.c.photo_id).where(HAND_TAG.c.given)
    return query if name is None else query.where(HAND_TAG.c.name == name)


def _by_name(photos: Select[int], name: Any) -> Select[str, int]:
    """Count the photos of each tag."""
    return photos.with_only_columns(name, func.count()).group_by(name)
