"""The types of a search's arguments, told without loading anything that a search needs."""

from numbers import Integral, Real

from sigseek.errors import Option, Remedy
from sigseek.search.errors import QueryError, printable

_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "query": (str, "a text"),
    "within": (str, "a text"),
    "limit": (Integral, "a whole number"),
    "closer": (Integral, "a whole number"),
    "offset": (Integral, "a whole number"),
    "min_probability": (Real, "a number"),
    "sort": (str, "a text"),
    "page": ((str, type(None)), "a text"),
}
"""The types that arguments of a search may have, and what these are called."""


def check_types(**arguments: object) -> None:
    """Raise QueryError for an argument of a search, by its name in Python, that is of a type that
    it cannot be.
    """
    for name, value in arguments.items():
        types, expected = _TYPES[name]
        if not isinstance(value, types):
            raise QueryError(
                f"{printable(repr(value))} is not {expected}",
                Remedy(f"{{}} must be {expected}", (Option(name),)),
            )
