"""Pages of a long list, which go on where the one before ended even if the library has changed.

A page remembers how the terms were judged, so that photos keep their numbers, and the last photo's
place in the order. It also remembers the revision of what photos are put in order by: the catalog
tells which date, rating and first path a photo had then, if it has others now. So no photo is on
two pages, and none is left out, whatever photos come, go or change. Photos that were added since
the first page are on no later one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, Literal

from sigseek.search.errors import QueryError
from sigseek.search.query import Fact, Leaf, Query, Tag, terms
from sigseek.search.results import Order

if TYPE_CHECKING:
    from sigseek.search.terms import TermModel
    from sigseek.siglip import Scoring
    from sigseek.storage import CatalogReader

_BY_REVISION: tuple[Order, ...] = ("date", "-date", "rating", "path")
"""The orders by what may change of a photo."""
PlaceInOrder = tuple[int, float | str, int]
"""A photo's place in an order: by verdict, by the order's value, and by when it was added."""


@dataclass(frozen=True)
class Page:
    """Where a list goes on."""

    asked: str
    """What `question` makes of the search that the page belongs to."""
    generation: int
    """The checkpoint's generation when the first page was made."""
    revision: int
    """The revision of what photos were put in order by at that time."""
    newest: int
    """The highest id of a photo at that time."""
    judged: bool
    """Whether hits had verdicts then."""
    rank: int
    """The number of hits on the pages before."""
    last: PlaceInOrder
    """The place of the last of these hits."""
    models: tuple[Any, ...]
    """What the model of each term is made from."""

    def token(self) -> str:
        """Return the page as a text, which may be part of an address."""
        written = json.dumps(astuple(self), separators=(",", ":"))
        return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")

    def term_models(self, query: Query, scoring: Scoring) -> dict[Leaf, TermModel]:
        """Return the models that judged the query's terms on the first page. Raises QueryError
        where the page was not made for these terms.
        """
        try:
            return {
                term: _model(term, made_from, scoring)
                for term, made_from in zip(terms(query), self.models, strict=True)
            }
        except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
            raise _unreadable() from error


@dataclass(frozen=True)
class Part:
    """The part of a list that a search asks for."""

    asked: str
    """What `question` makes of the search."""
    limit: int
    """The most hits in the part."""
    offset: int
    """How many hits to leave out before it. It is 0 beside a page."""
    page: Page | None
    """The page to go on with; None for the first part, and for one that `offset` tells."""
    revision: int
    """The revision of what photos are put in order by: that of the page, or else that of now. It is
    0 for an order that is about something else.
    """
    at: int | None
    """The revision of the page if it is earlier than that of now, and None otherwise."""

    @property
    def passed(self) -> int:
        """The number of hits before this part."""
        return self.page.rank if self.page else self.offset


def find_part(
    catalog: CatalogReader, asked: str, limit: int, order: Order, *, offset: int, page: str | None
) -> Part:
    """Return the part of a list that begins with a page, given by its token, or else after the
    first `offset` hits. `asked` is what `question` makes of the search. Raises what `read_page`
    raises, and QueryError for a page of which the catalog no longer knows the order.
    """
    found = read_page(page, asked) if page else None
    if order not in _BY_REVISION:
        return Part(asked, limit, offset, found, 0, None)
    now = catalog.order_revision()
    if found is None:
        return Part(asked, limit, offset, None, now.number, None)
    if not now.kept_from <= found.revision <= now.number:
        raise QueryError(
            "the page is of a list whose order is no longer known", "ask for the first part again"
        )
    at = None if found.revision == now.number else found.revision
    return Part(asked, limit, offset, found, found.revision, at)


def read_page(token: str, asked: str) -> Page:
    """Return the page that `Page.token` wrote. Raises QueryError for anything else, and for a page
    of another search.
    """
    try:
        padded = token + "=" * (-len(token) % 4)
        fields = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        of, generation, revision, newest, judged, rank, (level, value, id_), models = fields
        last = int(level), value if isinstance(value, str) else float(value), int(id_)
        numbers = int(generation), int(revision), int(newest), bool(judged), int(rank)
        page = Page(of, *numbers, last, tuple(models))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _unreadable() from error
    if page.asked != asked:
        raise QueryError("the page belongs to another search", "ask for the first part of this one")
    return page


def _unreadable() -> QueryError:
    return QueryError("the page cannot be read", "take it whole from the answer before")


def question(parts: Sequence[object]) -> str:
    """Return a short digest of what a search asks for."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def made_from(models: Mapping[Leaf, TermModel]) -> tuple[Any, ...]:
    """Return numbers and names that the models of terms can be made from again."""
    return tuple(_written(model) for model in models.values())


def _written(model: TermModel) -> Any:
    from sigseek.search.judged_text import JudgedText  # as below: a page of facts needs no numpy
    from sigseek.search.terms import PhotoModel

    if isinstance(model, JudgedText):
        shows = model.shows
        return ["text", model.confidence, shows.decided_by, list(map(float, shows.parameters))]
    return ["photo", *map(float, astuple(model))] if isinstance(model, PhotoModel) else ["tag"]


def _model(term: Leaf, written: Any, scoring: Scoring) -> TermModel:
    from sigseek.search.judged_text import JudgedText
    from sigseek.search.terms import PhotoModel, TextModel, tag_model

    kind: Literal["text", "photo", "tag"] = written[0]
    if isinstance(term, Tag | Fact):
        return tag_model()
    if kind == "photo":
        return PhotoModel(*written[1:])
    _, confidence, decided_by, parameters = written
    return JudgedText(confidence, TextModel(decided_by, tuple(parameters), scoring))
