"""Arguments that take a list, and what is refused in their place."""

from __future__ import annotations

import os
from collections.abc import Iterable

from sigseek.errors import SigseekError
from sigseek.search.errors import QueryError, printable
from sigseek.search.labels import Label

_LONGEST = 80
"""How many characters of the argument an error repeats."""


def check_list(name: str, given: object, error: type[SigseekError]) -> None:
    """Raise the error for what is not a list, such as one string, path or label where the argument
    `name` takes a list of them.

    Python takes a string for the list of its letters, so `tag("house")` would make five tags.
    """
    single = isinstance(given, str | bytes | os.PathLike | Label)
    if single or not isinstance(given, Iterable):
        raise error(f"{name} must be a list, and is {in_short(given)}", "put it in brackets")


def given_texts(
    name: str, given: Iterable[str], error: type[SigseekError] = QueryError
) -> list[str]:
    """Return the texts that the argument `name` gives. Raises the error unless it is a list of
    texts that UTF-8 can hold.
    """
    check_list(name, given, error)
    texts = list(given)
    for text in texts:
        if not isinstance(text, str):
            raise error(f"{in_short(text)} is not a text", f"{name} must be a list of texts")
        try:
            text.encode()
        except UnicodeEncodeError as cause:
            shown = printable(text.encode(errors="backslashreplace").decode())
            raise error(f"the text '{shown}' is not UTF-8", "write it in UTF-8") from cause
    return texts


def in_short(given: object) -> str:
    """Return the value as Python source on one line, of which an error shows at most the
    beginning.
    """
    shown = printable(repr(given))
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
