"""Arguments that take a list, and what is refused in their place."""

from __future__ import annotations

import os

from sigseek.errors import SigseekError
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
