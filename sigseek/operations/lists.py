"""Arguments that take a list, and what is refused in their place."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sigseek.errors import SigseekError
from sigseek.search.errors import QueryError, printable
from sigseek.search.labels import Label

_LONGEST = 80
"""How many characters of the argument an error repeats."""


def check_list(name: str, given: object, error: type[SigseekError]) -> None:
    """Raise the error for one string, path or label where the argument `name` takes a list of them.

    Python takes a string for the list of its letters, so `tag("house")` would make five tags.
    """
    if isinstance(given, str | bytes | os.PathLike | Label):
        shown = repr(given)
        if len(shown) > _LONGEST:
            shown = f"{shown[:_LONGEST]}…"
        raise error(f"{name} must be a list, and is {shown}", "put it in brackets")


def check_texts(name: str, given: Sequence[str]) -> None:
    """Raise QueryError unless the argument `name` is a list of texts that UTF-8 can hold."""
    check_list(name, given, QueryError)
    for text in given:
        if not isinstance(text, str):
            raise QueryError(f"{text!r} is not a text", f"{name} must be a list of texts")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            shown = printable(text.encode(errors="backslashreplace").decode())
            raise QueryError(f"the text '{shown}' is not UTF-8", "write it in UTF-8") from error
