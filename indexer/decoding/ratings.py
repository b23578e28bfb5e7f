"""How many stars a person gave a photo."""

from collections.abc import Sequence
from typing import Any


def rating(stars: Sequence[Any], percents: Sequence[Any] = ()) -> int | None:
    """Return the first rating of 1 to 5, or -1 for a rejected photo. 0 means that nobody rated the
    photo.

    Percents are Windows', which writes 1, 25, 50, 75 and 99 for one to five stars.
    """
    for candidate in stars:
        number = _number(candidate)
        if number is not None and round(number) in (-1, 1, 2, 3, 4, 5):
            return round(number)
    for candidate in percents:
        number = _number(candidate)
        if number is not None and 1 <= number <= 100:
            return min(5, 1 + round(number / 25))
    return None


def is_unrated(stars: Sequence[Any]) -> bool:
    """Return whether a value says that nobody rated the photo."""
    return any(_number(candidate) == 0 for candidate in stars)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
        round(number)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return number
