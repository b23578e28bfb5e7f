"""Text out of files that anybody may have written."""

_JOINERS = "\u200c\u200d"  # not printable, but what some scripts and emoji are made with


def clean(text: str, longest: int) -> str:
    """Return the text as one line without control characters, cut to `longest` characters."""
    kept = "".join(
        letter if letter.isprintable() or letter in _JOINERS else " "
        for letter in text[: 4 * longest]
    )
    return " ".join(kept.split())[:longest].rstrip()
