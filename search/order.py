"""Hits in another order than by match: by what the photos' files say, or by when they came."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sigseek.search.hits import directories_in, photos_with_files
from sigseek.search.page import Page, Part, PlaceInOrder, made_from
from sigseek.search.query import Query
from sigseek.search.results import Order
from sigseek.search.scorer import Rows, Scored
from sigseek.search.verdicts import MATCH_FROM, MAYBE_FROM
from sigseek.storage import CatalogReader, PhotoRecord

_LAST = "\U0010ffff"
"""It sorts behind all other texts."""
_FIRST, _TIMES_MORE = 1000, 20
"""How many photos are scored first where all that match are needed, and how many times more if
these are not all.
"""


def score_all_from(least: float, score: Callable[[int], Scored], limit: int, photos: int) -> Scored:
    """Return the scores of photos that certainly include all with at least this probability, and
    the best `limit`.

    `score(n)` gives the scores of photos that certainly include the best n. `photos` is the number
    of all photos.
    """
    enough = photos if least <= 0 else max(limit, _FIRST)
    while True:
        scored = score(max(min(enough, photos), 1))
        if enough >= photos or int((scored.probabilities >= least).sum()) < enough:
            return scored
        enough *= _TIMES_MORE


@dataclass(frozen=True)
class Listing:
    """Scored photos in an order."""

    catalog: CatalogReader
    scored: Scored
    order: Order
    by_verdict: bool
    """Whether those that match come first, then those that may, and then the others."""
    is_ordered: bool = False
    """Whether the scored photos are in this order already, and each of them has a file."""
    newest_photo: int | None = None
    """The highest id of a photo of the library; None where it is still to be asked for."""
    at: int | None = None
    """The revision whose dates, ratings and paths decide; None for those of now."""
    directories: Sequence[tuple[int, str]] = ()
    """The directories whose files come before a photo's other files in the order "path", each the
    id of a folder and a path in it.
    """

    @cached_property
    def best_first(self) -> Rows:
        """Return all rows, the best match first."""
        return np.argsort(-self.scored.ranked_by, kind="stable")

    def rows(self, least: float, page: Page | None) -> Rows:
        """Return the rows of the photos with at least this probability, in their order: all of
        them, or those of a page and the pages after it.
        """
        if self.is_ordered:
            return self._ordered_rows(page)
        rows = self.best_first[self.scored.probabilities[self.best_first] >= least]
        if page is None:
            return rows if self.order == "match" else self._sorted(rows)
        found = {row: place for row, place in self._places(rows).items() if place > page.last}
        rows = rows[self.scored.ids[rows] <= page.newest]
        left = [row for row in rows.tolist() if row in found]
        return np.array(sorted(left, key=lambda row: found[row]), np.int64)

    def _sorted(self, rows: Rows) -> Rows:
        """Return the rows by their places. To sort by one part of the places after another, the
        most important one last, takes a million rows a quarter of the time.
        """
        rows = rows[np.argsort(self.scored.ids[rows])]
        values = self._values(rows)
        rows_by_value = rows[sorted(range(len(rows)), key=values.__getitem__)]
        return rows_by_value[np.argsort(self._levels(rows_by_value), kind="stable")]

    def _ordered_rows(self, page: Page | None) -> Rows:
        """Return all rows, which are in their order, or those after the place where a page begins.
        A few photos' places are enough to find it among a million.
        """
        ids = self.scored.ids
        if page is None:
            return np.arange(len(ids))
        begin = bisect_right(range(len(ids)), page.last, key=self._place)
        return np.flatnonzero(ids[begin:] <= page.newest) + begin

    def part(
        self, part: Part, least: float, generation: int
    ) -> tuple[list[tuple[int, PhotoRecord]], str | None]:
        """Return the photos of a part of the list, each with its row, and the token of the page
        after them; None if they are the last. Only photos with at least the probability `least`
        and with a file, present or missing, are listed.

        `generation` is the checkpoint's, for the first page to remember.
        """
        page, skipped = part.page, 0 if part.page else part.offset
        rows = self.rows(least, page)
        if self.is_ordered:  # none of those before needs to be looked at
            rows, skipped = rows[skipped:], 0
        enough = skipped + part.limit
        found = photos_with_files(rows, self.scored.ids, self.catalog, enough)[skipped:]
        if not found or found[-1][0] == rows[-1]:
            return found, None
        newest = page.newest if page else self.newest_photo
        following = Page(
            asked=part.asked,
            generation=page.generation if page else generation,
            revision=part.revision,
            newest=self.catalog.newest_photo() if newest is None else newest,
            judged=self.by_verdict,
            rank=part.passed + len(found),
            last=self._place(found[-1][0]),
            models=made_from(self.scored.models),
        )
        return found, following.token()

    def _place(self, row: int) -> PlaceInOrder:
        """Return the place of a row in the order, by which rows compare."""
        return self._places(np.array([row], np.int64))[row]

    def _places(self, rows: Rows) -> dict[int, PlaceInOrder]:
        ids: list[int] = self.scored.ids[rows].tolist()
        together = zip(self._levels(rows).tolist(), self._values(rows), ids, strict=True)
        return dict(zip(rows.tolist(), together, strict=True))

    def _levels(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Return the verdict of each row, 0 for the best, or 0 for all where it does not count."""
        if not self.by_verdict or self.order == "match":  # the better verdict has a better number
            return np.zeros(len(rows), np.int64)
        probable = self.scored.probabilities[rows]
        return (probable < MATCH_FROM).astype(np.int64) + (probable < MAYBE_FROM)

    def _values(self, rows: Rows) -> Sequence[float] | Sequence[str]:
        """Return what the rows are put in order by, the lowest first. Among equals ids decide."""
        ids: list[int] = self.scored.ids[rows].tolist()
        match self.order:
            case "match":
                return [-value for value in self.scored.ranked_by[rows].tolist()]
            case "added":
                return [-id_ for id_ in ids]
            case "rating":
                stars = self.catalog.ratings(ids, self.at)
                return [-(stars.get(id_) or 0) for id_ in ids]
            case "path":
                paths = self.catalog.first_paths(ids, self.at, self.directories)
                return [paths.get(id_, _LAST) for id_ in ids]
            case _:
                dates = self.catalog.dates(ids, self.at)
                if self.order == "date":
                    return [dates.get(id_) or _LAST for id_ in ids]
                return [_reversed(dates.get(id_)) for id_ in ids]


def directories_first(
    order: Order, catalog: CatalogReader, *queries: Query | None
) -> Sequence[tuple[int, str]]:
    """Return the directories that parts of a query name, whose files come before a photo's other
    files in the order "path", because its hit is shown by its path there. Each is the id of a
    folder and a path in it. Other orders have none.
    """
    if order != "path":
        return ()
    return [
        place
        for query in queries
        if query is not None
        for directory in directories_in(query, catalog)
        for place in directory.places
    ]


def _reversed(date: str | None) -> str:
    """Return a text that sorts before another one if the date sorts behind that one's."""
    if date is None:
        return 2 * _LAST
    return "".join(chr(127 - ord(letter)) for letter in date) + _LAST
