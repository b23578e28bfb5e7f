"""What commands print: JSON lines for programs, tables with bars for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from sigseek.cli.remedies import spell
from sigseek.errors import Remedy, SigseekError
from sigseek.results import counted, json_line

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_BAR = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class Failed(click.ClickException):
    """An error as one line on stderr, exit status 1."""

    def __init__(self, line: str, *more: str) -> None:
        super().__init__(line)
        self._more = more

    def show(self, file: object = None) -> None:
        """Print the line, and below it what else helps."""
        click.echo(f"error: {self.message}", err=True)
        for line in self._more:
            click.echo(line, err=True)


def print_json(record: DataclassInstance) -> None:
    """Print a record as one line of JSON."""
    click.echo(json_line(record))


def print_paths(paths: Iterable[str], end: str) -> None:
    """Print paths unchanged, with `end` after each, for other programs.

    A path with a line break would be two paths to them, so it is printed only with a NUL character
    after it.
    """
    left_out = 0
    for path in paths:
        if end in path:
            left_out += 1
            continue
        click.echo(path + end, nl=False, color=True)  # otherwise click removes control characters
    if left_out:
        left = counted(left_out, "path")
        click.echo(f"left out: {left} with a line break; --print0 prints all", err=True)


def say(words: Remedy, *, err: bool = False) -> None:
    """Print a line with its commands and options as a person types them."""
    click.echo(words.spelled(spell), err=err)


def advise(advice: Remedy) -> None:
    """Print advice on stderr."""
    say(advice, err=True)


def show_notes(notes: Iterable[Remedy | str]) -> None:
    """Print on stderr what a reader of an answer should know."""
    for note in notes:
        show_note(note)


def show_note(note: Remedy | str) -> None:
    """Print a note on stderr."""
    click.echo(f"note: {remedy_in_words(note)}", err=True)


def remedy_in_words(remedy: Remedy | str) -> str:
    """Return what to do, with its commands and options as a person types them."""
    return remedy if isinstance(remedy, str) else remedy.spelled(spell)


def one_line(error: Exception) -> str:
    """Return an error as the line that a person reads: what was found, and what to do."""
    if isinstance(error, OSError) and error.strerror:
        about = f"{error.filename}: " if error.filename else ""
        return f"{about}{error.strerror.lower()}; check the disk and its permissions"
    line = error.spelled(spell) if isinstance(error, SigseekError) and error.remedy else str(error)
    return " ".join(line.split())


def bar(share: float) -> str:
    """Return a share of 0 to 1 as a bar ten characters wide."""
    eighths = round(min(max(share, 0.0), 1.0) * _BAR * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR)
