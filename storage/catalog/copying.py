"""Copying a catalog into another database, row by row, so that it works between any two of them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    UniqueConstraint,
    delete,
    func,
    select,
    true,
    tuple_,
)

from sigseek.progress import Listener, Phase, Progress, Stop
from sigseek.storage.catalog import schema
from sigseek.storage.catalog.changes.counts import recount
from sigseek.storage.catalog.changes.facet_blocks import make_blocks
from sigseek.storage.catalog.dialect import Dialect
from sigseek.storage.catalog.reading.facet_blocks import lacking_numbers
from sigseek.storage.catalog.tables import (
    CHECKPOINT,
    COUNT_CHANGE,
    FACET_BLOCK,
    FORMER_FILE,
    FORMER_FOLDER,
    FORMER_PHOTO,
    METADATA,
    ORDER_REVISION,
    REMOVED_EMBEDDING,
    SETTING,
    TASK,
    UNHELD_PHOTO,
    WORKER,
)

_TOGETHER = 1_000
"""Rows that are compared and written together."""
_OWN_SETTINGS = ("library_id", schema.READABLE)
"""Settings that belong to a database and not to what it holds."""
_OWN_TABLES = (
    TASK,
    WORKER,
    ORDER_REVISION,
    FORMER_PHOTO,
    FORMER_FILE,
    FORMER_FOLDER,
    REMOVED_EMBEDDING,
    COUNT_CHANGE,
    UNHELD_PHOTO,
    FACET_BLOCK,
)
"""Tables that belong to a database. Processes that index the source together do not index its copy,
pages of a list of the source are no pages of one of the copy, the copy has no index files yet, and
it counts its own rows and makes its own blocks of them.
"""
_TABLES = [table for table in METADATA.sorted_tables if table not in _OWN_TABLES]
"""The tables that are copied; those that others refer to come first."""

_Key: TypeAlias = tuple[Any, ...]
_Rows: TypeAlias = dict[_Key, dict[str, Any]]


def copy_tables(source: Connection, target: Dialect, listener: Listener, stop: Stop) -> int:
    """Make all tables of `target` equal to those that `source` sees, and return their rows.

    Rows that are equal already stay as they are. The copy's checkpoints have new tokens, so that no
    index is taken for another library's. Raises StoppedError soon after `stop` is set.
    """
    total = sum(map(partial(_count, source), _TABLES))
    listener.advanced(Progress(Phase.COPYING, 0, total))
    with _writing(target) as connection:
        schema.mark_unfinished(connection, unfinished=True)
    for table in _TABLES:
        _remove_gone(source, target, table, stop)
    done = 0
    for table in _TABLES:
        last: _Key | None = None
        for rows in _pages(source, table):
            stop.check()
            with _writing(target) as connection:
                _put_changed(connection, target, table, rows, last)
            last = next(reversed(rows))
            done += len(rows)
            listener.advanced(Progress(Phase.COPYING, done, total))
    with target.readers.connect() as connection:
        lacking = lacking_numbers(connection)
    for number in lacking:
        stop.check()
        with _writing(target) as connection:
            make_blocks(connection, target, number)
    with _writing(target) as connection:
        target.go_on_counting_ids(connection)
        recount(connection)  # no trigger notes photos that are copied without a file
        schema.mark_unfinished(connection, unfinished=False)
    return done


@contextmanager
def _writing(target: Dialect) -> Iterator[Connection]:
    try:
        with target.writers.begin() as connection:
            target.begin_writing(connection, by_index=True)
            yield connection
    except target.errors as error:
        raise target.describe(error) from error


def _remove_gone(source: Connection, target: Dialect, table: Table, stop: Stop) -> None:
    """Remove the rows of an earlier, unfinished copy that the source no longer has, or not by the
    same path or name.

    This comes before any row is written: another row of the source may have that path or name by
    now, and each exists once.
    """
    last: _Key | None = None
    while True:
        stop.check()
        with _writing(target) as connection:
            page = _between(table, last, None).limit(_TOGETHER)
            there = _names(connection, table, page)
            if not there:
                return
            now = dict(_names(source, table, _between(table, last, there[-1][0])))
            gone = [_value(key) for key, name in there if now.get(key) != name]
            if gone:
                connection.execute(delete(table).where(_key(table).in_(gone)))
        last = there[-1][0]


def _put_changed(
    connection: Connection, target: Dialect, table: Table, wanted: _Rows, after: _Key | None
) -> None:
    """Write those of the rows, which are all that the source has after a key, up to their last one,
    that the table does not have like this.
    """
    page = _between(table, after, next(reversed(wanted)))
    there = _keyed(table, connection.execute(page).mappings())
    new = [
        row | _own_values(table, there.get(key))
        for key, row in wanted.items()
        if _shared(table, there.get(key)) != _shared(table, row)
    ]
    keys = [column.name for column in table.primary_key]
    target.put(connection, table, keys, new, overwrite=len(keys) < len(table.columns))


def _pages(source: Connection, table: Table) -> Iterator[_Rows]:
    """Yield all rows of the table by their keys, in the order of the keys, a thousand at a time."""
    last: _Key | None = None
    while True:
        page = _between(table, last, None).limit(_TOGETHER)
        rows = _keyed(table, source.execute(page).mappings())
        if not rows:
            return
        yield rows
        last = next(reversed(rows))


def _between(table: Table, after: _Key | None, up_to: _Key | None) -> Select[Any]:
    """Return the query for the rows whose keys lie behind `after` and not behind `up_to`."""
    query = select(table).where(_is_shared(table)).order_by(*table.primary_key)
    if after is not None:
        query = query.where(_key(table) > _value(after))
    return query if up_to is None else query.where(_key(table) <= _value(up_to))


def _names(connection: Connection, table: Table, rows: Select[Any]) -> list[tuple[_Key, _Key]]:
    """Return the keys of the rows that a query is for, each with what else is the row's alone."""
    unique = [column for column in _unique_columns(table) if not column.primary_key]
    found = connection.execute(rows.with_only_columns(*table.primary_key, *unique))
    count = len(table.primary_key)
    return [(tuple(row[:count]), tuple(row[count:])) for row in found]


def _unique_columns(table: Table) -> Iterator[Column[Any]]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield from constraint.columns


def _count(connection: Connection, table: Table) -> int:
    query = select(func.count()).select_from(table).where(_is_shared(table))
    return connection.scalar(query) or 0


def _is_shared(table: Table) -> ColumnElement[bool]:
    return SETTING.c.name.not_in(_OWN_SETTINGS) if table is SETTING else true()


def _key(table: Table) -> Any:
    """Return the primary key as one value that can be compared."""
    columns = list(table.primary_key)
    return tuple_(*columns) if len(columns) > 1 else columns[0]


def _value(key: _Key) -> Any:
    return key if len(key) > 1 else key[0]


def _keyed(table: Table, rows: Iterable[Mapping[Any, Any]]) -> _Rows:
    names = [column.name for column in table.primary_key]
    return {tuple(row[name] for name in names): dict(row) for row in rows}


def _shared(table: Table, row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return what a row and its copy have in common."""
    if row is None or table is not CHECKPOINT:
        return row
    return {name: value for name, value in row.items() if name not in ("token", "embeddings")}


def _own_values(table: Table, there: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a copy of a row has for itself: a checkpoint's token, and the count of its
    embeddings, which the database keeps.
    """
    if table is not CHECKPOINT:
        return {}
    if there is None:
        return {"token": secrets.token_hex(8), "embeddings": 0}
    return {name: there[name] for name in ("token", "embeddings")}
