"""Notes on the answer to a query: which arguments did nothing, and what the model did not read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sigseek.errors import Call, Option, Remedy, escaped
from sigseek.operations.model import ModelInUse

if TYPE_CHECKING:
    from sigseek.search.query import Leaf
    from sigseek.search.results import SearchResults
    from sigseek.storage import CatalogReader

MULTILINGUAL = ("google/siglip2-base-patch16-224", "google/siglip-base-patch16-256-multilingual")
"""Checkpoints that read many languages."""
_UNKNOWN = 0.5
"""The share of unknown tokens from which on a text is said to be unknown."""


def idle_arguments(
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
    from sigseek.search.query import PhotoById, PhotoTerm
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
    if include_self and not any(isinstance(term, PhotoTerm | PhotoById) for term in asked):
        yield Remedy(
            "{} does nothing, because the query names no photo", (Option("include_self", True),)
        )
    if unseen and found.best:
        yield Remedy(
            "{} did nothing, because none of the best photos' files can be read now",
            (Option("closer", unseen),),
        )


def useless_beside_facts(**arguments: float | bool) -> Iterator[Remedy]:
    """Yield a note on each argument that was given and makes no difference to facts alone."""
    for name, value in arguments.items():
        if value:
            yield Remedy(
                "{} does nothing, because the query has facts alone, and these are certain",
                (Option(name, True if value is True else None),),
            )


def duplicate_note(catalog: CatalogReader, asked: Sequence[Leaf]) -> Remedy | None:
    """Return a note if the query asks for duplicates and not all photos were compared yet."""
    from sigseek.search.facts.states import Is
    from sigseek.search.query import Fact

    if not any(isinstance(term, Fact) and term.value == Is("duplicate") for term in asked):
        return None
    photos = catalog.count_photos_not_compared()
    if not photos:
        return None
    were = "1 photo was" if photos == 1 else f"{photos:,} photos were"
    return Remedy(
        f"{were} not compared with others yet, so is:duplicate knows only copies of "
        f"{'it' if photos == 1 else 'them'}; to compare: {{}}",
        (Call("duplicates"),),
    )


def text_notes(model: ModelInUse, asked: Sequence[Leaf]) -> list[Remedy | str | None]:
    """Return notes about texts that the checkpoint cuts or knows too little of, each once."""
    from sigseek.search.query import Text

    texts = list(dict.fromkeys(term.text for term in asked if isinstance(term, Text)))
    cut: dict[str | None, None] = {}
    for text in texts:
        cut[model.warn_if_cut("the query", text)] = None
    unknown: list[str] = []
    words: dict[str, None] = {}
    for text in texts:
        if model.texts().unknown_share(text) >= _UNKNOWN:
            unknown.append(text)
        else:
            words |= dict.fromkeys(model.texts().unfamiliar_words(text))
    name = model.checkpoint.name
    return [*cut, _unknown_note(name, unknown), _unfamiliar_note(name, list(words))]


def _unknown_note(name: str, texts: Sequence[str]) -> Remedy | str | None:
    """Return a note about texts of which the checkpoint of this name knows too little to find
    anything by them, such as Cyrillic for an English checkpoint.
    """
    from sigseek.search.likely_meant import in_short

    if not texts:
        return None
    found = f"{name} does not know most of {in_short(texts)}, so these hits mean little"
    if name in MULTILINGUAL:
        return found
    return Remedy(
        f"{escaped(found)}; {' and '.join(MULTILINGUAL)} know many languages, for example: {{}}",
        (Call("index", options=(("model", MULTILINGUAL[0]),)),),
    )


def _unfamiliar_note(name: str, words: Sequence[str]) -> str | None:
    """Return a note about single words that the checkpoint of this name hardly knows."""
    from sigseek.search.likely_meant import in_short

    if not words:
        return None
    such = "word" if len(words) == 1 else "words"
    return f"{name} hardly knows {in_short(words)}: its vocabulary has no such {such}"
