"""The types of arguments, told without loading anything that a search needs."""

from collections.abc import Mapping
from numbers import Integral, Real

from sigseek.errors import Option, Remedy
from sigseek.progress import Stop
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
    "named_photos": ((Mapping, type(None)), "a dictionary of paths"),
    "stop": ((Stop, type(None)), "a sigseek.Stop"),
    "at": (Integral, "a whole number"),
    "size": (Integral, "a whole number"),
    "max_bytes": (Integral, "a whole number"),
    "template": (str, "a text"),
    "name": (str, "a text"),
}
"""The types that arguments may have, and what these are called."""
_HEARS = ("advanced", "said", "met")
"""The methods of a listener."""


def check_types(**arguments: object) -> None:
    """Raise QueryError for an argument, by its name in Python, that is of a type that it cannot
    be.
    """
    for name, value in arguments.items():
        types, expected = _TYPES[name]
        if not isinstance(value, types):
            raise _wrong_type(name, value, expected)


def check_listener(listener: object) -> None:
    """Raise QueryError for a listener that lacks a method."""
    if listener is not None and not all(callable(getattr(listener, one, None)) for one in _HEARS):
        raise _wrong_type("listener", listener, "a sigseek.Listener")


def _wrong_type(name: str, value: object, expected: str) -> QueryError:
    return QueryError(
        f"{printable(repr(value))} is not {expected}",
        Remedy(f"{{}} must be {expected}", (Option(name),)),
    )
