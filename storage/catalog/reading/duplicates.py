"""SELECTs of photos that have duplicates, as far as the catalog knows without looking at files."""

from sqlalchemy import ColumnElement, FromClause, Select, and_, exists, func, or_, select

from sigseek.storage.catalog.tables import DISTINCT_PAIR, FILE, NEAR_PAIR, PHOTO
from sigseek.storage.records.photos import DateSource

TO_THE_SECOND = len("2016-12-24T10:02:17")
"""The length of a time that is known to the second."""


def photos_with_copies() -> Select[int]:
    """Select the photos that several files held at the last run."""
    there = select(FILE.c.photo_id).where(
        FILE.c.photo_id.in_(photos_of_several_files()), FILE.c.missing_since.is_(None)
    )
    return there.group_by(FILE.c.photo_id).having(func.count() > 1)


def photos_of_several_files() -> Select[int]:
    """Select the photos that have several files, there or missing. Most have one, and the index on
    photos alone tells which have more.
    """
    return select(FILE.c.photo_id).group_by(FILE.c.photo_id).having(func.count() > 1)


def near_duplicates() -> tuple[Select[int], Select[int]]:
    """Select the photos of the kept pairs that are near duplicates: the first ones, and the second
    ones. Both photos of a pair had a file at the last run.
    """
    first, second = PHOTO.alias("first"), PHOTO.alias("second")
    distinct = exists().where(
        DISTINCT_PAIR.c.first_id == NEAR_PAIR.c.first_id,
        DISTINCT_PAIR.c.second_id == NEAR_PAIR.c.second_id,
    )
    pairs = (
        select(NEAR_PAIR.c.first_id, NEAR_PAIR.c.second_id)
        .join(first, first.c.id == NEAR_PAIR.c.first_id)
        .join(second, second.c.id == NEAR_PAIR.c.second_id)
        .where(
            ~distinct,
            ~first.c.several_pictures,
            ~second.c.several_pictures,
            or_(
                ~_has_shot_time(first),
                ~_has_shot_time(second),
                first.c.taken_at == second.c.taken_at,
            ),
            _is_there(first),
            _is_there(second),
        )
    )
    return pairs.with_only_columns(NEAR_PAIR.c.first_id), pairs.with_only_columns(
        NEAR_PAIR.c.second_id
    )


def _has_shot_time(photo: FromClause) -> ColumnElement[bool]:
    """Return whether the camera says to the second when it took the photo."""
    return and_(
        photo.c.taken_at.is_not(None),
        photo.c.date_source.is_not(None),
        photo.c.date_source == DateSource.EXIF_ORIGINAL.value,
        func.length(photo.c.taken_at) >= TO_THE_SECOND,
    )


def _is_there(photo: FromClause) -> ColumnElement[bool]:
    return exists().where(FILE.c.photo_id == photo.c.id, FILE.c.missing_since.is_(None))
