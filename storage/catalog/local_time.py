"""Times as the catalog keeps them: local, with the UTC offset in a column of its own.

So text orders dates as a calendar does, whatever their precision and their time zone.
"""

import re

_WITH_OFFSET = re.compile(r"(.*T.*)([+-])(\d\d):(\d\d)(:\d\d)?$")


def split_offset(taken_at: str | None) -> tuple[str | None, int | None]:
    """Return the local time, and the minutes by which it is ahead of UTC; None where the ISO 8601
    text does not tell.
    """
    found = _WITH_OFFSET.match(taken_at) if taken_at else None
    if not found:
        return taken_at, None
    local, sign, hours, minutes, _ = found.groups()
    return local, (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1)


def join_offset(local: str | None, minutes: int | None) -> str | None:
    """Return the time in ISO 8601, with its offset where that is known."""
    if local is None or minutes is None:
        return local
    hours, rest = divmod(abs(minutes), 60)
    return f"{local}{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
