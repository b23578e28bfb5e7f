"""Numbers and their limits: `4` (at least), `=4`, `3..5`, `<1000`."""

import re
from dataclasses import dataclass

from sigseek.search.errors import printable
from sigseek.search.facts.values import FactValueError
from sigseek.storage import CatalogReader
from sigseek.storage.selection import NumberColumn, Numbered, Selection

_ONE = re.compile(r"(>=|<=|=|>|<|)\s*(-?\d{1,9})", re.ASCII)
_TWO = re.compile(r"(-?\d{1,9})?\s*\.\.\s*(-?\d{1,9})?", re.ASCII)


@dataclass(frozen=True)
class NumberRange:
    """The least and the greatest number that a column may have. None is no limit."""

    column: NumberColumn
    least: int | None
    most: int | None

    def __str__(self) -> str:
        if self.most is None:
            return str(self.least)
        if self.least is None:
            return f"<={self.most}"
        return f"={self.most}" if self.least == self.most else f"{self.least}..{self.most}"

    def selection(self, catalog: CatalogReader) -> Selection:
        """Return the condition that the column has a number within the limits."""
        return Numbered(self.column, self.least, self.most)


def parse_rating(typed: str) -> NumberRange:
    """Return the limits of a rating, which is 1 to 5, or -1 for a rejected photo."""
    limits = _limits("rating", typed)
    if any(number is not None and not -1 <= number <= 5 for number in (limits.least, limits.most)):
        raise FactValueError(
            f"there is no rating {printable(typed.strip())}",
            "ratings are 1 to 5, and -1 for rejected photos",
        )
    return limits


def parse_width(typed: str) -> NumberRange:
    """Return the limits of a width in pixels."""
    return _pixels("width", typed)


def parse_height(typed: str) -> NumberRange:
    """Return the limits of a height in pixels."""
    return _pixels("height", typed)


def _pixels(column: NumberColumn, typed: str) -> NumberRange:
    limits = _limits(column, typed)
    if "-" in typed or limits.most == -1:
        raise FactValueError(
            f"no {column} is below 0", "write a number of pixels, as in 1920 or <1000"
        )
    return limits


def _limits(column: NumberColumn, typed: str) -> NumberRange:
    both = _TWO.fullmatch(typed.strip())
    if both and (both[1] or both[2]):
        least, most = (None if number is None else int(number) for number in both.groups())
        if least is not None and most is not None and least > most:
            raise FactValueError(f"{least} is more than {most}", "write the lower number first")
        return NumberRange(column, least, most)
    found = _ONE.fullmatch(typed.strip())
    if not found:
        raise FactValueError(
            f"'{printable(typed)}' is not a number",
            "write 4 for at least 4, or =4, <4 or 2..4",
        )
    number = int(found[2])
    match found[1]:
        case "=":
            return NumberRange(column, number, number)
        case "<":
            return NumberRange(column, None, number - 1)
        case "<=":
            return NumberRange(column, None, number)
        case ">":
            return NumberRange(column, number + 1, None)
        case _:
            return NumberRange(column, number, None)
