"""The kinds of values that options and arguments take."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from sigseek.paths import is_address, typed_path

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Duration(click.ParamType[timedelta]):
    """A duration such as 2s, 10m, 12h, 30d or 8w.

    `bare` is the unit of a number without one; None allows no such number.
    """

    name = "duration"

    def __init__(self, bare: str | None = None, *, zero: bool = False) -> None:
        self._bare = bare
        self._zero = zero

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Convert the value to a duration; anything else is a usage error."""
        if isinstance(value, timedelta):
            return value
        typed = str(value).strip().lower()
        match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw]?)", typed, re.ASCII)
        unit = (match[2] or self._bare) if match else None
        if not match or not unit:
            self.fail(
                f"{value!r} is not a duration; write a number and s, m, h, d or w, such as 30d.",
                param,
                ctx,
            )
        try:
            duration = timedelta(seconds=float(match[1]) * _SECONDS[unit])
        except OverflowError:
            self.fail(f"{value!r} is too long.", param, ctx)
        if not duration and not self._zero:
            self.fail(f"{value!r} must be more than 0.", param, ctx)
        return duration


_NUMBER = re.compile(r"-?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})(e[+-]?\d{1,3})?", re.ASCII)


class Probability(click.ParamType[float]):
    """A probability such as 0.9 or 90%. Whether it is between 0 and 1 is checked by the search."""

    name = "probability"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Convert the value to a number; anything else is a usage error."""
        typed = str(value).strip()
        number = typed.removesuffix("%").rstrip()
        if not _NUMBER.fullmatch(number):
            self.fail(f"{value!r} is not a probability; write it as 0.9 or 90%.", param, ctx)
        return float(Decimal(number) / (100 if typed.endswith("%") else 1))


_UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000, "t": 1_000_000_000_000}


class Size(click.ParamType[int]):
    """A size on the disk such as 0, 500MB or 2.5 GB, in bytes."""

    name = "size"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Convert the value to bytes; anything else is a usage error."""
        typed = str(value).strip().lower()
        match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?) ?([kmgt]?)b?", typed, re.ASCII)
        if not match:
            self.fail(f"{value!r} is not a size; write it as 0, 500MB or 4GB.", param, ctx)
        return int(Decimal(match[1]) * _UNITS[match[2]])


class PathName(click.Path):
    """A path that is not empty, and whose letters may have either Unicode spelling.

    An empty one, which a shell makes of an unset variable, would mean the current directory.
    """

    def __init__(self, **conditions: bool) -> None:
        super().__init__(path_type=Path, **conditions)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the value to a path; an empty one is wrong syntax."""
        if value == "":
            self.fail("the name is empty; is a shell variable not set?", param, ctx)
        return super().convert(typed_path(value), param, ctx)


class PageName(PathName):
    """The name of an HTML file to write."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the value to a path; that of the standard output is wrong."""
        if value == "-":
            self.fail("a page is written to a file; name one, such as hits.html.", param, ctx)
        return super().convert(value, param, ctx)


class LibraryName(PathName):
    """The directory of a library, or the address of its database. An address stays a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Convert the value to a path unless it is an address."""
        if isinstance(value, str) and is_address(value):
            return value
        return super().convert(value, param, ctx)


class MountedPath(click.ParamType[tuple[str, Path]]):
    """PATH=HERE: an absolute path as the library has it, and where this machine has it."""

    name = "mounted path"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Path]:
        """Split the value at its first equals sign; anything else is a usage error."""
        known, _, here = str(value).partition("=")
        if not known.startswith("/") or not here:
            self.fail(f"{value!r} is not PATH=HERE with an absolute PATH.", param, ctx)
        return known, typed_path(here)
