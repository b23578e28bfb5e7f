"""The blocks of values that photos are counted by, as they are kept and as they should be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Executable, func, select

from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.facet_block import BLOCK_KINDS, PHOTOS, SHIFT, FacetBlock
from sigseek.storage.catalog.tables import FACET_BLOCK, FILE, PHOTO
from sigseek.storage.facets import FacetKind, place_in_words

_FETCHED = 100
_MONTH = len("1978-05")


def newest_block(connection: Connection) -> int:
    """Return the number of the block of the newest photo; -1 where there is no photo."""
    newest = connection.scalar(select(func.max(PHOTO.c.id)))
    return -1 if newest is None else newest >> SHIFT


def lacking_numbers(connection: Connection) -> list[int]:
    """Return the numbers of the blocks that are not there for all kinds, the newest first."""
    number = FACET_BLOCK.c.number
    whole = select(number).group_by(number).having(func.count() == len(BLOCK_KINDS))
    there = set(connection.scalars(whole))
    return [one for one in range(newest_block(connection), -1, -1) if one not in there]


def kept_blocks(
    connection: Connection,
    dialect: Dialect,
    numbers: Sequence[int],
    kinds: Sequence[FacetKind] = BLOCK_KINDS,
) -> Iterator[tuple[int, FacetKind, FacetBlock]]:
    """Yield the number and the kind of each block that is kept, and the block, in the order of the
    numbers.
    """
    block = FACET_BLOCK.c
    asked = dialect.is_among(block.number, "ids"), block.kind.in_(kinds)
    query = select(block.number, block.kind, block.words, block.codes).where(*asked)
    values = {"ids": dialect.ids(numbers)}
    for rows in dialect.stream(connection, query.order_by(block.number), values, _FETCHED):
        for number, kind, words, codes in rows:
            yield number, kind, FacetBlock.read(words, codes)


def right_blocks(
    connection: Connection, dialect: Dialect, number: int
) -> dict[FacetKind, FacetBlock]:
    """Return the blocks with the number as the rows of photos and files have them."""
    first, behind = number << SHIFT, (number + 1) << SHIFT
    photo = PHOTO.c
    columns = (
        photo.id, photo.taken_at, photo.camera, photo.format, photo.rating,
        photo.city, photo.region, photo.country,
    )  # fmt: skip
    rows = _rows(
        connection,
        dialect,
        select(*columns).where(photo.id >= first, photo.id < behind).order_by(photo.id),
    )
    ids, dates, cameras, formats, ratings, *names = (
        zip(*rows, strict=True) if rows else ((),) * len(columns)
    )
    in_words = cache(place_in_words)
    folders: dict[int, set[int]] = {id_: set() for id_ in ids}
    holds = FILE.c.photo_id >= first, FILE.c.photo_id < behind
    pairs = select(FILE.c.photo_id, FILE.c.folder_id).where(*holds)
    for photo_id, folder_id in _rows(connection, dialect, pairs):
        if photo_id in folders:  # else the catalog is damaged
            folders[photo_id].add(folder_id)
    values: dict[FacetKind, Iterable[Any]] = {
        "month": (taken and taken[:_MONTH] for taken in dates),
        "camera": cameras,
        "place": map(in_words, zip(*names, strict=True)),
        "format": formats,
        "rating": ratings,
        "folder": (tuple(sorted(of_photo)) for of_photo in folders.values()),
    }
    return {kind: FacetBlock.of(ids, of_kind) for kind, of_kind in values.items()}


def _rows(connection: Connection, dialect: Dialect, query: Executable) -> list[tuple[Any, ...]]:
    """Return the driver's own rows, which take half of the time of SQLAlchemy's."""
    return [row for rows in dialect.stream(connection, query, {}, PHOTOS) for row in rows]
