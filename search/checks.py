"""What a searcher does not take, found out before anything is embedded."""

import string

from sigseek.errors import Option, Remedy
from sigseek.search.errors import QueryError
from sigseek.search.query import Query, Text, split_facts, terms
from sigseek.search.results import ORDERS


def check_search(query: Query, limit: int, min_probability: float, *, looks_closer: bool) -> None:
    """Raise QueryError for what `Searcher.search` does not take, except for unknown tags, which
    only the catalog can tell.
    """
    for term in terms(query):
        if isinstance(term, Text):
            _check_text(term.text)
    check_limit(limit)
    if not 0 <= min_probability <= 1:
        percent = 1 < min_probability <= 100
        huge = abs(min_probability) > 1e300  # such whole numbers are no floats
        raise QueryError(
            f"a probability of {'this size' if huge else f'{min_probability:g}'} is outside 0 to 1",
            f"write {min_probability:g} percent as {min_probability / 100:g}"
            if percent
            else "give the least probability that a hit may have",
        )
    rest = split_facts(query)[1]
    if looks_closer and not (isinstance(rest, Text) and rest.weight == 1):
        raise QueryError(
            "a closer look is for one description",
            "leave out the operators, or the closer look",
        )


def check_limit(limit: int) -> None:
    """Raise QueryError for a limit below 1."""
    if limit < 1:
        raise QueryError(
            f"{limit} hits cannot be shown", Remedy("{} must be at least 1", (Option("limit"),))
        )


def check_closer(closer: int) -> None:
    """Raise QueryError for a number of photos to look at more closely that is below 0."""
    if closer < 0:
        raise QueryError(
            f"{closer} photos cannot be looked at more closely",
            Remedy("{} must be at least 0", (Option("closer"),)),
        )


def check_place(order: str, offset: int, page: str | None) -> None:
    """Raise QueryError for an order that does not exist, for an offset below 0, and for an offset
    beside a page.
    """
    if order not in ORDERS:
        raise QueryError(f"hits cannot be in order by '{order}'", f"use one of {', '.join(ORDERS)}")
    if offset < 0:
        raise QueryError(
            f"{offset} hits cannot come before",
            Remedy("{} must be at least 0", (Option("offset"),)),
        )
    if offset and page:
        raise QueryError(
            "a page has its place already",
            Remedy("leave out {} or {}", (Option("offset"), Option("page"))),
        )


def _check_text(text: str) -> None:
    """Raise QueryError for a text that says nothing, or that no UTF-8 can hold."""
    if not text.strip(string.punctuation + string.whitespace):
        raise QueryError("the query has no words", "describe what the photo shows")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # for example a byte of the command line
        raise QueryError("the query is not UTF-8", "type it again") from error
