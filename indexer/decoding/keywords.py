"""Keywords, single ones and those of a hierarchy."""

from collections.abc import Iterable, Iterator

from sigseek.indexer.decoding.text import NAME, clean, distinct
from sigseek.indexer.decoding.xmp import Xmp

_MOST = 200
_HIERARCHY = "|"
"""What joins the levels of a hierarchical keyword."""


def merged_keywords(flat: Iterable[str], hierarchical: Iterable[str] = ()) -> tuple[str, ...]:
    """Return all keywords, each once. What is part of a hierarchical keyword is not said again."""
    deep = distinct(_levels(text) for text in hierarchical)
    beginnings = {start for word in deep for start in _beginnings(word)}
    deep = [word for word in deep if word not in beginnings]
    levels = {level.casefold() for word in deep for level in word.split(_HIERARCHY)}
    levels |= {word.casefold() for word in deep}
    single = distinct(flat)
    return tuple(
        distinct((*deep, *(word for word in single if word.casefold() not in levels)))[:_MOST]
    )


def xmp_keywords(xmp: Xmp) -> tuple[list[str], list[str]]:
    """Return the flat keywords of XMP, and those of a hierarchy, whose levels "|" joins."""
    hierarchical = [*xmp.texts("lr:hierarchicalSubject", "mediapro:CatalogSets")]
    hierarchical += xmp.keyword_trees()
    hierarchical += [
        text.replace("/", _HIERARCHY)
        for text in xmp.texts("digiKam:TagsList", "MicrosoftPhoto:LastKeywordXMP")
    ]
    flat = [*xmp.texts("dc:subject")]
    # A keyword without a level below or above it is a flat one, wherever it stands.
    flat += [text for text in hierarchical if _HIERARCHY not in text]
    return flat, [text for text in hierarchical if _HIERARCHY in text]


def split_keywords(text: str) -> list[str]:
    """Return the keywords of a text that parts them by semicolons."""
    return text.split(";")


def _levels(text: str) -> str:
    return _HIERARCHY.join(
        cleaned for level in text.split(_HIERARCHY) if (cleaned := clean(level, NAME))
    )


def _beginnings(word: str) -> Iterator[str]:
    """Return the keywords above a hierarchical one: "Animal" and "Animal|Bird" of
    "Animal|Bird|Gull".
    """
    levels = word.split(_HIERARCHY)
    return (_HIERARCHY.join(levels[:count]) for count in range(1, len(levels)))
