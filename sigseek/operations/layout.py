"""All hits of a search in their order without their facts, to place them on a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.query_embeddings import embed_beside_searcher
from sigseek.operations.searching import NamedPhotos, read_query
from sigseek.progress import Stop
from sigseek.storage import Catalog

if TYPE_CHECKING:
    from sigseek.search.query import Query
    from sigseek.search.results import Order
    from sigseek.storage.records.columns import PhotoArrays

Ids: TypeAlias = npt.NDArray[np.int64]

UNDATED = -(2**31)
_LATEST = 2**31 - 1
"""The last minute that 32 bits can hold. It is in the year 6053."""
"""What stands in the place of a time that is not known."""
_LEAST_RATIO, _MOST_RATIO = 50, 20_000
_MANY = 20_000
"""From so many photos on, their order is kept until the catalog changes."""
_SHARE_ALONE = 0.1
"""Fewer than this share of all photos are put in order alone, unless that of all is known."""


@dataclass(frozen=True)
class Layout:
    """The hits of a search in their order, as arrays (n,)."""

    ids: Ids
    ratios: npt.NDArray[np.uint16]
    """1,000 times the width over the height, from 50 to 20,000."""
    probabilities: npt.NDArray[np.uint16]
    """65,535 times the probability."""
    minutes: npt.NDArray[np.int32]
    """The local time in minutes since 1970; where it is imprecise, that of the beginning of the
    year, month or day. -2147483648 where it is not known.
    """
    colors: npt.NDArray[np.uint8]
    """The mean colours in red, green and blue, (n, 3); 0, 0, 0 where it is not known."""

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class _Shapes:
    """What a layout has of each photo of the library, by rows in the order of the ids."""

    ids: Ids
    ratios: npt.NDArray[np.uint16]
    minutes: npt.NDArray[np.int32]
    colors: npt.NDArray[np.uint8]
    dates: Ids
    """The place of each photo's time among all times, undated photos last."""


def lay_out(
    library: OpenedLibrary,
    query: str,
    *,
    min_probability: float,
    include_all: bool,
    include_self: bool,
    sort: Order,
    named_photos: NamedPhotos | None,
    stop: Stop | None,
) -> Layout:
    """Return the layout as `Library.layout` describes."""
    from sigseek.search.checks import check_place, check_search
    from sigseek.search.query import is_factual, terms

    catalog = library.directory.catalog()
    check_place(sort, 0, None)
    if not query.strip():
        order: Order = "-date" if sort == "match" else sort
        # The shapes are asked for inside: those of before a change must not be kept after it.
        return catalog.once(
            ("layout of all", order),
            lambda: _of(_shapes_of(catalog), ids_of_all(catalog, order), None),
        )
    shapes = _shapes_of(catalog)
    asked = read_query(library, query, "", named_photos)
    check_search(asked, 1, min_probability, looks_closer=False)
    if is_factual(asked):
        return _of(shapes, _factual_ids(catalog, asked, sort), None)
    vectors, known = embed_beside_searcher(
        library, terms(asked), include_self=include_self, stop=stop
    )
    ids, probabilities = library.searcher.ask(
        lambda current: current.ordered(
            asked,
            vectors,
            min_probability=min_probability,
            include_all=include_all,
            known=known,
            order=sort,
        ),
        stop=stop,
    )
    return _of(shapes, ids, probabilities)


def ids_of_all(catalog: Catalog, order: Order, at: int | None = None) -> Ids:
    """Return the ids (n,) of all photos in their order at the revision `at`, or in that of now."""
    from sigseek.search.query import And

    return catalog.once(
        ("ids of all", order, at),
        lambda: _factual_ids(catalog, And(()), order, at),
    )


def ids_of_many(catalog: Catalog, facts: Query, order: Order, at: int | None = None) -> Ids | None:
    """Return the ids (n,) of the photos with a file for which the facts are true, in their order at
    the revision `at`, or in that of now. None is returned for so few that they are put in order
    sooner one by one.
    """
    from sigseek.search.scope import selected

    if len(selected(facts, catalog)) < _MANY:
        return None
    return catalog.once(
        ("ids of facts", str(facts), order, at), lambda: _factual_ids(catalog, facts, order, at)
    )


def _is_sooner_alone(count: int, catalog: Catalog, order: Order, at: int | None) -> bool:
    """Return whether so many photos are put in order sooner without what is read of all photos."""
    if order in ("path", "rating"):
        is_known = catalog.has_kept(("ids of all", order, at))
    else:
        is_known = at is None and catalog.has_kept("shapes")
    return not is_known and count < catalog.photo_count() * _SHARE_ALONE


def _shapes_of(catalog: Catalog) -> _Shapes:
    return catalog.once("shapes", lambda: _shapes(catalog.photo_columns()))


def _shapes_to_sort(catalog: Catalog, order: Order, at: int | None) -> _Shapes:
    """Return the shapes, with the dates of the revision `at` if the order is by date."""
    if at is None or order not in ("date", "-date"):
        return _shapes_of(catalog)
    return _shapes(catalog.photo_columns(at))  # not kept: the order that is made of it is kept


