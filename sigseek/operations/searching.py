"""Answering text queries: parse, embed, retrieve and judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import index
from typing import TYPE_CHECKING, TypeAlias

from sigseek.errors import Remedy
from sigseek.operations.opened import OpenedLibrary
from sigseek.operations.query_embeddings import CountedViews, embed_beside_searcher
from sigseek.operations.search_notes import (
    duplicate_note,
    idle_arguments,
    text_notes,
    useless_beside_facts,
)
from sigseek.progress import Listener, Stop
from sigseek.search.errors import QueryError, printable

NamedPhotos: TypeAlias = Mapping[str, "str | os.PathLike[str]"]
"""Photo files by the names that a query may give them."""

if TYPE_CHECKING:
    import os

    import numpy as np
    import numpy.typing as npt

    from sigseek.search.facts.known_names import KnownNames
    from sigseek.search.query import Query
    from sigseek.search.results import Order, SearchResults
    from sigseek.search.searcher import Searcher

    Ids: TypeAlias = npt.NDArray[np.int64]


def search(
    library: OpenedLibrary,
    query: str,
    limit: int,
    *,
    within: str = "",
    min_probability: float,
    include_all: bool,
    explain: bool,
    closer: int,
    include_self: bool,
    sort: Order = "match",
    offset: int = 0,
    page: str | None = None,
    named_photos: NamedPhotos | None = None,
    listener: Listener | None = None,
    stop: Stop | None = None,
) -> SearchResults:
    """Answer a query as `Library.search` describes."""
    from sigseek.search.checks import check_closer, check_place, check_search
    from sigseek.search.likely_meant import note_on_habits
    from sigseek.search.query import is_factual

    limit, closer, offset = index(limit), index(closer), index(offset)  # they may be NumPy's
    check_closer(closer)
    names = _known_names(library)
    asked = _read(query, within, names, named_photos)
    habits = note_on_habits(query, names)
    factual = is_factual(asked)
    check_search(asked, limit, min_probability, looks_closer=bool(closer) and not factual)
    check_place(sort, offset, page)
    if stop:
        stop.check()
    wanted = _Wanted(
        limit, min_probability, include_all, explain, closer, include_self, sort, offset, page
    )
    if factual:
        return _list_by_facts(library, asked, wanted, habits)
    return _rank_by_model(library, asked, wanted, habits, listener, stop)


@dataclass(frozen=True)
class _Wanted:
    """What is wanted of the answer to a query, as the arguments of `Library.search` say."""

    limit: int
    min_probability: float
    include_all: bool
    explain: bool
    closer: int
    include_self: bool
    sort: Order
    offset: int
    page: str | None


def _list_by_facts(
    library: OpenedLibrary, asked: Query, wanted: _Wanted, habits: Remedy | str | None
) -> SearchResults:
    """Return the answer to a query of facts alone. `habits` is a note on how it was written."""
    from sigseek.search.listing import list_selected
    from sigseek.search.query import terms

    catalog = library.directory.catalog()
    in_order = None
    # The first photos in the order of their ids need no order of all the others, and no numpy.
    if wanted.sort != "match" or wanted.offset or wanted.page is not None:
        from sigseek.operations.layout import ids_of_many

        in_order = partial(ids_of_many, catalog, asked, wanted.sort)
    ask = partial(
        list_selected,
        asked,
        catalog,
        wanted.limit,
        explain=wanted.explain,
        order=wanted.sort,
        offset=wanted.offset,
        page=wanted.page,
        in_order=in_order,
    )
    found = catalog.at_one_revision(ask) if in_order else ask()
    useless = useless_beside_facts(
        min_probability=wanted.min_probability,
        include_all=wanted.include_all,
        include_self=wanted.include_self,
        closer=wanted.closer,
    )
    compared = duplicate_note(catalog, terms(asked))
    return _with_notes(library, asked, found, [habits, compared, *useless])


def _rank_by_model(
    library: OpenedLibrary,
    asked: Query,
    wanted: _Wanted,
    habits: Remedy | str | None,
    listener: Listener | None,
    stop: Stop | None,
) -> SearchResults:
    """Return the answer to a query that asks for more than facts. `habits` is a note on how it was
    written.
    """
    from sigseek.search.closer import CloserLook
    from sigseek.search.query import terms

    vectors, known = embed_beside_searcher(
        library, terms(asked), include_self=wanted.include_self, listener=listener, stop=stop
    )
    of_texts = text_notes(library.model, terms(asked))
    views = CountedViews(partial(library.photo_files.embed_views, listener=listener, stop=stop))

    def answer(searcher: Searcher) -> SearchResults:
        return searcher.search(
            asked,
            vectors,
            wanted.limit,
            min_probability=wanted.min_probability,
            include_all=wanted.include_all,
            explain=wanted.explain,
            closer=CloserLook(wanted.closer, views.embed) if wanted.closer else None,
            known=known,
            order=wanted.sort,
            offset=wanted.offset,
            page=wanted.page,
        )

    found = library.searcher.ask(answer, listener, stop, takes_long=bool(wanted.closer))
    idle = idle_arguments(
        found,
        terms(asked),
        min_probability=wanted.min_probability,
        include_all=wanted.include_all,
        include_self=wanted.include_self,
        unseen=wanted.closer if not views.seen else 0,
    )
    compared = duplicate_note(library.directory.catalog(), terms(asked))
    of_query = [*_checkpoint_notes(library, asked, found), habits, compared]
    return _with_notes(library, asked, found, [*of_query, *of_texts, *idle])


def matching_photos(
    library: OpenedLibrary,
    query: str,
    within: str = "",
    named_photos: NamedPhotos | None = None,
    listener: Listener | None = None,
    stop: Stop | None = None,
) -> tuple[Query, Ids, tuple[Remedy | str, ...]]:
    """Return the query joined to the facts in `within`, the ids (n,), ascending, of all photos that
    match it, and notes on the answer. Photos that the query names are among them.
    """
    from sigseek.search.checks import check_search
    from sigseek.search.likely_meant import note_on_habits
    from sigseek.search.query import is_factual, terms
    from sigseek.search.scope import selected

    names = _known_names(library)
    asked = _read(query, within, names, named_photos)
    check_search(asked, 1, 0.0, looks_closer=False)
    habits = note_on_habits(query, names)
    if is_factual(asked):
        ids = selected(asked, library.directory.catalog())
        return asked, ids, (habits,) if habits else ()
    vectors, known = embed_beside_searcher(
        library, terms(asked), include_self=True, listener=listener, stop=stop
    )
    of_texts = text_notes(library.model, terms(asked))
    ids, of_searcher = library.searcher.ask(
        lambda current: (current.matches(asked, vectors, known), current.notes(asked)),
        listener,
        stop,
    )
    # `ask` read the checkpoint's state, which the checkpoint's notes come from.
    notes = [*library.checkpoint.notes, habits, *of_texts]
    return asked, ids, (*(note for note in notes if note is not None), *of_searcher)


def read_query(
    library: OpenedLibrary, query: str, within: str, named_photos: NamedPhotos | None
) -> Query:
    """Return the tree of a query that is asked of the library, joined to the facts in `within`."""
    return _read(query, within, _known_names(library), named_photos)


def _checkpoint_notes(
    library: OpenedLibrary, asked: Query, found: SearchResults
) -> tuple[Remedy | str, ...]:
    """Return the notes on the checkpoint, whose state the search has just read."""
    from sigseek.search.query import PhotoById, PhotoTerm, Text, terms

    if found.best and any(isinstance(term, Text | PhotoTerm | PhotoById) for term in terms(asked)):
        library.checkpoint.note_mini(found.best.camera)
    return library.checkpoint.notes


def _with_notes(
    library: OpenedLibrary,
    asked: Query,
    found: SearchResults,
    notes: Sequence[Remedy | str | None],
) -> SearchResults:
    """Return the results with these notes before their own, and with paths where the query asks
    for them.
    """
    from sigseek.search.hits import shown_where_asked

    said = [note for note in notes if note is not None]
    found = replace(found, query=str(asked), notes=(*said, *found.notes))
    return shown_where_asked(found, asked, library.directory.catalog())


def _known_names(library: OpenedLibrary) -> KnownNames:
    """Return the names that the library's photos have. Nothing is read before they are needed."""
    from sigseek.search.facts.known_names import KnownNames

    return KnownNames(lambda: library.directory.catalog())


def _read(query: str, within: str, names: KnownNames, named_photos: NamedPhotos | None) -> Query:
    """Return the query, joined by AND to the facts in `within`. One of both may be empty."""
    from sigseek.search.parse import parse
    from sigseek.search.query import And, is_factual, joined

    if not within.strip():
        return parse(query, names=names, photos=named_photos)
    facts = parse(within, names=names)
    if not is_factual(facts):
        raise QueryError(
            f"'{printable(within)}' asks for more than facts", "write descriptions into the query"
        )
    if not query.strip():
        return facts
    return joined(And, [parse(query, names=names, photos=named_photos), facts])
