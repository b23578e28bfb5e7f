"""Answering text queries: parse, embed, retrieve and judge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sigseek.errors import Call, Option, Remedy, escaped
from sigseek.operations.lazy import side_by_side
from sigseek.operations.model import ModelInUse
from sigseek.operations.opened import OpenedLibrary
from sigseek.search.errors import QueryError, printable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from sigseek.search.known_photo import KnownPhoto
    from sigseek.search.query import Leaf, Query
    from sigseek.search.results import Order, SearchResults

    Floats: TypeAlias = npt.NDArray[np.float32]
    Ids: TypeAlias = npt.NDArray[np.int64]
    Views: TypeAlias = Floats | None

MULTILINGUAL = ("google/siglip2-base-patch16-224", "google/siglip-base-patch16-256-multilingual")
"""Checkpoints that read many languages."""
_UNKNOWN = 0.5
"""The share of unknown tokens from which on a text is said to be unknown."""


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
) -> SearchResults:
    """Answer a query as `Library.search` describes."""
    from sigseek.search.checks import check_place, check_search
    from sigseek.search.closer import CloserLook
    from sigseek.search.hits import shown_where_asked
    from sigseek.search.likely_meant import note_on_habits
    from sigseek.search.listing import list_selected
    from sigseek.search.query import PhotoTerm, Text, is_factual, terms

    asked = _read(query, within)
    if is_factual(asked):
        check_search(asked, limit, min_probability, looks_closer=False)
        catalog = library.directory.catalog()
        found = list_selected(
            asked, catalog, limit, explain=explain, order=sort, offset=offset, page=page
        )
        note = note_on_habits(query)
        found = shown_where_asked(found, asked, library.directory.catalog())
        return replace(found, notes=(note,) if note else ())
    views = _CountedViews(library.photo_files.embed_views)
    look = CloserLook(closer, views.embed) if closer else None
    check_search(asked, limit, min_probability, looks_closer=look is not None)
    check_place(sort, offset, page)
    vectors, known = _embed_beside_searcher(library, terms(asked), include_self=include_self)
    model = library.model
    of_texts = _text_notes(model, terms(asked))
    found = library.searcher.ask(
        lambda current: current.search(
            asked,
            vectors,
            limit,
            min_probability=min_probability,
            include_all=include_all,
            explain=explain,
            closer=look,
            known=known,
            order=sort,
            offset=offset,
            page=page,
        )
    )
    found = shown_where_asked(found, asked, library.directory.catalog())
    # `ask` read the checkpoint's state, which the note about the checkpoint comes from.
    if found.best and any(isinstance(term, Text | PhotoTerm) for term in terms(asked)):
        library.checkpoint.note_mini(found.best.camera)
    of_query = [*library.checkpoint.notes, note_on_habits(query)]
    idle = _idle_arguments(
        found,
        terms(asked),
        min_probability=min_probability,
        include_all=include_all,
        include_self=include_self,
        unseen=closer if not views.seen else 0,
    )
    notes = [note for note in (*of_query, *of_texts, *idle) if note is not None]
    return replace(found, notes=(*notes, *found.notes))


def matching_photos(
    library: OpenedLibrary, query: str, within: str
) -> tuple[Query, Ids, tuple[Remedy | str, ...]]:
    """Return the query joined to the facts in `within`, the ids (n,), ascending, of all photos that
    match it, and notes on the answer. Photos that the query names are among them.
    """
    from sigseek.search.checks import check_search
    from sigseek.search.likely_meant import note_on_habits
    from sigseek.search.query import is_factual, terms
    from sigseek.search.scope import selected

    asked = _read(query, within)
    check_search(asked, 1, 0.0, looks_closer=False)
    habits = note_on_habits(query)
    if is_factual(asked):
        ids = selected(asked, library.directory.catalog())
        return asked, ids, (habits,) if habits else ()
    vectors, known = _embed_beside_searcher(library, terms(asked), include_self=True)
    of_texts = _text_notes(library.model, terms(asked))
    ids, of_searcher = library.searcher.ask(
        lambda current: (current.matches(asked, vectors, known), current.notes(asked))
    )
    # `ask` read the checkpoint's state, which the checkpoint's notes come from.
    notes = [*library.checkpoint.notes, habits, *of_texts]
    return asked, ids, (*(note for note in notes if note is not None), *of_searcher)


def _read(query: str, within: str) -> Query:
    """Return the query, joined by AND to the facts in `within`. One of both may be empty."""
    from sigseek.search.parse import parse
    from sigseek.search.query import And, is_factual, joined

    if not within.strip():
        return parse(query)
    facts = parse(within)
    if not is_factual(facts):
        raise QueryError(
            f"'{printable(within)}' asks for more than facts", "write descriptions into the query"
        )
    return joined(And, [parse(query), facts]) if query.strip() else facts


class _CountedViews:
    """Embeds parts of photos, and counts the photos that could be embedded."""

    def __init__(self, embed: Callable[[Sequence[tuple[Path, int]]], Iterable[Views]]) -> None:
        self._embed = embed
        self.seen = 0

    def embed(self, photos: Sequence[tuple[Path, int]]) -> Iterator[Views]:
        """Give what the function given to this class gives."""
        for views in self._embed(photos):
            self.seen += views is not None
            yield views


def _idle_arguments(
    found: SearchResults,
    asked: Sequence[Leaf],
    *,
    min_probability: float,
    include_all: bool,
    include_self: bool,
    unseen: int,
) -> Iterator[Remedy]:
    """Yield a note on each argument that made no difference to this query in this library.

    `unseen` photos should have been looked at more closely, and none of them could.
    """
    from sigseek.search.query import PhotoTerm
    from sigseek.search.verdicts import MATCH_FROM

    if 0 < min_probability <= MATCH_FROM and not include_all and found.judged_by != "nothing":
        yield Remedy(
            f"{{}} lists nothing more: photos below {MATCH_FROM:g} are listed only with {{}}",
            (Option("min_probability"), Option("include_all", True)),
        )
    if include_all and found.judged_by == "nothing":
        yield Remedy(
            "{} does nothing in this library, because its photos have no verdicts yet",
            (Option("include_all", True),),
        )
    if include_self and not any(isinstance(term, PhotoTerm) for term in asked):
        yield Remedy(
            "{} does nothing, because the query names no photo", (Option("include_self", True),)
        )
    if unseen and found.best:
        yield Remedy(
            "{} did nothing, because none of the best photos' files can be read now",
            (Option("closer", unseen),),
        )


def _text_notes(model: ModelInUse, asked: Sequence[Leaf]) -> list[Remedy | str | None]:
    """Return notes about texts that the checkpoint cuts or knows too little of."""
    from sigseek.search.query import Text

    notes: list[Remedy | str | None] = []
    for term in asked:
        if isinstance(term, Text):
            notes += [model.warn_if_cut("the query", term.text), _unknown_note(model, term.text)]
    return notes


def _unknown_note(model: ModelInUse, text: str) -> Remedy | str | None:
    """Return a note about a text of which the checkpoint knows too little to find anything by it,
    such as Cyrillic for an English checkpoint, or about single words that it hardly knows.
    """
    name = model.checkpoint.name
    if model.texts().unknown_share(text) < _UNKNOWN:
        words = model.texts().unfamiliar_words(text)
        if not words:
            return None
        named = ", ".join(f"'{printable(word)}'" for word in words)
        such = "word" if len(words) == 1 else "words"
        return f"{name} hardly knows {named}: its vocabulary has no such {such}"
    found = f"{name} does not know most of '{printable(text)}', so these hits mean little"
    if name in MULTILINGUAL:
        return found
    return Remedy(
        f"{escaped(found)}; {' and '.join(MULTILINGUAL)} know many languages, for example: {{}}",
        (Call("index", options=(("model", MULTILINGUAL[0]),)),),
    )


def _embed_beside_searcher(
    library: OpenedLibrary, asked: Sequence[Leaf], *, include_self: bool
) -> tuple[dict[Leaf, Floats], dict[Leaf, KnownPhoto]]:
    """Return what `_embed` gives. If the searcher and the text tower must be loaded, that is done
    side by side.
    """
    searcher = library.searcher
    if searcher.is_loaded or library.model.reads_at_once:
        return _embed(library, asked, include_self=include_self)
    library.checkpoint.state_to_query()  # raises before anything is downloaded or loaded
    embedded, _ = side_by_side(
        lambda: _embed(library, asked, include_self=include_self), searcher.get
    )
    return embedded


def _embed(
    library: OpenedLibrary, asked: Sequence[Leaf], *, include_self: bool
) -> tuple[dict[Leaf, Floats], dict[Leaf, KnownPhoto]]:
    """Return the unit-norm embedding (dim,) of each text and photo term, and the photos of the
    library that are named.
    """
    from sigseek.search.query import PhotoTerm, Text

    vectors: dict[Leaf, Floats] = {}
    photos: dict[Leaf, KnownPhoto] = {}
    texts = [term for term in asked if isinstance(term, Text)]
    if texts:
        embedded = library.model.texts().embed([term.text for term in texts])
        vectors |= zip(texts, embedded, strict=True)
    for term in asked:
        if isinstance(term, PhotoTerm):
            path = Path(term.path)
            vectors[term], known = library.photo_files.find(path, include_self=include_self)
            if known:
                photos[term] = known
    return vectors, photos
