"""Text out of files that anybody may have written."""

from collections.abc import Iterable

NAME = 200  # characters of a camera, a lens, a keyword, a person, a city
_JOINERS = "\u200c\u200d"  # not printable, but what some scripts and emoji are made with


def clean(text: str, longest: int) -> str:
    """Return the text as one line without control characters, cut to `longest` characters."""
    kept = "".join(
        letter if letter.isprintable() or letter in _JOINERS else " "
        for letter in text[: 4 * longest]
    )
    return " ".join(kept.split())[:longest].rstrip()


def distinct(names: Iterable[str]) -> list[str]:
    """Return the names that are not empty, each once, as one line each."""
    cleaned = dict.fromkeys(clean(name, NAME) for name in names)
    return [name for name in cleaned if name]
