"""Errors of queries, and of the pictures and constants of a calibration."""

import unicodedata
from collections.abc import Sequence

from sigseek.errors import Call, ErrorKind, Remedy, SigseekError, escaped

_NAMED = 20
"""How many tags the error about an unknown one names."""


class QueryError(SigseekError):
    """A query that cannot be answered. The message says what was found and what to do, in one
    line.
    """


class CalibrationError(SigseekError):
    """Pictures or constants cannot give a calibration. The message says what was found and what
    to do.
    """


class QueryPartError(QueryError):
    """A part of a query cannot be answered. The message begins with its column."""

    query = ""
    """The query; empty where the error is not about one."""
    column = 1
    """The column in characters, from 1."""

    @property
    def pointer(self) -> str:
        """Return two lines for a terminal: the query, or the part of it around the column, and a
        caret under the column.
        """
        before, after = self.query[: self.column - 1], self.query[self.column - 1 :]
        if len(before) > 40:
            before = "…" + before[-39:]
        if len(after) > 30:
            after = after[:29] + "…"
        return f"{printable(before + after)}\n{' ' * sum(map(_cells, printable(before)))}^"


class QuerySyntaxError(QueryPartError):
    """A query that cannot be read. The message begins with the column of what is wrong, unless the
    query is empty.
    """

    def __init__(self, query: str, column: int, problem: str, remedy: str) -> None:
        # An empty query has no columns that a person could count.
        super().__init__(f"column {column}: {problem}" if query.strip() else problem, remedy)
        self.args = (query, column, problem, remedy)
        self.query = query
        self.column = column
        self.problem = problem


class FactError(QuerySyntaxError):
    """A fact with a value that it cannot have, or that nothing in the library has."""


class UnknownTagError(QueryPartError):
    """A tag that does not exist. The message has a column if the tag was typed in a query."""

    def __init__(self, name: str, known: Sequence[str], query: str = "", column: int = 1) -> None:
        found = f"there is no tag '{printable(name)}'"
        if query:
            found = f"column {column}: {found}"
        super().__init__(found, _other_tags(known), ErrorKind.NOT_FOUND)
        self.args = (name, known, query, column)
        self.query = query
        self.column = column
        self.name = name
        self.known = known
        """The existing tags."""


def _other_tags(known: Sequence[str]) -> Remedy:
    if not known:
        return Remedy("make tags with: {}", (Call("tag", ("LABELS",)),))
    named = escaped(printable(", ".join(known[:_NAMED])))
    if len(known) <= _NAMED:
        return Remedy(f"existing tags: {named}")
    return Remedy(
        f"existing tags: {named} and {len(known) - _NAMED:,} more; see: {{}}", (Call("tags"),)
    )


def printable(text: str) -> str:
    """Return the text with a space for every character that would move the cursor or break the
    line.
    """
    return "".join(character if character.isprintable() else " " for character in text)


def _cells(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