def _factual_ids(catalog: Catalog, facts: Query, order: Order, at: int | None = None) -> Ids:
    """Return the ids of the photos with a file for which the facts are true, in their order at the
    revision `at`, or in that of now.
    """
    from sigseek.search.listing import ids_in_order
    from sigseek.search.order import directories_first
    from sigseek.search.query import And
    from sigseek.search.scope import selected

    ids = selected(facts, catalog)
    if order in ("match", "added"):
        there = _with_files(catalog, ids)
        return there if order == "match" else there[::-1]
    is_alone = _is_sooner_alone(len(ids), catalog, order, at)
    if order in ("date", "-date") and not is_alone:
        shapes = _shapes_to_sort(catalog, order, at)
        ids = ids[np.isin(ids, shapes.ids, assume_unique=True)]
        return _by_date(shapes, ids, newest_first=order == "-date")
    is_own = facts == And(()) or directories_first(order, catalog, facts)
    if len(ids) < _MANY or is_own or is_alone:
        return _with_files(catalog, ids_in_order(facts, catalog, order, at))
    # The order of all is kept, and serves all queries but those that show other paths of photos.
    everything = ids_of_all(catalog, order, at)
    return everything[np.isin(everything, ids, assume_unique=True)]


def _with_files(catalog: Catalog, ids: Ids) -> Ids:
    """Return those of the photos that have a file, present or missing."""
    if catalog.has_kept("shapes"):
        return ids[np.isin(ids, _shapes_of(catalog).ids, assume_unique=True)]
    return ids[~np.isin(ids, catalog.photos_without_files())]


def _by_date(shapes: _Shapes, ids: Ids, *, newest_first: bool) -> Ids:
    """Return the ids by date as `Order` says: among equals the first added, undated ones last."""
    rows = np.searchsorted(shapes.ids, ids)
    places = shapes.dates[rows]
    if newest_first:
        places = np.where(shapes.minutes[rows] == UNDATED, 1, -places)
    return ids[np.lexsort((ids, places))]


def _of(shapes: _Shapes, ids: Ids, probabilities: npt.NDArray[np.float64] | None) -> Layout:
    """Return the layout of the photos that have a file, in this order."""
    rows = np.searchsorted(shapes.ids, ids)
    there = rows < len(shapes.ids)
    there[there] = shapes.ids[rows[there]] == ids[there]
    rows = rows[there]
    if probabilities is None:
        share = np.full(len(rows), 65_535, np.uint16)
    else:
        share = np.rint(np.clip(probabilities[there], 0, 1) * 65_535).astype(np.uint16)
    return Layout(ids[there], shapes.ratios[rows], share, shapes.minutes[rows], shapes.colors[rows])


def _shapes(columns: PhotoArrays) -> _Shapes:
    ratios = np.rint(1_000 * columns.widths / np.maximum(columns.heights, 1))
    _, dates = np.unique(columns.taken_at, return_inverse=True)
    dates = np.where(columns.taken_at == b"", len(dates), dates)
    return _Shapes(
        columns.ids,
        np.clip(ratios, _LEAST_RATIO, _MOST_RATIO).astype(np.uint16),
        minutes_of(columns.taken_at),
        _colors(columns.colors),
        dates.astype(np.int64),
    )


def _colors(known: Ids) -> npt.NDArray[np.uint8]:
    """Return colours, 0xRRGGBB or -1, in red, green and blue, (n, 3). Black, which stands for what
    is not known, is made a blue that nobody tells from it.
    """
    told: Ids = np.where(known < 0, 0, np.maximum(known, 1))
    colors: npt.NDArray[np.uint8] = (told[:, None] >> np.array([16, 8, 0]) & 0xFF).astype(np.uint8)
    return colors


def minutes_of(taken_at: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int32]:
    """Return the minutes since 1970 of local times in ISO 8601, (n,), at the beginning of the
    period that an imprecise time stands for; UNDATED for empty texts.
    """
    texts = np.ascontiguousarray(taken_at.astype("S16"))
    letters = texts.view(np.uint8).reshape(len(texts), 16).astype(np.int64)

    def number(start: int, digits: int, missing: int) -> Ids:
        """Return the number that the digits from `start` on make."""
        found = np.zeros(len(letters), np.int64)
        for place in range(start, start + digits):
            found = 10 * found + letters[:, place] - ord("0")
        is_there = ((letters[:, start : start + digits] >= ord("0")).all(axis=1)) & (
            (letters[:, start : start + digits] <= ord("9")).all(axis=1)
        )
        return np.where(is_there, found, missing)

    year = number(0, 4, -1)
    months = (year - 1970) * 12 + np.clip(number(5, 2, 1), 1, 12) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    days += np.maximum(number(8, 2, 1), 1) - 1
    minutes = days * 1440 + number(11, 2, 0) * 60 + number(14, 2, 0)
    minutes = np.minimum(minutes, _LATEST)
    return np.where(year < 0, UNDATED, minutes).astype(np.int32)
