"""The blocks of values that photos are counted by, as they are kept and as they should be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Executable, func, select

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
    connection: Connection,
    dialect: Dialect,
    number: int,
    kinds: Collection[FacetKind] = BLOCK_KINDS,
) -> dict[FacetKind, FacetBlock]:
    """Return the blocks with the number as the rows of photos and files have them."""
    first, behind = number << SHIFT, (number + 1) << SHIFT
    ids, values = photo_values(
        connection, dialect, lambda id_: (id_ >= first) & (id_ < behind), kinds
    )
    return {kind: FacetBlock.of(ids, of_kind) for kind, of_kind in values.items()}


def photo_values(
    connection: Connection,
    dialect: Dialect,
    is_asked: Callable[[Column[int]], ColumnElement[bool]],
    kinds: Collection[FacetKind],
    given: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[Sequence[int], dict[FacetKind, Iterable[Any]]]:
    """Return the ids of the photos whose id `is_asked` about, ascending, and their values of each
    kind, in the same order. `given` has the values of the parameters of the condition.
    """
    photo = PHOTO.c
    columns = (
        photo.id, photo.taken_at, photo.camera, photo.format, photo.rating,
        photo.city, photo.region, photo.country,
    )  # fmt: skip
    query = select(*columns).where(is_asked(photo.id)).order_by(photo.id)
    rows = _rows(connection, dialect, query, given)
    ids, dates, cameras, formats, ratings, *names = (
        zip(*rows, strict=True) if rows else ((),) * len(columns)
    )
    values: dict[FacetKind, Iterable[Any]] = {
        "month": (taken and taken[:_MONTH] for taken in dates),
        "camera": cameras,
        "place": map(cache(place_in_words), zip(*names, strict=True)),
        "format": formats,
        "rating": ratings,
    }
    if "folder" in kinds:
        folders: dict[int, set[int]] = {id_: set() for id_ in ids}
        pairs = select(FILE.c.photo_id, FILE.c.folder_id).where(is_asked(FILE.c.photo_id))
        for photo_id, folder_id in _rows(connection, dialect, pairs, given):
            if photo_id in folders:  # else the catalog is damaged
                folders[photo_id].add(folder_id)
        values["folder"] = (tuple(sorted(of_photo)) for of_photo in folders.values())
    return ids, {kind: values[kind] for kind in kinds}


def _rows(
    connection: Connection, dialect: Dialect, query: Executable, given: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Return the driver's own rows, which take half of the time of SQLAlchemy's."""
    return [row for rows in dialect.stream(connection, query, given, PHOTOS) for row in rows]
